"""The embedded catalog passes the public suite, with inotify and without."""

from pathlib import Path

import pytest

from corepilot.discovery.backend import Backend
from corepilot.discovery.embedded import client as module
from corepilot.discovery.embedded import plugin, stream
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.testing.backends import BackendSuite, ExpirySuite, KeySuite, LockSuite, LossSuite, OutageSuite, context


class TestEmbedded(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, ExpirySuite):
    capabilities = plugin.CAPABILITIES

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.path = tmp_path / "catalog"

    def client(self) -> Backend:
        return EmbeddedBackend(plugin.Options(path=str(self.path)), context())

    def forget(self) -> None:
        """Somebody removes every instance's file."""
        for file in self.path.glob("*/*"):
            file.unlink()

    def stop(self) -> None:
        """The directory is gone, and something else is in its place."""
        if self.path.exists():
            self.path.rename(self.path.with_name("away"))
        self.path.touch()

    def start(self) -> None:
        if self.path.is_file():
            self.path.unlink()


class TestEmbeddedWithoutInotify(TestEmbedded):
    @pytest.fixture(autouse=True)
    def _no_inotify(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(module, "Inotify", refuse)
        # That a look finds everything is tested, not how long it is until the next one.
        monkeypatch.setattr(stream, "POLL_S", 0.1)
