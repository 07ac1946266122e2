"""The stand-in that other tests trust passes the suite that real backends pass."""

import pytest

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


class TestMemory(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, HangSuite, ExpirySuite):
    capabilities = frozenset({"services", "register", "watch", "expiry", "keys", "locks"})

    @pytest.fixture(autouse=True)
    def _catalog(self) -> None:
        self.catalog = MemoryCatalog()

    def client(self) -> Backend:
        return MemoryBackend(self.catalog, context())

    def forget(self) -> None:
        self.catalog.forget()

    def take_away(self, name: str) -> None:
        self.catalog.store.let_go(name)

    def stop(self) -> None:
        self.catalog.down = True

    def start(self) -> None:
        self.catalog.down = False

    def pause(self) -> None:
        self.catalog.pause()

    def resume(self) -> None:
        self.catalog.resume()
