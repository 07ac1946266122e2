"""What the guard does about the promises of locks, on real processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from corepilot.guard.channel import Promise
from corepilot.guard.promises import Promises

Process = subprocess.Popen[bytes]


@pytest.fixture
def two() -> Iterator[list[Process]]:
    with ExitStack() as stack:
        command = [sys.executable, "-I", "-c", "input()"]
        started = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
            for _ in range(2)
        ]
        yield started
        for one in started:
            one.kill()


def test_without_locks_there_is_nothing_to_do() -> None:
    promises = Promises({})
    assert promises.due() == float("inf")
    assert promises.end(time.monotonic()) == []
    assert promises.follow() is None


def test_a_promise_that_has_ended_is_told_once(two: list[Process]) -> None:
    locked = {0: Promise(10.0, [two[0].pid]), 1: Promise(20.0, [two[1].pid])}
    promises = Promises(locked)
    assert promises.due() == 10.0
    assert promises.end(9.9) == []
    assert promises.end(10.0) == [1]
    assert two[0].wait(30) == -signal.SIGKILL
    assert promises.due() == 20.0
    assert two[1].poll() is None
    locked[0] = Promise(10.0, [two[1].pid])  # heard again, when the supervisor goes on
    assert promises.end(10.1) == []
    assert two[1].wait(30) == -signal.SIGKILL


def test_after_the_supervisors_death_each_lock_has_its_own_time(two: list[Process]) -> None:
    look = Promises({0: Promise(10.0, [two[0].pid]), 1: Promise(20.0, [two[1].pid])}).follow()
    assert look
    assert look(5.0) == 10.0
    assert two[0].poll() is None
    assert look(10.0) == 20.0
    assert two[0].wait(30) == -signal.SIGKILL
    assert two[1].poll() is None
    assert look(20.5) == float("inf")
    assert two[1].wait(30) == -signal.SIGKILL


def test_a_group_that_is_empty_is_not_signalled(two: list[Process]) -> None:
    """Only what is below us: the number may be somebody else's by now."""
    script = "exec 3<&0; setsid cat <&3 & echo $!"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin
        assert shell.stdout
        stranger = int(shell.stdout.readline())
        shell.wait()
        look = Promises({0: Promise(10.0, [stranger])}).follow()
        assert look
        look(11.0)
        shell.stdin.write(b"still there\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == b"still there\n"
