"""A check with a timeout of a second, in a process that is stopped for three (SIGSTOP), as by the cgroup freezer."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from eventually import eventually
from guarding import state

PROGRAM = """
import gevent, os, signal, sys, time
from corepilot.system.clock import Timers
from corepilot.system.process import Reaper, signal_group, spawn
loop = gevent.get_hub().loop
reaper = Reaper(loop)
loop.timer(60).start(os._exit, 9)
from gevent.event import AsyncResult
ended = AsyncResult()
script = "while [ ! -e '" + sys.argv[1] + "' ]; do sleep 0.02; done"
pid = spawn(["sh", "-c", script], dict(os.environ), reaper, ended.set)
os.kill(pid, signal.SIGSTOP)
def kill():
    signal_group(pid, signal.SIGKILL)
if sys.argv[2] == "allowing":
    timer = Timers(loop).start(1.0, kill)
else:
    timer = loop.timer(1.0)
    timer.start(kill, update=True)
print(pid, flush=True)
os.kill(os.getpid(), signal.SIGSTOP)  # before the loop runs: on a busy machine the timer passes within the pause too
print(ended.get(), flush=True)
"""


def paused(until: Path, timer: str, *, ends: bool) -> str:
    """What becomes of the check, when it and the process that waits for it are stopped for three seconds.

    Args:
        until: The file whose existence ends the check.
        timer: What limits the check.
        ends: Whether the check may end, as soon as both go on.
    """
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(until), timer], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = (int(process.stdout.readline()), process.pid)
        eventually(lambda: [state(pid) for pid in pids] == ["T", "T"])
        resume_at = time.monotonic() + 3
        eventually(lambda: time.monotonic() >= resume_at)  # the pause itself
        if ends:
            until.touch()
        os.kill(process.pid, signal.SIGCONT)
        with suppress(ProcessLookupError):  # it may have been killed and collected by now
            os.kill(pids[0], signal.SIGCONT)
        return process.stdout.readline().strip()


@pytest.mark.slow
def test_a_check_gets_the_time_of_a_pause_again(tmp_path: Path) -> None:
    assert paused(tmp_path / "end", "allowing", ends=False) == "137"  # it is killed all the same, later


@pytest.mark.slow
def test_a_check_is_not_killed_for_a_pause(tmp_path: Path) -> None:
    assert paused(tmp_path / "end", "allowing", ends=True) == "0"


@pytest.mark.slow
def test_a_timer_of_the_loop_kills_a_check_for_a_pause(tmp_path: Path) -> None:
    """The control: without the allowance the same check is killed before it runs again."""
    assert paused(tmp_path / "end", "plain", ends=False) == "137"
