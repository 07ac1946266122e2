"""A reload of everything: what the jobs of the old configuration were told, or said, is not for those of the new."""

import pytest
from building import CHECK, SERVICE, job, when
from simulation import Behaviour, World

from corepilot.jobs.audience import Audience
from corepilot.jobs.plan import plans
from corepilot.model.event import GLOBAL, Event
from corepilot.model.replicas import keyed

FOREVER = Behaviour(runs=((None, 0),))


class Anew(World):
    """A world whose jobs begin anew as soon as all have ended.

    Attributes:
        before: See `begin_anew`.
        heard: The events until then.
    """

    before: tuple[Event, ...] = ()
    heard: tuple[str, ...] = ()

    def begin_anew(self, *before: Event) -> None:
        """End everything and begin again.

        Args:
            before: Published at the last moment, when every job has ended.
        """
        self.before = before
        self.publish("shutdown")

    def all_ended(self) -> None:
        super().all_ended()
        self.heard = tuple(text for _, text in self.log if text.startswith("event "))
        for event in self.before:
            self.bus.publish(event)
        self.jobs.start(Audience(plans(self.config)))


@pytest.mark.parametrize("code", ["stopped", "exitFailed"])
@pytest.mark.parametrize("kind", ["once", "each"])
def test_what_an_old_job_says_at_its_end_starts_no_new_one(code: str, kind: str) -> None:
    world = Anew([job("app")], {"app": FOREVER}).run(1)
    world.config = keyed((job("app"), job("new", when=when(kind, code, "app"))))
    world.begin_anew()
    assert world.run(10).starts("new") == []
    assert len(world.starts("app")) == 2


def test_the_end_of_everything_is_told_when_all_that_was_said_has_been_heard() -> None:
    world = Anew([job("app"), job("last", stop_after=("app",))], {"app": FOREVER, "last": FOREVER}).run(1)
    world.begin_anew()
    world.run(1)
    assert world.heard[-1] == "event stopped last"
    assert "event stopped app" in world.heard


@pytest.mark.parametrize(
    "event", [Event("signal", "SIGHUP"), Event("changed", "watch.db"), Event("exitSuccess", "other")], ids=str
)
def test_what_was_published_before_the_start_is_not_for_those_that_start(event: Event) -> None:
    waits = when("signal", source="SIGHUP") if event.code == "signal" else when("each", event.code, event.subject)
    app = job("app", when=waits)
    world = Anew([app, job("other")], {"app": FOREVER, "other": FOREVER}).run(1)
    world.begin_anew(event)
    assert world.run(10).starts("app") == []
    world.publish(event.code, event.subject)
    assert len(world.run(1).starts("app")) == 1  # what comes later is


def test_maintenance_asked_for_before_the_start_is_over_with_it() -> None:
    world = Anew([job(service=SERVICE, health=CHECK)], {"app": FOREVER, "check.app": Behaviour(((0.01, 0),))}).run(3)
    world.publish("enterMaintenance")
    world.begin_anew(Event("enterMaintenance", GLOBAL))
    assert world.run(5).actor("app").state.health == "healthy"
    assert not world.jobs.maintenance
    world.publish("enterMaintenance")
    assert world.actor("app").state.health == "maintenance"
