"""Lines of output that show that a run is ready: how they are looked for in much output."""

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from eventually import eventually

from corepilot.jobs.announced import READY, announced
from corepilot.jobs.shown import Shown
from corepilot.jobs.state import Notified
from corepilot.model.job import Ready

SLOW = "(a|aa|a*)*[bc] ready"


def looking(pattern: str, told: list[Notified]) -> tuple[Shown, list[Any]]:
    pipes = [SimpleNamespace(seen=None, behind=False) for _ in range(2)]
    shown = announced(Ready(log=pattern), gevent.get_hub().loop, told.append, pytest.fail)
    shown.begin(1, pipes)  # type: ignore[arg-type]  # as far as it is looked at
    return shown, pipes


def until_told(told: list[Notified]) -> None:
    def is_told() -> bool:
        gevent.sleep(0.01)
        return bool(told)

    eventually(is_told)


def test_much_work_is_done_in_slices_and_the_job_waits_meanwhile() -> None:
    told: list[Notified] = []
    shown, pipes = looking(SLOW, told)
    pipes[0].seen([b"a" * 900 + b" ready"] * 20)
    pipes[1].seen([b"no", b"b ready", b"c ready"])
    assert [pipe.behind for pipe in pipes] == [True, True]
    assert told == []
    until_told(told)
    assert told == [READY]
    assert [(pipe.seen, pipe.behind) for pipe in pipes] == [(None, False)] * 2
    shown.close()


def test_what_is_not_done_when_the_run_ends_is_left() -> None:
    told: list[Notified] = []
    shown, pipes = looking(SLOW, told)
    pipes[0].seen([b"a" * 900 + b" ready"] * 20 + [b"b ready"])
    assert pipes[0].behind
    shown.close()
    gevent.idle()
    assert (told, pipes[0].behind) == ([], False)


def test_other_lines_do_not_hide_it() -> None:
    told: list[Notified] = []
    _, pipes = looking("(?i)server .*(ready|listening)", told)
    pipes[0].seen([b"12:00 [INFO] request 1 from 192.0.2.1"] * 100 + [b"SERVER is Ready"])
    until_told(told)
    assert (told, pipes[0].behind) == ([READY], False)
