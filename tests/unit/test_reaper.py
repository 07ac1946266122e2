"""Collecting children when somebody else in the process does so too."""

import os
import signal
from collections.abc import Iterator

import gevent
import pytest
from http_script import eventually_switching

from corepilot.system.process import LOST, Reaper, spawn

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    made = Reaper(gevent.get_hub().loop)
    yield made
    made.catch_again()
    made.close()


def test_a_child_that_somebody_else_has_collected_is_found(reaper: Reaper) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the loop does not hear of it
    pid = spawn(["true"], ENVIRONMENT, reaper, ended.append)
    running = spawn(["sleep", "1000"], ENVIRONMENT, reaper, ended.append)
    os.waitpid(pid, 0)
    assert reaper.find_lost() == 0  # the loop may have collected it, and tell it in its next turn
    assert reaper.find_lost() == 1
    assert ended == [LOST]
    assert reaper.alive == {running}
    reaper.catch_again()
    os.kill(running, signal.SIGKILL)
    eventually_switching(lambda: ended == [LOST, 128 + signal.SIGKILL])
