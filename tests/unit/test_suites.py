"""There is a suite for every kind of plugin, and small good plugins pass them."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence

import pytest

from corepilot.checks.check import Check, CheckFailed
from corepilot.errors import ConfigError
from corepilot.model.fact import Fact
from corepilot.observers.observer import Observer
from corepilot.plugin.hookspec import KINDS
from corepilot.telemetry.sink import Sink, SinkContext
from corepilot.testing import checks, observers
from corepilot.testing.checks import CheckSuite
from corepilot.testing.commands import CommandSuite
from corepilot.testing.observers import ObserverSuite
from corepilot.testing.sinks import metrics


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_has_its_suite(kind: "object") -> None:
    module, _, name = kind.suite.partition(":")  # type: ignore[attr-defined]  # a Kind
    suite = getattr(importlib.import_module(module), name)
    tests = [one for one in dir(suite) if one.startswith("test_")]
    assert len(tests) >= 5
    assert all(getattr(suite, one).__doc__ for one in tests), "a test of a suite says which rule it is about"
    assert not suite.__name__.startswith("Test"), "pytest must not collect what has no plugin"


class Level(Check):
    def ask(self, deadline_s: float) -> str:  # noqa: ARG002  - it does not wait
        if self.options["level"] > 1:
            raise CheckFailed("too high")
        return "ok"


class TestLevel(CheckSuite):
    def check(self) -> Check:
        return Level(self.subject, checks.context())

    def setup_method(self) -> None:
        self.subject = {"level": 0}
        super().setup_method()

    def healthy(self) -> None:
        self.subject["level"] = 0

    def unhealthy(self) -> None:
        self.subject["level"] = 2


class Counter(Observer):
    seen = 0

    def observe(self, fact: Fact) -> None:  # noqa: ARG002  - counted only
        self.seen += 1


class TestCounter(ObserverSuite):
    def observer(self) -> Observer:
        return Counter(None, observers.context())


def greet(words: Sequence[str]) -> int:
    if len(words) != 1:
        raise ConfigError("cannot greet: name one person")
    sys.stdout.write(f"hello {words[0]}\n")
    return 0


class TestGreet(CommandSuite):
    good = (["Ada"],)
    bad = ([], ["a", "b"])

    def command(self) -> Callable[[Sequence[str]], int]:
        return greet


def silent(words: Sequence[str]) -> int:
    return int(len(words) != 1)


def changes_words(words: list[str]) -> int:
    words.clear()
    return 0


def exits(_words: Sequence[str]) -> int:
    sys.exit(0)


def leaves(_words: Sequence[str]) -> int:
    os.chdir("/")
    return 0


def returns_none(_words: Sequence[str]) -> None:
    return None


def raises_much(_words: Sequence[str]) -> int:
    ("x" * 100_000 + "\udcff").encode()
    return 0


def loops(_words: Sequence[str]) -> int:
    while True:
        pass


@pytest.mark.parametrize(
    ("main", "test", "rule"),
    [
        (silent, "bad_words_are_refused", "with a reason on stderr"),
        (changes_words, "the_words_are_left_as_they_are", "must not change its words"),
        (exits, "the_status_says_that_it_went_well", "may raise CorepilotError, and raised SystemExit"),
        (
            raises_much,
            "the_status_says_that_it_went_well",
            r"and raised UnicodeEncodeError: .{,200}surrogates not allowed$",
        ),
        (leaves, "the_process_is_left_alone", "the working directory"),
        (returns_none, "the_status_says_that_it_went_well", "must return its exit status"),
        (loops, "the_status_says_that_it_went_well", "a command must come to an end"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_command_that_breaks_a_rule_is_caught(main: "object", test: str, rule: str) -> None:
    class Mutant(TestGreet):
        deadline_s = 0.5

        def command(self) -> Callable[[Sequence[str]], int]:
            return main  # type: ignore[return-value]  # some of them are wrong in just that

    with pytest.raises(BaseException, match=rule):
        getattr(Mutant(), f"test_{test}")()


def test_a_sink_that_forgets_flush_is_told_so() -> None:
    """`flush` is not abstract: a sink that is only asked has none."""

    class Silent(Sink):
        address = "nowhere"

        def close(self) -> None:
            """Nothing."""

    with pytest.raises(NotImplementedError, match="Silent has an interval_s, and no flush"):
        Silent(None, SinkContext(metrics(), dict, lambda *_: None, (), "1")).flush()
