"""Another process's registrations in an embedded catalog, for tests that watch it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.plugin import Options
from corepilot.model.service import Registration


@contextmanager
def catalog(directory: Path) -> Iterator[EmbeddedBackend]:
    backend = EmbeddedBackend(Options(path=str(directory / "catalog")), BackendContext(lambda *_: None))
    try:
        yield backend
    finally:
        backend.close()


def register(backend: EmbeddedBackend, port: int) -> None:
    backend.register(Registration(f"app-{port}", "app", "192.0.2.1", port, ttl_s=600), "passing", "")
