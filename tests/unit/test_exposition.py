"""The telemetry endpoint from one configuration to the next, with sinks that fail: nothing of them is left."""

import socket
from collections.abc import Iterator
from errno import EMFILE
from pathlib import Path
from typing import Any

import gevent
import pytest
from foreign import unwatched
from http_script import eventually_switching

from corepilot.errors import ConfigError, PluginError
from corepilot.model.configuration import Logging, Telemetry
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.output.log import Log
from corepilot.plugin.manager import Loaded, Plugins
from corepilot.supervisor.exposition import Exposition, PreparedTelemetry
from corepilot.telemetry.metrics import Metrics
from corepilot.telemetry.sink import Sink, SinkContext


def reference(name: str) -> PluginReference:
    return PluginReference(name, "module", "", "distribution", "1")


class World(Plugins):
    """Sinks of any name, which are told what to raise.

    Attributes:
        failures: What a sink raises, by its name and what is done with it: "make", "start" or "close".
        done: What was done with which sink.
        port: Of the last section.
    """

    def __init__(self, log: Log, path: Path) -> None:
        super().__init__()
        self.log, self._path = log, path
        self.port = 0
        self.failures: dict[tuple[str, str], BaseException] = {}
        self.done: list[str] = []
        self.facts = Facts(wanted=False)
        self.exposition = Exposition(log, Metrics(), dict, self.facts, {}, probe=lambda *_: None)
        self.oversight = unwatched(log)

    def load(self, config: PluginReference, kind: str = "backend") -> Loaded:
        world = self

        class Told(Sink):
            address = "here"

            def __init__(self, options: Any, context: SinkContext) -> None:
                super().__init__(options, context)
                self.do("make")

            def start(self) -> None:
                self.do("start")

            def close(self) -> None:
                self.do("close")

            def do(self, what: str) -> None:
                world.done.append(f"{what} {config.name}")
                if (config.name, what) in world.failures:
                    raise world.failures[config.name, what]

        return Loaded(config.name, kind, Told, None, frozenset(), __name__, "distribution 1")

    def prepare(self, *names: str) -> PreparedTelemetry:
        prepared = self.exposition.prepare(self.section(*names), self, self.oversight, "telemetry")
        assert prepared is not None
        return prepared

    def section(self, *names: str) -> Telemetry:
        self.port = free_port()
        listen = (("127.0.0.1", self.port),)
        return Telemetry(self.port, "127.0.0.1", sinks=tuple(map(reference, names)), listen=listen)

    def logged(self) -> str:
        assert self.log.close(20)
        return self._path.read_text()

    def listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The world; at its end nothing is left open (see conftest.py)."""
    log = Log(Logging(output=str(tmp_path / "log")))
    made = World(log, tmp_path / "log")
    yield made
    made.oversight.stop()
    log.close(20)


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (ValueError("canary"), PluginError),
        (OSError(EMFILE, "Too many open files"), PluginError),
        (SystemExit(0), PluginError),
        (PluginError("cannot"), PluginError),
        (KeyboardInterrupt(), PluginError),
        (gevent.GreenletExit(), PluginError),
    ],
    ids=lambda one: getattr(one, "__name__", repr(one)),
)
def test_a_sink_that_cannot_be_made_takes_the_others_and_the_listener_with_it(
    world: World, failure: BaseException, raised: type[BaseException]
) -> None:
    world.failures["third", "make"] = failure
    with pytest.raises(raised, match="third"):
        world.prepare("first", "second", "third", "fourth")
    assert world.done == ["make first", "make second", "make third", "close first", "close second"]
    assert not world.listens()


def test_an_address_that_is_taken_makes_no_sink(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        section = Telemetry(port, "127.0.0.1", sinks=(reference("first"),), listen=(("127.0.0.1", port),))
        with pytest.raises(ConfigError, match="cannot use here: cannot listen at "):
            world.exposition.prepare(section, world, world.oversight, "here")
    assert world.done == []


def test_what_was_prepared_and_is_not_wanted_is_closed(world: World) -> None:
    prepared = world.prepare("first", "second")
    assert world.listens()
    world.failures["first", "close"] = ValueError("closing")
    world.exposition.discard(prepared)
    assert world.done[2:] == ["close first", "close second"]
    assert not world.listens()
    assert "ValueError: closing" in world.logged()


@pytest.mark.parametrize("what", ["make", "start"])
@pytest.mark.parametrize("failure", [ValueError("wrong"), OSError(EMFILE, "Too many open files")], ids=repr)
def test_at_the_start_a_sink_that_fails_is_logged_and_the_others_run(
    world: World, what: str, failure: Exception
) -> None:
    world.failures["first", what] = failure
    world.exposition.listen(world.section("first", "second"), lambda: False)
    world.exposition.start(world, world.oversight)
    assert "start second" in world.done
    assert world.listens()
    world.exposition.close()
    assert not world.listens()
    assert "; no telemetry goes there" in world.logged()


def test_an_old_sink_that_fails_at_its_end_does_not_keep_the_new_one_from_starting(world: World) -> None:
    world.exposition.commit(world.prepare("old"))
    world.failures["old", "close"] = ValueError("closing")
    world.exposition.commit(world.prepare("new"))
    assert "start new" in world.done
    eventually_switching(lambda: "close old" in world.done)
    assert world.listens()
    world.exposition.close()
    assert "ValueError: closing" in world.logged()
