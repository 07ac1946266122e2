"""Every call to a backend has a deadline, whoever makes it, and a timeout that somebody else has set stays his."""

from collections.abc import Callable
from typing import Literal, NoReturn

import gevent
import pytest

from corepilot.discovery import guarded_calls
from corepilot.discovery.backend import Backend
from corepilot.discovery.calls import CallCancelled, make_call
from corepilot.discovery.desired_instance import CatalogCall
from corepilot.discovery.guarded import GuardedBackend
from corepilot.errors import BackendTimeoutError
from corepilot.model.service import Registration
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Loaded
from corepilot.testing.backends import context
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

WEB = Registration("web-a", "web", "192.0.2.1", 80, ttl_s=60)
DEADLINE_S = 30.0

Call = Callable[[Backend], object]
CALLS: dict[str, Call] = {
    "register": lambda backend: backend.register(WEB, "passing", ""),
    "report": lambda backend: backend.report(WEB.id, "passing", "", 60.0),
    "deregister": lambda backend: backend.deregister(WEB.id),
}


def guarded(backend: Backend) -> tuple[GuardedBackend, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []
    loaded = Loaded("note", "backend", None, None, frozenset(), "note", "corepilot-note 1.2", ())
    boundary = Boundary(loaded, lambda _level, _message: None)
    return GuardedBackend(lambda: backend, boundary, lambda name, result: asked.append((name, result))), asked


def step(kind: Literal["register", "deregister"]) -> CatalogCall:
    return CatalogCall(kind, WEB, "passing", "", 60.0)


def hanging() -> Backend:
    catalog = MemoryCatalog()
    backend = MemoryBackend(catalog, context())
    catalog.pause()
    return backend


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_gets_no_answer_is_given_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_calls.within, "__defaults__", (0.01,))
    backend, asked = guarded(hanging())
    rule = f"^cannot {name} web-a: no answer from the catalog {backend.address} within 0.01 s$"
    with gevent.Timeout(DEADLINE_S), pytest.raises(BackendTimeoutError, match=rule):
        CALLS[name](backend)
    assert asked == [(name, "timeout")]


def test_who_has_less_time_gives_up_earlier() -> None:
    backend, asked = guarded(hanging())
    error = make_call(backend, step("deregister"), 0.01)
    assert isinstance(error, BackendTimeoutError)
    assert str(error) == f"cannot deregister web-a: no answer from the catalog {backend.address} within 0.01 s"
    assert asked == [("deregister", "timeout")]


def test_a_call_that_is_not_worth_waiting_for_says_so() -> None:
    caller = gevent.spawn(make_call, guarded(hanging())[0], step("register"), DEADLINE_S)
    gevent.sleep(0)
    caller.kill(CallCancelled, timeout=DEADLINE_S)
    assert isinstance(caller.value, CallCancelled)


def test_a_timeout_that_a_backend_lets_out_is_its_own() -> None:
    class LetsOut(MemoryBackend):
        def deregister(self, instance_id: str) -> NoReturn:  # noqa: ARG002  - the contract's
            raise gevent.Timeout(3)

    error = make_call(LetsOut(MemoryCatalog(), context()), step("deregister"), DEADLINE_S)
    assert isinstance(error, BackendTimeoutError)
    assert str(error) == "cannot deregister web-a: a timeout of the backend's own, 3 seconds"
