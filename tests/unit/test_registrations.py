"""Instances that move from one catalog to another: in both for a moment, never in none."""

from collections.abc import Iterator

import gevent
import pytest

from corepilot.discovery import registrations as module
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.registrations import Registrations
from corepilot.model.service import Registration
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

WEB = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=3600)


class Place:
    """A catalog and its registrar."""

    def __init__(self) -> None:
        self.catalog = MemoryCatalog()
        self.backend = MemoryBackend(self.catalog, context())
        self.registrar = Registrar(self.backend, log=lambda _level, _message: None)

    @property
    def has(self) -> bool:
        return "web-a" in self.catalog.entries


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    one, two = Place(), Place()
    yield one, two
    for place in (one, two):
        place.registrar.close()
    gevent.sleep(0)


def until(condition: object) -> None:
    assert callable(condition)
    with gevent.Timeout(30, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def test_a_catalog_that_goes_is_left_when_the_new_one_has_everything(places: tuple[Place, Place]) -> None:
    one, two = places
    registrations = Registrations()
    registrations.use({"one": one.registrar}, {})
    registrations.advertise(WEB, "passing")
    until(lambda: one.has)
    with two.catalog.hanging():
        registrations.use({"two": two.registrar}, {})
        leaving = gevent.spawn(registrations.clear, one.registrar, ("web-a",))
        until(lambda: two.catalog.calls)
        registrations.report("web-a", "warning")
        until(lambda: one.catalog.entries["web-a"].status == "warning")  # it is told, as long as it is in use
        assert not leaving.ready()
    leaving.get(timeout=30)
    assert two.has
    until(lambda: not one.has)


def test_a_catalog_that_goes_is_not_waited_for_for_ever(
    places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDOVER_S", 0.05)
    one, two = places
    two.catalog.down = True
    registrations = Registrations()
    registrations.use({"one": one.registrar}, {})
    registrations.advertise(WEB, "passing")
    until(lambda: one.has)
    registrations.use({"two": two.registrar}, {})
    registrations.clear(one.registrar, ("web-a",))
    until(lambda: not one.has)


def test_a_job_that_ends_meanwhile_leaves_both_at_once(places: tuple[Place, Place]) -> None:
    one, two = places
    two.catalog.down = True
    registrations = Registrations()
    registrations.use({"one": one.registrar}, {})
    registrations.advertise(WEB, "passing")
    until(lambda: one.has)
    registrations.use({"two": two.registrar}, {})
    leaving = gevent.spawn(registrations.clear, one.registrar, ("web-a",))
    gevent.sleep(0)
    registrations.withdraw(WEB)
    until(lambda: not one.has)
    leaving.get(timeout=30)


def test_a_job_that_names_another_catalog_is_registered_there_first(places: tuple[Place, Place]) -> None:
    one, two = places
    registrations = Registrations()
    registrations.use({"one": one.registrar, "two": two.registrar}, {})
    registrations.advertise(WEB.changed(catalogs=("one",)), "passing")
    until(lambda: one.has)
    with two.catalog.hanging():
        registrations.advertise(WEB.changed(catalogs=("two",)), "passing")
        until(lambda: two.catalog.calls)
        assert one.has
        assert not [call for call in one.catalog.calls if call.method == "deregister"]
    until(lambda: two.has and not one.has)


def test_a_catalog_that_is_called_something_else_is_told_nothing_anew(places: tuple[Place, Place]) -> None:
    one, two = places
    registrations = Registrations()
    registrations.use({"one": one.registrar}, {})
    registrations.advertise(WEB.changed(catalogs=("one",)), "passing")
    until(lambda: one.has)
    calls = len(one.catalog.calls)
    registrations.use({"old": one.registrar, "one": two.registrar}, {"one": "old"})
    gevent.sleep(0.01)
    assert (len(one.catalog.calls), len(two.catalog.calls)) == (calls, 0)
    registrations.withdraw(WEB.changed(catalogs=("one",)))
    until(lambda: not one.has)
