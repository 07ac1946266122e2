"""The conformance suite of observers: what every observer must do, as tests to inherit.

    from corepilot.testing.observers import ObserverSuite, context
    from corepilot_diary.observer import DiaryObserver
    from corepilot_diary.plugin import Options

    class TestDiary(ObserverSuite):
        def observer(self):                # a new observer, as corepilot would make it
            return DiaryObserver(Options(), context())

The rules are those of `corepilot.observers.observer` and, for what an instance does to the process, of
`corepilot.testing.conduct`. The suite needs no import of pytest and skips nothing; its failures name the rule.
"""

import time
from typing import Any

import gevent

from corepilot.model.event import Event
from corepilot.model.fact import EventSeen, Fact, Reloaded, RunEnded, RunStarted
from corepilot.observers.observer import Observer, ObserverContext
from corepilot.testing.conduct import Conduct
from corepilot.testing.ugly import TEXTS

__all__ = ["ObserverSuite", "context", "facts"]


def context() -> ObserverContext:
    """A context for an observer under test. What it logs is dropped."""
    return ObserverContext(log=lambda *_: None, environment={}, version="0")


def facts(job: str = "web") -> tuple[Fact, ...]:
    """A short life of a job, in order, with each sort of fact."""
    now = time.time()
    return (
        EventSeen(now, Event("startup", "global")),
        RunStarted(now, job, 4711, 1),
        EventSeen(now, Event("healthy", job)),
        RunEnded(now, job, 4711, 1, 137, "killed by SIGKILL", 0.25),
        EventSeen(now, Event("exitFailed", job)),
        RunEnded(now, job, 0, 2, 127, "cannot be started: no such program", 0.0),
        Reloaded(now, "refused", "cannot use the configuration: 3 errors"),
        Reloaded(now, "applied", ""),
    )


class ObserverSuite(Conduct):
    """What every observer must do. A subclass supplies `observer`."""

    contract = Observer
    close_s = 1.0
    closes_twice = False

    def observer(self) -> Observer:
        """A new observer. The suite closes it."""
        raise NotImplementedError("a suite needs observer(): see corepilot.testing.observers")

    def new(self) -> Observer:
        """See `Conduct.new`."""
        return self.observer()

    def use(self, plugin: Any) -> None:
        """See `Conduct.use`."""
        with gevent.Timeout(self.deadline_s):
            for fact in facts():
                plugin.observe(fact)
            plugin.dropped(3)

    def test_every_fact_is_taken(self) -> None:
        """`observe` takes each sort of fact and returns nothing."""
        observer = self.kept()
        for fact in facts():
            with gevent.Timeout(self.deadline_s):
                answer = observer.observe(fact)
            assert answer is None, f"observe must return nothing, but returned {answer!r}"  # noqa: S101  - a test

    def test_names_of_all_sorts_are_taken(self) -> None:
        """A job's name and a reason may hold any text."""
        observer = self.kept()
        for text in TEXTS:
            with gevent.Timeout(self.deadline_s):
                observer.observe(EventSeen(time.time(), Event("exitSuccess", text)))
                observer.observe(RunEnded(time.time(), text, 1, 1, 0, text, 1e9))
                observer.observe(Reloaded(time.time(), "refused", text))

    def test_a_loss_is_taken(self) -> None:
        """`dropped` may come first, last, and with any number."""
        observer = self.kept()
        for count in (1, 10_000, 10**12):
            observer.dropped(count)
        observer.observe(facts()[0])

    def test_a_burst_is_taken(self) -> None:
        """A thousand facts at once."""
        observer = self.kept()
        with gevent.Timeout(self.deadline_s):
            for number in range(1000):
                observer.observe(RunStarted(time.time(), f"job-{number % 7}", number + 1, number))

    def test_an_unused_observer_can_be_closed(self) -> None:
        """`close` before the first fact."""
        self.made().close()
