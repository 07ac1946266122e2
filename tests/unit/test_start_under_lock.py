"""What begins under a lock is not started when its time is over by the clock, whatever has been told by then."""

from types import SimpleNamespace
from typing import Any, cast

import gevent

from corepilot.jobs.actor import Actor
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.plan import Plan
from corepilot.jobs.run import Spawner
from corepilot.jobs.runner import Runner
from corepilot.jobs.state import Due, Happened, Holds, Outcome, Timer
from corepilot.jobs.supervision import Supervision
from corepilot.model.command import Command
from corepilot.model.event import GLOBAL, Event
from corepilot.model.job import UNLIMITED, Check, Dependency, Job, JobKey, RestartPolicy

JOB = Job("app", Command(("/no/such/program",)), lock="primary", restarts=RestartPolicy(UNLIMITED))
HEALTHY = Dependency("db", "healthy")


class Heard:
    """A log."""

    debugging = False

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def __call__(self, _level: str, message: str, _fields: object = None) -> None:
        self.lines.append(message)


def supervision(lines: list[str], published: list[str]) -> Supervision:
    """What is around a runner: a log, a bus, and a lock whose time is over."""
    log = cast("Any", Heard(lines))
    reaper = cast("Any", SimpleNamespace(is_ours=lambda _pid: False))
    spawner = Spawner(gevent.get_hub().loop, reaper, log, ChildEnvironment({}, 1))
    around = Supervision(spawner, cast("Any", None), lambda event: published.append(event.code), lambda _seconds: None)
    around.locks = cast("Any", SimpleNamespace(tell=lambda _job: None, usable=lambda _name: False))
    return around


def test_nothing_is_started_and_the_loss_ends_the_trying() -> None:
    lines: list[str] = []
    ended: list[Outcome] = []
    published: list[str] = []
    around = supervision(lines, published)

    def note(_actor: Actor, outcome: Outcome) -> None:
        ended.append(outcome)

    around.ended = note
    runner = Runner(Plan(JOB, JobKey("app")), around)
    runner.begin()
    runner.handle(Happened(Event("startup", GLOBAL)))
    runner.handle(Happened(Event("acquired", "lock.primary")))
    gevent.sleep(0)
    assert (runner.state.phase, runner.starts, runner.groups) == ("backoff", 0, [])
    assert runner.account.trouble == "not started: the time of the lock primary is over"
    assert "not started: the time of the lock primary is over" in lines
    runner.handle(Happened(Event("lost", "lock.primary")))
    gevent.sleep(0)
    assert ended == ["again"]
    assert not {"started", "exitFailed"} & set(published)
    runner.discard()


def test_a_check_of_a_job_that_stands_by_between_two_runs_is_not_logged_each_time() -> None:
    """The job has said what it waits for."""
    lines: list[str] = []
    check = Check(interval_s=1, ttl_s=5, command=Command(("/no/such/check",)))
    job = JOB.changed(depends_on=(HEALTHY,), checks=(check,))
    runner = Runner(Plan(job, JobKey("app")), supervision(lines, []))
    runner.begin()
    for stimulus in (Happened(Event("startup", GLOBAL)), Holds(HEALTHY, holds=True)):
        runner.handle(stimulus)
    runner.handle(Happened(Event("acquired", "lock.primary")))
    gevent.sleep(0)
    phases = [runner.state.phase]
    runner.handle(Holds(HEALTHY, holds=False))
    runner.handle(Due(Timer("restart")))
    phases.append(runner.state.phase)
    assert phases == ["backoff", "standby"]
    before = len(lines)
    runner.handle(Due(Timer("check", 0)))
    gevent.sleep(0)
    assert lines[before:] == []
    runner.discard()
