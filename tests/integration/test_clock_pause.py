"""A check with a timeout of a second, in a process that is stopped for three (SIGSTOP), as by the cgroup freezer."""

import os
import signal
import subprocess
import sys
import time

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
pid = spawn(["sleep", sys.argv[1]], dict(os.environ), reaper, ended.set)
def kill():
    signal_group(pid, signal.SIGKILL)
if sys.argv[2] == "allowing":
    timer = Timers(loop).start(1.0, kill)
else:
    timer = loop.timer(1.0)
    timer.start(kill, update=True)
print(pid, flush=True)
print(ended.get(), flush=True)
"""


def paused(sleeps_s: str, timer: str) -> str:
    """What becomes of the check, when it and the process that waits for it are stopped for three seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, sleeps_s, timer], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = (int(process.stdout.readline()), process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        eventually(lambda: [state(pid) for pid in pids] == ["T", "T"])
        until = time.monotonic() + 3
        eventually(lambda: time.monotonic() >= until)  # the pause itself
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        return process.stdout.readline().strip()


@pytest.mark.slow
def test_a_check_gets_the_time_of_a_pause_again() -> None:
    assert paused("1000", "allowing") == "137"  # it is killed all the same, later


@pytest.mark.slow
@pytest.mark.parametrize(("timer", "status"), [("allowing", "0"), ("plain", "137")])
def test_a_check_is_not_killed_for_a_pause(timer: str, status: str) -> None:
    """With the control: a timer of the loop's kills it, before it runs again."""
    assert paused("3.4", timer) == status
