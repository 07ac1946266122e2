"""Keys and locks behind the boundary: what is judged, what is polled, what has a deadline."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.config.schema.names import is_lock_name, key_fault
from corepilot.discovery import guarded_calls, guarded_facets
from corepilot.discovery.backend import Backend, BackendContext, facet
from corepilot.discovery.facet_rules import require_lock_name, require_prefix
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.guarded_facets import GuardedKeys, GuardedLocks
from corepilot.discovery.keys import VALUE_MAX, Keys
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendRefusedError, BackendTimeoutError, LockLostError
from corepilot.model.catalog import Entry, Grant
from corepilot.plugin.boundary import Boundary, PluginFaultError
from corepilot.plugin.manager import Loaded


def answering(contract: type, answer: Any) -> Any:
    """A facet whose every method gives the same answer, or raises it, or calls it; its streams yield it once."""

    def said(*_arguments: Any, **_keywords: Any) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def stream(*_arguments: Any, **_keywords: Any) -> Iterator[Any]:
        yield said()

    names = ("get", "put", "compare_and_set", "delete", "list", "acquire", "keep", "release")
    return type("Answering", (contract,), dict.fromkeys(names, said) | {"watch": stream})()


def boundary() -> Boundary:
    loaded = Loaded("note", "backend", None, None, frozenset(), "note", "corepilot-note 1.2", ())
    return Boundary(loaded, lambda _level, _message: None)


def keys(answer: Any, *, pushes: bool = True) -> tuple[GuardedKeys, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []
    told = lambda name, result: asked.append((name, result))  # noqa: E731  - shorter than a function
    return GuardedKeys(answering(Keys, answer), boundary(), told, "here", pushes=pushes), asked


def locks(answer: Any) -> GuardedLocks:
    return GuardedLocks(answering(Locks, answer), boundary(), lambda _name, _result: None, "here")


@pytest.mark.parametrize("nonsense", ["text", ("a", b"b", "1"), Entry("a", "b", "1"), Entry(1, b"b", "1")])  # type: ignore[arg-type]
def test_nonsense_is_named(nonsense: Any) -> None:
    with pytest.raises(PluginFaultError, match=r"corepilot-note 1\.2.*get must return"):
        keys(nonsense)[0].get("a")
    with pytest.raises(PluginFaultError, match="corepilot-note"):
        keys((nonsense,))[0].list("a")


def test_a_key_is_given_once_and_in_order() -> None:
    two = (Entry("b", b"", "1"), Entry("a", b"", "2"))
    assert keys(two)[0].list("x") == two[::-1]
    with pytest.raises(PluginFaultError, match="each key once"):
        keys((two[0], two[0]))[0].list("x")


@pytest.mark.parametrize("grant", [3, Grant(-1, 3.0), Grant(1, 0.0), Grant(1, float("nan")), Grant("1", 1.0)])  # type: ignore[arg-type]
def test_a_grant_is_a_token_and_its_time(grant: Any) -> None:
    with pytest.raises(PluginFaultError):
        locks(grant).acquire("a", "me", 10, 1)
    assert locks(None).acquire("a", "me", 10, 1) is None
    assert locks(Grant(7, 10.0)).acquire("a", "me", 10, 1) == Grant(7, 10.0)


def test_a_lock_that_is_lost_is_an_answer() -> None:
    with pytest.raises(LockLostError):
        locks(LockLostError("it is gone")).keep("a")
    with pytest.raises(PluginFaultError, match="for how many seconds"):
        locks(float("inf")).keep("a")


NO_KEYS = ["", "/", "a//b", "a/", "//a", "a/../b", "./a", "a/.", "..", "x" * 513, "é" * 257, "a\udc80"]


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_is_no_key_is_refused_before_the_backend_is_asked(key: str) -> None:
    found, asked = keys(AssertionError("it was asked"))
    calls: dict[str, Callable[[], object]] = {
        "use": lambda: found.place(key),
        "get": lambda: found.get(key),
        "put": lambda: found.put(key, b""),
        "compare and set": lambda: found.compare_and_set(key, b"", None),
        "delete": lambda: found.delete(key),
        "watch": lambda: next(found.watch(key)),
    }
    for action, call in calls.items():
        with pytest.raises(BackendRefusedError, match=rf"^cannot {action} '.*: a key (is|has) ") as refused:
            call()
        assert len(str(refused.value)) < 800
    assert asked == []


@pytest.mark.parametrize("key", ["a", "a/b", "/a", "...", ".a/b..", "x" * 512, "é" * 256, "a b\t"])
def test_what_is_a_key_reaches_the_backend(key: str) -> None:
    found, asked = keys(None)
    found.get(key)
    assert asked == [("get", "ok")]
    assert keys(())[0].list(key) == keys(())[0].list(f"{key}/") == ()


@pytest.mark.parametrize("prefix", sorted({*NO_KEYS} - {"", "a/"}))
def test_what_is_no_prefix_is_refused(prefix: str) -> None:
    for pushes in (True, False):
        found, asked = keys(AssertionError("it was asked"), pushes=pushes)
        with pytest.raises(BackendRefusedError, match=r"^cannot list '.*: a key (is|has) "):
            found.list(prefix)
        with pytest.raises(BackendRefusedError, match=r"^cannot watch '.*: a key (is|has) "):
            next(found.watch(prefix, prefix=True))
        assert asked == []


def test_no_prefix_is_one() -> None:
    found, asked = keys(())
    assert found.list("") == ()
    assert asked == [("list", "ok")]


def test_a_value_that_is_too_long_is_refused_before_the_backend_is_asked() -> None:
    found, asked = keys(None)
    found.put("a", b"x" * VALUE_MAX)
    rule = "'a': a value has at most 524288 bytes, and this one has 524289"
    with pytest.raises(BackendRefusedError, match=f"^cannot put {rule}$"):
        found.put("a", b"x" * (VALUE_MAX + 1))
    with pytest.raises(BackendRefusedError, match=f"^cannot compare and set {rule}$"):
        found.compare_and_set("a", b"x" * (VALUE_MAX + 1), None)
    assert asked == [("put", "ok")]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\n", "..\n", "ä", "a b", "\udc80"])
def test_what_is_no_locks_name_is_refused_before_the_backend_is_asked(name: str) -> None:
    found = locks(AssertionError("it was asked"))
    calls: dict[str, Callable[[], object]] = {
        "acquire": lambda: found.acquire(name, "me", 10, 1),
        "keep": lambda: found.keep(name),
        "release": lambda: found.release(name),
        "watch": lambda: next(found.watch(name)),
    }
    for action, call in calls.items():
        with pytest.raises(BackendRefusedError, match=rf"^cannot {action} '.*: a lock's name is made of"):
            call()


@given(st.one_of(st.text(), st.text("ab./\n-_")))
def test_a_configuration_may_name_what_the_catalogs_take(name: str) -> None:
    refused = False
    try:
        require_lock_name("acquire", name)
    except BackendRefusedError:
        refused = True
    assert refused != is_lock_name(name)
    if not key_fault(name):
        require_prefix("watch", name)


def test_a_call_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_calls.within, "__defaults__", (0.01,))
    found, asked = keys(lambda: gevent.sleep(10))
    with pytest.raises(BackendTimeoutError, match=r"cannot compare and set a: no answer from the catalog here"):
        found.compare_and_set("a", b"", None)
    assert asked == [("compare_and_set", "timeout")]


def test_keys_that_are_not_pushed_are_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_facets, "POLL_S", 0.001)
    found, asked = keys(Entry("a", b"1", "1"), pushes=False)
    stream = found.watch("a")
    assert [next(stream), next(stream)] == [(Entry("a", b"1", "1"),)] * 2
    assert asked == [("get", "ok")] * 2


class Noting(Backend):
    """A backend whose keys are made by its constructor, and whose locks when they are wanted."""

    made: int
    found: Any

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        self.keys, self.found = options
        self.made = 0

    @property
    def address(self) -> str:
        return "here"

    @facet
    def locks(self) -> Locks:
        self.made += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found  # type: ignore[no-any-return]  # what a plugin returns

    def close(self) -> None:
        """Nothing to close."""


def guarded(keys: Any, locks: Any, *capabilities: str) -> tuple[GuardedBackend, Noting]:
    backend = Noting((keys, locks), BackendContext(lambda _level, _message: None))
    return GuardedBackend(lambda: backend, boundary(), capabilities=frozenset(capabilities)), backend


def test_a_facet_is_made_when_it_is_wanted_and_once() -> None:
    backend, inner = guarded(None, answering(Locks, 5.0), "services", "locks")
    assert inner.made == 0
    assert backend.keys is None
    assert backend.locks is backend.locks is not None
    assert backend.locks.keep("primary") == 5.0
    backend.close()
    assert inner.made == 1


def test_one_that_is_not_declared_is_not_asked_for() -> None:
    backend, inner = guarded(None, answering(Locks, 5.0), "services")
    assert backend.locks is None
    assert inner.made == 0


@pytest.mark.parametrize(
    ("locks", "says"), [(None, "locks is declared, and is None"), (KeyError("none"), "locks.*KeyError")]
)
def test_one_that_cannot_be_made_is_the_plugins_fault(locks: Any, says: str) -> None:
    backend, _inner = guarded(None, locks, "services", "locks")
    with pytest.raises(PluginFaultError, match=rf"corepilot-note 1\.2.*{says}"):
        _ = backend.locks


def test_one_of_the_constructor_is_looked_at_at_once() -> None:
    with pytest.raises(PluginFaultError, match="keys is declared, and is None"):
        guarded(None, None, "keys")
