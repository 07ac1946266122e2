"""A stop, or a shortage, in the middle of a reload of everything: nothing begins, and what was prepared is let go of.

The log, the control socket and the telemetry listener are real; jobs, plugins, the loader and the stop are not.
"""

import os
import socket
from collections.abc import Callable, Iterator
from errno import EMFILE
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from foreign import unwatched

from corepilot.config.loading.exchange import LoadResult
from corepilot.control.paths import bind_control_socket
from corepilot.errors import ControlError
from corepilot.model.configuration import Configuration, Control, Logging, Telemetry
from corepilot.model.plugin import PluginReference
from corepilot.observers.facts import Facts
from corepilot.output.log import Log
from corepilot.plugin.manager import Loaded
from corepilot.supervisor.checks import Checks
from corepilot.supervisor.discovery import Discovery
from corepilot.supervisor.exposition import Exposition
from corepilot.supervisor.job_sockets import JobSockets
from corepilot.supervisor.observers import Observers
from corepilot.supervisor.reloader import Reloader
from corepilot.telemetry.metrics import Metrics

DEADLINE_S = 20.0
PLUGIN = PluginReference("made", "module", "", "distribution", "1")
STOPPING = r"cannot reload: corepilot is stopping \(SIGTERM\)"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class World:
    """A supervisor's parts.

    Attributes:
        happens: What happens at a place of a reload: "preparing" (all but the last), "jobs end" or "orphans end".
        held: What plugins have made and is not closed.
        started: How often jobs were started.
        reached: Where the reload has been.
    """

    def __init__(self, directory: Path) -> None:
        self.happens: dict[str, Callable[[], object]] = {}
        self.held: list[object] = []
        self.started = 0
        self.reached: list[str] = []
        self.port = free_port()
        self.new_socket, self.new_log = directory / "new.socket", directory / "new.log"
        self.configuration = Configuration(logging=Logging(output=str(directory / "old.log")))
        self.new = Configuration(
            control=Control(str(self.new_socket)),
            logging=Logging(output=str(self.new_log)),
            telemetry=Telemetry(self.port, "127.0.0.1", sinks=(PLUGIN,), listen=(("127.0.0.1", self.port),)),
            catalogs=(("default", PLUGIN),),
        )
        self.log = Log(self.configuration.logging)
        self.sockets = JobSockets()
        self.control = SimpleNamespace(bind=lambda control: bind_control_socket(control.socket, {}))
        self.metrics = Metrics()
        facts = self.facts = Facts(wanted=False)
        self.exposition = Exposition(self.log, self.metrics, dict, facts, {}, probe=lambda *_: None)
        self.observers = Observers(self.log, facts, {})
        self.checks = Checks(self.log, dict)
        self.oversight = unwatched(self.log)
        self.discovery = Discovery(self.log, lambda _event: None, {}, self.metrics, lambda _call, _result: None)
        self.arguments = SimpleNamespace(request=lambda *_: None)
        self.environment = SimpleNamespace(current=dict, in_templates=dict)
        self.reaper = None
        self.reserve = SimpleNamespace(release=lambda: None, refill=lambda: None)
        self.jobs = SimpleNamespace(stop=self.end_jobs, start=self.start)
        self.shutdown = SimpleNamespace(ending="", begun=False, end_orphans=lambda: self.reach("orphans end"))
        parts: Any = self  # what it needs of them
        self.told: list[str] = []
        self.reloader = Reloader(parts, lambda: self, lambda result, _detail: self.told.append(result))

    def reach(self, place: str) -> None:
        self.reached.append(place)
        self.happens.get(place, lambda: None)()

    def stop(self) -> None:
        self.shutdown.ending, self.shutdown.begun = "SIGTERM", True
        self.reloader.stop()

    def end_jobs(self) -> None:
        self.reach("jobs end")
        self.reloader.all_ended()

    def start(self, _audience: object) -> None:
        self.started += 1

    def load(self, config: PluginReference, kind: str = "backend") -> Loaded:
        world = self

        class Made:
            address = "here"

            def __init__(self, *_: object) -> None:
                if world.held:
                    world.reach("preparing")
                world.held.append(self)

            def close(self) -> None:
                world.held.remove(self)

        return Loaded(config.name, kind, Made, None, frozenset(), __name__, "distribution 1")

    def assert_nothing_is_left(self) -> None:
        assert self.started == 0
        assert self.held == []
        assert not self.new_socket.exists()
        assert self.new_log.read_text() == ""
        assert self.configuration is not self.new
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", self.port)) != 0
        assert self.log.close(DEADLINE_S)
        open_files = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)}
        assert str(self.new_log) not in open_files


def _is_open(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world; it leaves no descriptor and no thread behind (see conftest.py)."""
    made = World(tmp_path)
    monkeypatch.setattr("corepilot.supervisor.reloader.load", lambda *_: LoadResult(made.new, []))
    yield made
    made.oversight.stop()
    made.log.close(DEADLINE_S)


def in_time(wait: Callable[[], Any]) -> Any:
    with gevent.Timeout(DEADLINE_S, AssertionError("it does not end")):
        return wait()


@pytest.mark.parametrize("place", ["preparing", "jobs end", "orphans end"])
def test_a_stop_ends_a_reload_of_everything_wherever_it_is(world: World, place: str) -> None:
    world.happens[place] = world.stop
    reload = world.reloader.ask("everything")
    with pytest.raises(ControlError, match=STOPPING):
        in_time(reload.await_done)
    assert world.reached[-1] == place
    world.assert_nothing_is_left()


def test_a_shortage_after_the_jobs_have_ended_leaves_nothing_either(world: World) -> None:
    def fail() -> None:
        raise OSError(EMFILE, "Too many open files")

    world.happens["orphans end"] = fail
    reload = world.reloader.ask("everything")
    with pytest.raises(ControlError, match="cannot reload now: Too many open files"):
        in_time(reload.await_done)
    world.assert_nothing_is_left()
    assert world.told == ["refused"]


@pytest.mark.parametrize("place", ["preparing", "orphans end"])
def test_the_end_does_not_wait_for_a_reload_and_answers_those_that_wait(world: World, place: str) -> None:
    reached = gevent.event.Event()

    def stand_still() -> None:
        reached.set()
        gevent.sleep(1000)

    world.happens[place] = stand_still
    reload = world.reloader.ask("everything")
    assert in_time(reached.wait)
    waiting = world.reloader.ask("changed")
    world.stop()
    in_time(world.reloader.end)
    for one in (reload, waiting):
        with pytest.raises(ControlError, match=STOPPING):
            in_time(one.await_done)
    world.assert_nothing_is_left()


def test_the_end_answers_a_reload_that_has_not_begun(world: World) -> None:
    reload = world.reloader.ask("everything")
    world.stop()
    in_time(world.reloader.end)
    with pytest.raises(ControlError, match=STOPPING):
        in_time(reload.await_done)
