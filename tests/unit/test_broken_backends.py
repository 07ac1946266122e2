"""Each backend that breaks one rule of its contract is caught by the test of the suites that names the rule."""

import pytest
from broken_backends import keys, locks, services

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import (
    BackendSuite,
    ExpirySuite,
    HangSuite,
    KeySuite,
    LockSuite,
    LossSuite,
    OutageSuite,
    context,
)
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

BROKEN = services.BROKEN | keys.BROKEN | locks.BROKEN


class Suites(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, HangSuite, ExpirySuite):
    """Every suite, on a catalog in memory."""

    capabilities = frozenset({"services", "register", "watch", "expiry", "keys", "locks"})
    kind: type[Backend] = MemoryBackend

    def setup_method(self) -> None:
        self.catalog = MemoryCatalog()
        super().setup_method()

    def client(self) -> Backend:
        return self.kind(self.catalog, context())

    def forget(self) -> None:
        self.catalog.forget()

    def stop(self) -> None:
        self.catalog.down = True

    def start(self) -> None:
        self.catalog.down = False

    def pause(self) -> None:
        self.catalog.pause()

    def resume(self) -> None:
        self.catalog.resume()


class Hurried(Suites):
    """What a broken backend does not do is not waited for as long."""

    deadline_s = 1.5
    ttl_s = 1
    lock_ttl_s = 1.0


def said(suites: Suites, kind: type[Backend], test: str) -> str:
    """What a test of the suites says of a backend; "" if it passes."""
    suites.kind = kind
    found = []
    suites.setup_method()
    for step in (getattr(suites, f"test_{test}"), suites.teardown_method):
        try:
            step()
        except Exception as error:  # noqa: BLE001  - as pytest does
            found.append(f"{type(error).__name__}: {error}")
    return found[0] if found else ""


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_it_is_caught_by_the_test_of_its_rule(kind: type[Backend]) -> None:
    test, words = BROKEN[kind]
    assert words in said(Hurried(), kind, test)


@pytest.mark.parametrize("test", sorted({test for test, _ in BROKEN.values()}))
def test_the_backend_that_breaks_none_passes(test: str) -> None:
    assert said(Suites(), MemoryBackend, test) == ""


def test_there_are_enough_of_them() -> None:
    assert len(services.BROKEN) >= 15
    assert len(keys.BROKEN) >= 15
    assert len(locks.BROKEN) >= 15
