"""The boundary around a plugin's code: what passes, what becomes a fault, what is switched off."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from corepilot.errors import BackendUnavailableError
from corepilot.plugin.boundary import APART_MAX, MODE, Boundary, PluginFaultError, WrongAnswerError
from corepilot.plugin.conduct import LINE_MAX, OFF_AFTER
from corepilot.plugin.manager import Loaded
from corepilot.system.leaving import Leaving

TITLE = "observer 'audit' (corepilot-audit 1.2)"


class Made:
    """A boundary, and what it wrote and noted."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.notes: list[str] = []
        loaded = Loaded("audit", "observer", None, None, frozenset(), __name__, "corepilot-audit 1.2", ("s3cret",))
        self.boundary = Boundary(loaded, lambda level, text: self.lines.append((level, text)), self.notes.append)


@pytest.fixture
def made() -> Made:
    return Made()


def text(found: object) -> str:
    if isinstance(found, str):
        return found
    raise WrongAnswerError("must be a text")


def number(found: Any) -> int:
    if isinstance(found, int):
        return found
    raise WrongAnswerError("must yield numbers")


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def test_an_answer_passes_and_what_runs_is_noted(made: Made) -> None:
    assert made.boundary.call("add", lambda a, b: a + b, 1, 2) == 3
    assert made.notes == [f"{TITLE}, add", ""]
    assert made.boundary.faults == 0


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        SystemExit(4),
        KeyboardInterrupt(),
        GeneratorExit(),
        gevent.GreenletExit(),
        gevent.Timeout(1),
        StopIteration(),
        MemoryError(),
        BaseExceptionGroup("both", [SystemExit(4), KeyError("x")]),
    ],
)
def test_every_other_exception_is_a_fault_with_its_line(made: Made, error: BaseException) -> None:
    with pytest.raises(PluginFaultError) as caught:
        made.boundary.call("observe", raising(error))
    text = str(caught.value)
    assert text.startswith(f"{TITLE}: observe raised {type(error).__name__}")
    assert "test_boundary.py:" in text
    assert made.boundary.faults == 1


class Mute:
    """Has no text, and says so loudly."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class MuteError(Mute, KeyError):
    """A fault without a text."""

    @property
    def __traceback__(self) -> None:  # type: ignore[override]
        raise RuntimeError("no traceback")


class MuteRefusedError(Mute, BackendUnavailableError):
    """An answer without a text."""


def test_an_exception_whose_methods_fail_is_a_fault_with_its_name(made: Made) -> None:
    with pytest.raises(PluginFaultError, match="observe raised MuteError"):
        made.boundary.call("observe", raising(MuteError()))


def test_an_answer_is_made_anew_of_a_class_of_ours_and_with_a_clean_text(made: Made) -> None:
    class OwnError(BackendUnavailableError):
        pass

    for error, said in (
        (MuteRefusedError(), "MuteRefusedError"),
        (OwnError("no s3cret\n\x1b[31m"), "no ***\\n\\x1b[31m"),
    ):
        with pytest.raises(BackendUnavailableError) as caught:
            made.boundary.call("report", raising(error), allowed=(BackendUnavailableError,))
        assert type(caught.value) is BackendUnavailableError
        assert str(caught.value) == said
    assert made.boundary.faults == 0


def test_what_takes_an_answer_runs_into_the_plugins_code_within_the_call(made: Made) -> None:
    with pytest.raises(PluginFaultError, match="address raised RuntimeError: no text"):
        made.boundary.call("address", Mute, take=str)


def test_the_recursion_limit_is_put_back(made: Made) -> None:
    before = sys.getrecursionlimit()
    made.boundary.call("observe", sys.setrecursionlimit, before + 1)
    assert sys.getrecursionlimit() == before
    assert made.lines == [("warning", f"{TITLE}: observe changed the recursion limit; it is put back")]


def test_what_is_allowed_and_what_is_ours_passes(made: Made) -> None:
    for error in (BackendUnavailableError("down"), gevent.Timeout(1), Leaving()):
        with pytest.raises(type(error)):
            made.boundary.call("report", raising(error), allowed=(BackendUnavailableError, gevent.Timeout))
    assert made.boundary.faults == 0


def test_an_answer_is_judged(made: Made) -> None:
    with pytest.raises(PluginFaultError, match="address must be a text"):
        made.boundary.call("address", lambda: 3, take=text)


def test_secrets_and_control_characters_are_in_no_message(made: Made) -> None:
    with pytest.raises(PluginFaultError) as caught:
        made.boundary.call("observe", raising(ValueError("no \x1b[31m s3cret\n!")))
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).isprintable()
    made.boundary.say("warning", "token s3cret\n" + "x" * 100_000)
    made.boundary.say("loud", "x")
    (level, text), other = made.lines
    assert (level, other) == ("warning", ("info", "x"))
    assert text.startswith("token ***\\n")
    assert len(text) < LINE_MAX + 10


def test_what_fails_again_and_again_is_switched_off_and_a_success_in_between_counts(made: Made) -> None:
    failing = raising(KeyError("x"))
    for _ in range(OFF_AFTER - 1):
        made.boundary.quietly("observe", failing)
    made.boundary.call("observe", lambda: None)
    for _ in range(OFF_AFTER - 1):
        made.boundary.quietly("observe", failing)
    assert not made.boundary.off
    made.boundary.quietly("observe", failing)
    assert made.boundary.off.startswith(f"it failed {OFF_AFTER} times in a row")
    called: list[int] = []
    with pytest.raises(PluginFaultError, match="is switched off"):
        made.boundary.call("observe", called.append, 1)
    assert called == []


def test_whoever_looks_at_the_status_keeps_nothing_switched_on(made: Made) -> None:
    for _ in range(OFF_AFTER):
        assert made.boundary.call(MODE, str) == ""
        with pytest.raises(PluginFaultError):
            made.boundary.call("report", lambda: 1 // 0)
    assert made.boundary.off


def test_the_log_says_a_fault_that_goes_on_once_and_another_one_too(made: Made) -> None:
    for error in (KeyError("x"), KeyError("y"), ValueError("x")):
        made.boundary.quietly("observe", raising(error))
    assert [text.rpartition(" raised ")[2].partition(":")[0] for _, text in made.lines] == ["KeyError", "ValueError"]


@pytest.mark.parametrize("error", [StopIteration(), gevent.Timeout(1)])
def test_nothing_that_a_plugin_raises_ends_the_greenlet_that_feeds_it(made: Made, error: BaseException) -> None:
    made.boundary.quietly("observe", raising(error))
    (line,) = made.lines
    assert f"observe raised {type(error).__name__}" in line[1]
    assert made.boundary.faults == 1


def test_a_call_apart_is_given_up_and_not_too_many_of_them(made: Made) -> None:
    for _ in range(APART_MAX):
        with pytest.raises(PluginFaultError, match=r"close did not return within 0\.001 s, and was given up"):
            made.boundary.apart("close", stubborn, deadline_s=0.001)
    with pytest.raises(PluginFaultError, match=f"{APART_MAX} calls never returned"):
        made.boundary.apart("close", lambda: 3, deadline_s=1)
    STOP.set()
    gevent.sleep(0.01)
    made.boundary.off = ""
    assert made.boundary.apart("close", lambda: 3, deadline_s=1) == 3


STOP = gevent.event.Event()


def stubborn() -> None:
    """Waits on, whatever is raised in it."""
    while not STOP.is_set():
        try:
            STOP.wait()
        except BaseException:  # noqa: BLE001  - what it is about
            continue


def test_what_is_allowed_passes_from_a_call_apart(made: Made) -> None:
    with pytest.raises(OSError, match="no route"):
        made.boundary.apart("flush", raising(OSError("no route")), deadline_s=1, allowed=(OSError,))
    with pytest.raises(PluginFaultError, match="flush raised Timeout"):
        made.boundary.apart("flush", raising(gevent.Timeout(1)), deadline_s=1)


def test_every_step_of_a_stream_passes_through_and_closing_it_closes_the_plugins(made: Made) -> None:
    closed: list[bool] = []

    def stream() -> Iterator[Any]:
        try:
            yield 1
            yield 2
            yield None
        finally:
            closed.append(True)

    def follow() -> Iterator[Any]:
        return made.boundary.follow("watch", stream(), allowed=(), take=number)

    following = follow()
    assert [next(following), next(following)] == [1, 2]
    with pytest.raises(PluginFaultError, match="watch must yield numbers"):
        next(following)
    assert closed == [True]
    following = follow()
    next(following)
    following.close()  # type: ignore[attr-defined]  # a generator
    assert closed == [True, True]


class OddPauseError(BackendUnavailableError):
    """Asks for a pause by a property that fails."""

    def __getattribute__(self, name: str) -> object:
        if name == "retry_after_s":
            raise ZeroDivisionError
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(1.5, 1.5), (1, 1.0), (0, 0), (-1, 0), (float("nan"), 0), (float("inf"), 0), ("9", 0), (True, 0)],
)
def test_a_pause_that_is_asked_for_comes_through_if_it_is_a_number(made: Made, asked: Any, granted: float) -> None:
    for error in (BackendUnavailableError("no", retry_after_s=asked), MuteRefusedError()):
        if isinstance(error, MuteRefusedError):
            error.retry_after_s = asked
        with pytest.raises(BackendUnavailableError) as caught:
            made.boundary.call("ask", raising(error), allowed=(BackendUnavailableError,))
        assert caught.value.retry_after_s == granted


def test_a_pause_that_cannot_be_read_is_none(made: Made) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        made.boundary.call("ask", raising(OddPauseError("no")), allowed=(BackendUnavailableError,))
    assert caught.value.retry_after_s == 0
