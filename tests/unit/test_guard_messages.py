"""The guard's lines on stderr, and how it puts statuses into words."""

import os
import signal
import socket
from pathlib import Path

import pytest

from corepilot.guard.messages import describe, speaker
from corepilot.system.kernel import signal_name


def test_a_line_is_one_line() -> None:
    read_end, write_end = os.pipe()
    speaker("corepilot", write_end)("two\nlines, é\udcff")
    speaker("corepilot", write_end)("x" * 5000)
    os.close(write_end)
    with open(read_end, "rb") as file:
        first, second = file.read().splitlines()
    assert first.decode() == "corepilot: two\\nlines, é\\udcff"
    assert second == b"corepilot: " + b"x" * (1023 - 11)


def test_a_socket_and_a_file_are_written_too(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, open(tmp_path / "log", "wb") as file:
        file.write(b"before\n")
        file.flush()
        speaker("g", theirs.fileno())("one")
        assert ours.recv(100) == b"g: one\n"
        speaker("g", file.fileno())("two")
    assert (tmp_path / "log").read_bytes() == b"before\ng: two\n"


def _fill(descriptor: int) -> int:
    written = 0
    while True:
        try:
            written += os.write(descriptor, b"x" * 512)
        except BlockingIOError:
            return written


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_does_not_fit_is_lost_without_waiting(kind: str) -> None:
    if kind == "pipe":
        ours, theirs = os.pipe()
    else:
        pair = socket.socketpair()
        ours, theirs = (end.detach() for end in pair)
    os.set_blocking(theirs, False)
    filled = _fill(theirs)
    os.set_blocking(theirs, True)
    speaker("g", theirs)("lost")
    assert os.get_blocking(theirs)
    os.close(theirs)
    with open(ours, "rb") as file:
        assert file.read() == b"x" * filled


def test_nobody_reading_and_nothing_there_is_no_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    speaker("g", write_end)("lost")
    os.close(write_end)
    speaker("g", write_end)("lost")


def test_statuses_in_words() -> None:
    assert describe(3 << 8) == "exited with status 3"
    assert describe(signal.SIGTERM) == "was killed by SIGTERM"
    assert describe(signal.SIGSEGV | 0x80) == "was killed by SIGSEGV (core dumped)"


def test_signals_by_the_names_kill_knows() -> None:
    assert [signal_name(number) for number in range(1, 32)] == [signal.Signals(number).name for number in range(1, 32)]
    assert signal_name(40) == "signal 40"
