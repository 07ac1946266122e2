"""A backend whose client blocks, in native threads: calls, streams, what never returns, and the end."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from corepilot.discovery import native_calls
from corepilot.discovery.backend import Backend, BackendContext
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.discovery.making import made
from corepilot.discovery.native_calls import STUCK_MAX, THREADS, ThreadsStuckError
from corepilot.discovery.threaded import ThreadedBackend, _ThreadedKeys, _ThreadedLocks
from corepilot.errors import BackendRefusedError, BackendUnavailableError
from corepilot.model.service import Instance, Query, Registration, Snapshot
from corepilot.plugin.oversight import _foreign_threads

QUERY = Query("app")
REGISTRATION = Registration("app-1", "app", "10.0.0.1", 80)


class Blocking(Backend):
    """A client that blocks its thread until it is told to go on."""

    blocking = True

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        self.gate = threading.Event()
        self.news = threading.Condition()
        self.snapshot: Snapshot = ()
        self.idents: set[int] = set()
        self.masks: set[int] = set()
        self.calls = self.streams = 0
        self.closed = False

    @property
    def address(self) -> str:
        return "somewhere"

    def register(self, *_: Any, **__: Any) -> None:
        self._enter()
        assert self.gate.wait(20)

    def report(self, instance_id: str, *_: Any, **__: Any) -> None:
        self._enter()
        raise BackendRefusedError(f"cannot report on {instance_id}: no")

    def deregister(self, instance_id: str) -> None:
        self._enter()
        self.context.log("info", f"{instance_id} is gone")

    def watch(self, *_: Any, **__: Any) -> Iterator[Snapshot]:
        self._enter()
        self.streams += 1
        try:
            while not self.closed:
                yield self.snapshot
                with self.news:
                    self.news.wait(0.05)
        finally:
            self.streams -= 1

    def put(self, *instances: Instance) -> None:
        with self.news:
            self.snapshot = instances
            self.news.notify_all()

    def close(self) -> None:
        self.closed = True
        self.gate.set()

    def _enter(self) -> None:
        self.calls += 1
        self.idents.add(threading.get_ident())
        self.masks |= signal.pthread_sigmask(signal.SIG_BLOCK, ())
        threading.current_thread()  # makes a dummy, as many clients do


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    with gevent.Timeout(60):
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given up counts at once."""
    monkeypatch.setattr(native_calls, "GRACE_S", 0.0)


@pytest.fixture
def backend(lines: list[tuple[str, str]]) -> Iterator[tuple[ThreadedBackend, Blocking]]:
    context = BackendContext(lambda level, message: lines.append((level, message)))
    outer = made(Blocking, None, context)
    assert isinstance(outer, ThreadedBackend)
    inner = outer._backend
    assert isinstance(inner, Blocking)
    yield outer, inner
    outer.close()
    eventually(lambda: inner.closed, message="the plugin's close has run")


@pytest.mark.parametrize(
    ("contract", "threaded"), [(Backend, ThreadedBackend), (Keys, _ThreadedKeys), (Locks, _ThreadedLocks)]
)
def test_nothing_of_a_contract_is_left_out(contract: type[Any], threaded: type[Any]) -> None:
    public = {name for name, value in vars(contract).items() if not name.startswith("_") and name != "missing"}
    given = {name for name in public if callable(getattr(contract, name)) or isinstance(vars(contract)[name], property)}
    assert given - set(vars(threaded)) == set()


def eventually(condition: Callable[[], object], *, message: str) -> None:
    """Wait until something holds, while the hub turns."""
    with gevent.Timeout(20, AssertionError(f"after 20 s this does not hold: {message}")):
        while not condition():
            gevent.sleep(0.005)


def instance(port: int) -> Instance:
    return Instance("app-1", "app", "10.0.0.1", port, "passing")


def registering(outer: Backend) -> Callable[[], BackendUnavailableError | None]:
    """Registers; a client that was closed is an answer."""

    def register() -> BackendUnavailableError | None:
        try:
            outer.register(REGISTRATION, "passing", "")
        except BackendUnavailableError as error:
            return error
        return None

    return register


def given_up(outer: Backend, inner: Blocking) -> Registration:
    """Make one call that blocks, about another instance each time, and give it up once it has begun."""
    calls = inner.calls
    registration = REGISTRATION.changed(id=f"app-{calls}")
    greenlet = gevent.spawn(outer.register, registration, "passing", "")
    eventually(lambda: inner.calls > calls, message="the call has begun")
    greenlet.kill()
    return registration


def test_the_hub_turns_while_a_call_blocks(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    greenlets = [gevent.spawn(registering(outer)) for _ in range(2 * THREADS)]
    eventually(lambda: inner.calls == THREADS, message="as many calls as there are threads")
    inner.gate.set()
    gevent.joinall(greenlets, timeout=20, raise_error=True)
    assert all(one.dead for one in greenlets)
    assert inner.calls == 2 * THREADS
    assert len(inner.idents) <= THREADS
    assert threading.get_ident() not in inner.idents


def test_signals_are_blocked_in_the_threads(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    outer.deregister("app-1")
    assert {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGINT} <= inner.masks
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_our_own_threads_are_nobodys_mischief(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    before = _foreign_threads()
    outer.deregister("app-1")
    assert inner.idents & {one.ident for one in threading.enumerate()}
    assert _foreign_threads() == before


def test_an_error_comes_out_as_it_was_raised(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, _inner = backend
    with pytest.raises(BackendRefusedError, match="cannot report on app-1"):
        outer.report("app-1", "passing", "", 10.0)


def test_the_log_is_written_by_the_hub(backend: tuple[ThreadedBackend, Blocking], lines: list[tuple[str, str]]) -> None:
    outer, _inner = backend
    outer.deregister("app-1")
    eventually(lambda: lines == [("info", "app-1 is gone")], message="the line of the call")


def test_a_stream_shows_what_is_newest(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    stream = outer.watch(QUERY)
    assert next(stream) == ()
    for port in range(1, 200):
        inner.put(instance(port))
    seen: list[Snapshot] = []
    with gevent.Timeout(20):
        while not seen or seen[-1] != (instance(199),):
            seen.append(next(stream))
    ports = [snapshot[0].port for snapshot in seen]
    assert ports == sorted(set(ports))
    stream.close()  # type: ignore[attr-defined]  # a generator
    eventually(lambda: not inner.streams, message="the generator was closed in its thread")
    eventually(lambda: outer.mode == "native threads", message="nothing is stuck")


def test_a_list_that_the_plugin_changes_in_place_is_news(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    inner.snapshot = told = []  # type: ignore[assignment]  # what plugins do
    stream = outer.watch(QUERY)
    assert next(stream) == ()
    told.append(instance(1))
    with gevent.Timeout(20):
        assert next(stream) == (instance(1),)


def test_what_was_given_up_is_not_carried_out_behind_a_later_call(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    late = given_up(outer, inner)
    done: list[str] = []

    def deregister(instance_id: str) -> None:
        outer.deregister(instance_id)
        done.append(instance_id)

    later = [gevent.spawn(deregister, one) for one in (late.id, "another")]
    eventually(lambda: done == ["another"], message="what is about something else does not wait")
    assert inner.calls == 2
    inner.gate.set()
    gevent.joinall(later, timeout=20, raise_error=True)
    assert done == ["another", late.id]
    assert outer.mode == "native threads"


def test_what_waits_for_a_call_that_was_given_up_ends_with_the_client(
    backend: tuple[ThreadedBackend, Blocking],
) -> None:
    outer, inner = backend
    late = given_up(outer, inner)
    waiting = gevent.spawn(outer.deregister, late.id)
    gevent.idle()
    outer.close()
    with pytest.raises(BackendUnavailableError, match="its client was closed"):
        waiting.get(timeout=20)


def test_a_stream_ends_with_its_client(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    stream = outer.watch(QUERY)
    assert next(stream) == ()
    closing = gevent.spawn(outer.close)
    with pytest.raises(BackendUnavailableError, match="the client was closed"):
        next(stream)
    closing.join()
    eventually(lambda: not inner.streams, message="the generator was closed in its thread")


def test_many_streams_that_are_closed_at_once_are_not_stuck(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, _inner = backend
    streams = [outer.watch(QUERY) for _ in range(2 * STUCK_MAX)]
    for stream in streams:
        next(stream)
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]  # a generator
    assert next(outer.watch(QUERY)) == ()


def test_a_call_that_was_given_up_leaves_its_place_to_others(
    impatient: None, backend: tuple[ThreadedBackend, Blocking], lines: list[tuple[str, str]]
) -> None:
    outer, inner = backend
    for number in range(1, STUCK_MAX):
        given_up(outer, inner)
        assert outer.mode == f"native threads, {number} stuck"
        outer.deregister("another")
    assert any(level == "warning" and "1 call has not returned" in message for level, message in lines)
    inner.gate.set()
    eventually(lambda: outer.mode == "native threads", message="the calls have returned")
    outer.register(REGISTRATION, "passing", "")


def test_beyond_the_cap_nothing_is_called(impatient: None, backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    for _ in range(STUCK_MAX):
        given_up(outer, inner)
    calls = inner.calls
    for ask in (registering(outer), lambda: next(outer.watch(QUERY))):
        with pytest.raises(ThreadsStuckError, match=f"{STUCK_MAX} calls have not returned"):
            ask()
    assert inner.calls == calls
    inner.gate.set()
    eventually(lambda: outer.mode == "native threads", message="the calls have returned")
    outer.deregister("app-1")


def test_a_call_that_waits_for_a_thread_is_never_made_when_it_is_given_up(
    backend: tuple[ThreadedBackend, Blocking],
) -> None:
    outer, inner = backend
    running = [gevent.spawn(registering(outer)) for _ in range(THREADS)]
    eventually(lambda: inner.calls == THREADS, message="every thread is busy")
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        outer.deregister("app-1")
    assert outer.mode == "native threads"
    inner.gate.set()
    gevent.joinall(running, timeout=20, raise_error=True)
    outer.register(REGISTRATION, "passing", "")
    assert inner.calls == THREADS + 1


def test_close_fails_what_waits_and_waits_for_nothing(backend: tuple[ThreadedBackend, Blocking]) -> None:
    outer, inner = backend
    waiting = [gevent.spawn(registering(outer)) for _ in range(THREADS + 2)]
    eventually(lambda: inner.calls == THREADS, message="every thread is busy")
    outer.close()
    outer.close()
    gevent.joinall(waiting, timeout=20)
    assert {type(one.value) for one in waiting} == {BackendUnavailableError}
    with pytest.raises(BackendUnavailableError, match="its client was closed"):
        outer.deregister("app-1")
    with pytest.raises(BackendUnavailableError, match="the client was closed"):
        next(outer.watch(QUERY))
    assert inner.calls == THREADS
