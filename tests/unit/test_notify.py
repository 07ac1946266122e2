"""What runs tell of themselves, in datagrams: what they say, and who may say it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from eventually import eventually
from hypothesis import given
from hypothesis import strategies as st

from corepilot.jobs.notify import LIMIT_S, NotifySocket, parsed
from corepilot.jobs.state import Notified
from corepilot.model.job import Ready
from corepilot.system import children, groups
from corepilot.system.groups import descendants

SEND = "import socket, sys; socket.socket(1, 2).sendto(sys.argv[2].encode(), chr(0) + sys.argv[1][1:])"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"READY=1", Notified(state="ready")),
        (b"READY=1\nSTATUS=at work\n", Notified(state="ready", text="at work")),
        (b"RELOADING=1\nMONOTONIC_USEC=5", Notified(state="reloading")),
        (b"STOPPING=1", Notified(state="stopping")),
        (b"STATUS=a\tb\x1b[0m\xff", Notified(text="a\\tb\\x1b[0m\ufffd")),
        (b"WATCHDOG=1", Notified(watchdog="alive")),
        (b"WATCHDOG=trigger", Notified(watchdog="trigger")),
        (b"WATCHDOG_USEC=1500000", Notified(watchdog_s=1.5)),
        (b"EXTEND_TIMEOUT_USEC=18446744073709551", Notified(extend_s=LIMIT_S)),
        (b"EXTEND_TIMEOUT_USEC=-1", Notified()),
        (b"READY=0\nREADY\n=1\nMAINPID=3\nBARRIER=1\nFDSTORE=1\nERRNO=2", Notified()),
        (b"", Notified()),
    ],
)
def test_what_a_message_says(message: bytes, said: Notified) -> None:
    assert parsed(message) == said


@given(st.binary(max_size=5000))
def test_whatever_comes_says_something_or_nothing(message: bytes) -> None:
    said = parsed(message)
    assert said.state in {None, "ready", "reloading", "stopping"}
    assert said.text is None or said.text.isprintable()
    assert 0 <= (said.extend_s or 0.0) <= LIMIT_S


class Listening:
    """A socket, and what came of it."""

    def __init__(self) -> None:
        self.told: list[Notified] = []
        self.complaints: list[str] = []
        self.socket = NotifySocket(Ready(notify=True), gevent.get_hub().loop, self.told.append, self.complaints.append)
        self.address = self.socket.environment["NOTIFY_SOCKET"]

    def send(self, message: str) -> None:
        """From a process that has ended, and is gone, before the hub turns."""
        subprocess.run([sys.executable, "-c", SEND, self.address, message], check=True, timeout=60)


def until(found: list[Any]) -> None:
    """Let the hub turn until something is there."""

    def there() -> bool:
        gevent.sleep(0.01)
        return bool(found)

    eventually(there)


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.socket.close()
    made.socket.close()


def test_a_sender_that_has_ended_is_known_by_its_user(listening: Listening) -> None:
    listening.socket.begin(os.getpid(), ())
    listening.send("READY=1")
    until(listening.told)
    assert listening.told == [Notified(state="ready")]


def test_a_sender_that_has_ended_and_was_of_another_user_is_none_of_ours(listening: Listening) -> None:
    listening.socket.begin(2**22, ())  # a run that is gone as well: its user is nobody
    listening.send("READY=1")
    until(listening.complaints)
    assert listening.told == []


def test_a_process_of_somebody_elses_is_none_of_ours(listening: Listening) -> None:
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as run:
        listening.socket.begin(run.pid, ())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(b"READY=1", "\0" + listening.address[1:])
        until(listening.complaints)
        run.kill()
    assert listening.told == []
    assert len(listening.complaints) == 1, "it is said once"


def test_a_process_that_has_left_the_group_is_asked_whose_it_is_and_the_tree_of_the_run_is_not(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood from a stranger costs the same whatever the run has started."""
    looks: list[str] = []

    def read_bytes(path: str) -> bytes:
        looks.append(path)
        return children.read_bytes(path)

    monkeypatch.setattr(groups, "read_bytes", read_bytes)
    code = f"import time; {SEND}; time.sleep(100)"
    script = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; setsid "$0" -c "$1" "$2" READY=1 & wait'
    arguments = ["sh", "-c", script, sys.executable, code, listening.address]
    with subprocess.Popen(arguments, start_new_session=True) as run:
        listening.socket.begin(run.pid, ())
        until(listening.told)
        assert (len(looks), listening.complaints) == (1, [])
        for pid in descendants(run.pid):
            os.kill(pid, signal.SIGKILL)
        run.wait()
