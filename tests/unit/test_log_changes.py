"""A log that changes its level, format and output while it is written: one thread for each descriptor, for ever."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually

from corepilot.model.configuration import Logging
from corepilot.output.log import Log
from corepilot.output.records import Records
from corepilot.output.writers import MOST_DRAINING


def logging(output: str | Path, form: Any = "default", level: Any = "info") -> Logging:
    return Logging(level=level, format=form, output=str(output))


def change(log: Log, config: Logging) -> None:
    log.commit(log.prepare(config))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def messages(path: Path) -> list[str]:
    return [line.partition(" ")[2] for line in path.read_text().splitlines()]


@contextlib.contextmanager
def standard() -> Iterator[int]:
    """The read end of a pipe that is stdout and stderr of this process. (pytest's capture changes them after setup.)"""
    read_end, write_end = os.pipe()
    with contextlib.ExitStack() as stack:
        for number in (1, 2):
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(write_end, number)
        os.close(write_end)
        stack.callback(os.close, read_end)
        yield read_end


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def fill(log: Log) -> None:
    """More than a pipe holds."""
    log.output.publish(Records.now([b"x" * 1000] * 200, ()))


def release(path: Path) -> None:
    """Read a fifo until whoever writes to it has closed it."""
    with path.open("rb") as reader:
        while reader.read(1 << 20):
            pass


def test_level_and_format_change_at_once_and_everything_before_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(logging(path))
    log("debug", "hidden")
    log("info", "first")
    change(log, logging(path, "json", "debug"))
    assert log.debugging
    log("debug", "second")
    change(log, logging(path, "text", "error"))
    log("info", "hidden")
    log("error", "third")
    assert log.close(5)
    first, second, third = path.read_text().splitlines()
    assert first.endswith(" first")
    assert json.loads(second)["msg"] == "second"
    assert third.endswith(" level=error msg=third")


def test_what_was_prepared_and_discarded_changes_nothing(tmp_path: Path) -> None:
    log = Log(logging(tmp_path / "log"))
    before = threads(), descriptors()
    log.discard(log.prepare(logging(tmp_path / "other", "json", "debug")))
    log.discard(log.prepare(logging(tmp_path / "log", "json", "debug")))
    log.prepare(logging(tmp_path / "other"))
    change(log, logging(tmp_path / "log"))  # discards the one before
    log("info", "here")
    eventually(lambda: (threads(), descriptors()) == before)
    assert log.close(5)
    assert messages(tmp_path / "log") == ["here"]
    assert (tmp_path / "other").read_text() == ""


def test_what_cannot_be_prepared_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = Log(logging(tmp_path / "log"))
    before = descriptors()
    with pytest.raises(FileNotFoundError):
        log.prepare(logging(tmp_path / "no" / "log", "json", "panic"))
    assert descriptors() == before
    log("info", "here")
    assert log.close(5)
    assert messages(tmp_path / "log") == ["here"]


def test_a_log_without_a_thread_to_be_had_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(logging(tmp_path / "log"))
    before = descriptors()

    def refuse(*_words: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("corepilot.output.writer.start_new_thread", refuse)
    with pytest.raises(OSError, match="no thread can be started") as refused:
        log.prepare(logging(tmp_path / "other"))
    assert refused.value.errno == errno.EAGAIN
    assert descriptors() == before
    log("info", "here")
    assert log.close(5)
    assert messages(tmp_path / "log") == ["here"]


def test_what_is_wrong_with_a_file_is_not_told_to_a_stderr_that_is_full(tmp_path: Path) -> None:
    with standard() as read_end:
        os.set_blocking(2, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(2, b"x" * 4096)
        os.set_blocking(2, True)
        log = Log(logging("/dev/full"))
        log("info", "lost")
        change(log, logging(tmp_path / "log"))
        log("info", "kept")
        assert log.close(5)
        assert messages(tmp_path / "log") == ["kept"]
        assert set(os.read(read_end, 1 << 20)) == {ord("x")}


def test_another_file_is_begun_and_the_old_one_written_to_its_end_and_closed(tmp_path: Path) -> None:
    log = Log(logging(tmp_path / "0"))
    before = threads(), descriptors()
    for number in range(60):
        log("info", f"in {number}")
        eventually(lambda: log.draining < MOST_DRAINING)
        change(log, logging(tmp_path / str(number + 1)))
    log("info", "in 60")
    eventually(lambda: (log.draining, threads(), descriptors()) == (0, *before))
    assert log.close(5)
    assert [messages(tmp_path / str(number)) for number in range(61)] == [[f"in {number}"] for number in range(61)]


def test_other_names_of_a_file_have_the_same_writer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(logging(path))
    (tmp_path / "link").symlink_to(path)
    os.link(path, tmp_path / "hard")
    before = threads(), descriptors()
    for number, name in enumerate(("log", "./log", "link", "hard", "../" + tmp_path.name + "/log", "log") * 10):
        change(log, logging(tmp_path / name))
        log("info", str(number))
        assert threads() == before[0]
    eventually(lambda: descriptors() == before[1])
    assert log.close(5)
    assert messages(path) == [str(number) for number in range(60)]


def test_a_file_that_was_renamed_is_made_again_by_a_change_and_by_reopening_under_its_last_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    log = Log(logging(path))
    log("info", "first")
    path.rename(tmp_path / "old")
    change(log, logging(path))
    log("info", "second")
    change(log, logging(f"{tmp_path}/./log"))
    eventually(lambda: messages(path) == ["second"])
    path.rename(tmp_path / "older")
    log.reopen()
    log("info", "third")
    assert log.close(5)
    assert [messages(tmp_path / name) for name in ("old", "older", "log")] == [["first"], ["second"], ["third"]]


def test_standard_output_keeps_its_thread_and_its_lines_whole_while_nobody_reads() -> None:
    with standard() as read_end:
        before = threads()
        log = Log(logging("stdout"))
        assert threads() == before + 1
        lines = [b"%06d " % number + b"x" * 200 for number in range(1000)]
        for number in range(60):
            log.output.publish(Records.now(lines[:100], (("job", "app"),)))
            change(log, logging("stderr" if number % 2 else "stdout", "text" if number % 3 else "default", "warning"))
        assert threads() == before + 1  # stdout and stderr are one pipe
        received = bytearray()

        def read() -> None:
            while chunk := os.read(read_end, 65536):
                received.extend(chunk)
                if b"the end" in chunk:
                    return

        reader = threading.Thread(target=read)
        reader.start()
        eventually(lambda: not log.congested)
        log("error", "the end")
        reader.join(20)
        assert log.close(5)
        got = [line for line in bytes(received).splitlines() if b"xxx" in line]
        dropped = log.dropped_bytes
        assert len(got) <= 6000
        assert dropped or len(got) == 6000
        assert all(line.count(b"x" * 200) == 1 and line.count(b"app") == 1 and len(line) < 300 for line in got)


def test_a_file_named_like_standard_output_has_its_writer() -> None:
    with standard() as read_end:
        log = Log(logging("stdout"))
        before = threads()
        for output in ("/proc/self/fd/1", "stderr", "/dev/stderr", "stdout"):
            log("info", f"before {output}")
            change(log, logging(output))
            assert threads() == before
        log("info", "last")
        assert log.close(5)
        assert len(os.read(read_end, 65536).splitlines()) == 5


def test_files_that_nobody_reads_hold_up_no_other_and_there_are_few_of_them(tmp_path: Path) -> None:
    log = Log(logging(tmp_path / "log"))
    before = threads()
    paths = [fifo(tmp_path / f"fifo{number}") for number in range(MOST_DRAINING + 1)]
    for path in paths[:MOST_DRAINING]:
        change(log, logging(path))
        fill(log)
    change(log, logging(tmp_path / "log"))
    fill(log)
    assert log.draining == MOST_DRAINING
    for _ in range(60):
        with pytest.raises(OSError, match="4 former log files are still being written") as refused:
            log.prepare(logging(paths[-1]))
        assert refused.value.errno == errno.EBUSY
        change(log, logging(paths[0], "json"))  # its own writer is taken back
        change(log, logging(tmp_path / "log", "text"))
    log("info", "goes on")
    eventually(lambda: (tmp_path / "log").read_bytes().count(b"x" * 1000) == 200)
    eventually(lambda: b"goes on" in (tmp_path / "log").read_bytes())
    assert threads() <= before + MOST_DRAINING
    for path in paths[:MOST_DRAINING]:
        release(path)
    eventually(lambda: (log.draining, threads()) == (0, before))
    change(log, logging(paths[-1]))
    assert log.close(5)


def test_a_stuck_file_that_is_named_again_and_again_costs_no_descriptors(tmp_path: Path) -> None:
    path = fifo(tmp_path / "fifo")
    log = Log(logging(path))
    fill(log)
    before = threads(), descriptors()
    for number in range(60):
        path.rename(tmp_path / f"old{number}")
        fifo(path)
        change(log, logging(path))
        log.reopen()
    assert threads() == before[0]
    assert descriptors() <= before[1] + 1
    log("info", "here")
    release(tmp_path / "old0")
    reader = os.open(path, os.O_RDONLY)
    assert os.read(reader, 1000).endswith(b" here\n")
    assert log.close(5)
    os.close(reader)


def test_reopening_a_fifo_that_nobody_reads_loses_nothing(tmp_path: Path) -> None:
    path = fifo(tmp_path / "fifo")
    log = Log(logging(path))
    log("info", "before")
    log.reopen()
    log("info", "after")
    change(log, logging(f"{tmp_path}/./fifo"))
    log("info", "last")
    reader = os.open(path, os.O_RDONLY)
    received = b""
    while b"last" not in received:
        received += os.read(reader, 1000)
    assert [line.rpartition(b" ")[2] for line in received.splitlines()] == [b"before", b"after", b"last"]
    assert log.close(5)
    os.close(reader)
    assert log.dropped_bytes == 0


def test_bytes_that_were_dropped_stay_counted_when_the_file_is_gone(tmp_path: Path) -> None:
    log = Log(logging("/dev/full"))
    log("info", "lost")
    change(log, logging(tmp_path / "log"))
    eventually(lambda: log.draining == 0)
    lost = log.dropped_bytes
    assert lost > len("lost")
    log("info", "kept")
    assert log.close(5)
    assert log.dropped_bytes == lost
