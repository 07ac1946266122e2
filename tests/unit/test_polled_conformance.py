"""A backend that cannot watch, and one that cannot register either, pass the suites that are for them."""

import pytest

from corepilot.discovery.backend import Backend
from corepilot.model.service import Query, Registration, Snapshot
from corepilot.testing.backends import BackendSuite, HangSuite, KeySuite, LookupSuite, OutageSuite, context
from corepilot.testing.lookup_rules import Place
from corepilot.testing.memory import MemoryBackend, MemoryCatalog


class Polled(MemoryBackend):
    def instances(self, query: Query) -> Snapshot:
        return next(super().watch(query))

    def watch(self, query: Query) -> Snapshot:  # type: ignore[override]  # nobody may call it
        raise NotImplementedError


class TestPolled(BackendSuite, KeySuite, OutageSuite, HangSuite):
    capabilities = frozenset({"services", "register", "keys"})

    @pytest.fixture(autouse=True)
    def _catalog(self) -> None:
        self.catalog = MemoryCatalog()

    def client(self) -> Backend:
        return Polled(self.catalog, context())

    def stop(self) -> None:
        self.catalog.down = True

    def start(self) -> None:
        self.catalog.down = False

    def pause(self) -> None:
        self.catalog.pause()

    def resume(self) -> None:
        self.catalog.resume()


class ReadOnly(Polled):
    def register(self, *_: object, **__: object) -> None:
        raise NotImplementedError

    report = deregister = register


class TestReadOnly(LookupSuite):
    @pytest.fixture(autouse=True)
    def _catalog(self) -> None:
        self.catalog = MemoryCatalog()

    def client(self) -> Backend:
        return ReadOnly(self.catalog, context())

    def publish(self, *places: Place) -> None:
        self.catalog.forget()
        for address, port in places:
            registration = Registration(f"{self.service}-{address}", self.service, address, port)
            self.catalog.put(registration, "passing", 60.0)
