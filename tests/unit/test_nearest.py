import subprocess
import sys
from pathlib import Path

import pytest

from corepilot.wording.nearest import nearest, suggest

JOB = (
    *("name", "exec", "port", "initial_status", "interfaces", "tags", "consul", "health", "timeout", "stopTimeout"),
    *("restarts", "when", "logging", "instance"),
)
EVENTS = (
    *("exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "changed", "timerExpired"),
    *("enterMaintenance", "exitMaintenance", "error", "quit", "startup", "shutdown", "SIGHUP", "SIGUSR2"),
)


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("nmae", JOB, "name"),
        ("prot", JOB, "port"),
        ("exce", JOB, "exec"),
        ("restart", JOB, "restarts"),
        ("tag", JOB, "tags"),
        ("initialStatus", JOB, "initial_status"),
        ("initial-status", JOB, "initial_status"),
        ("stoptimeout", JOB, "stopTimeout"),
        ("stop_timeout", JOB, "stopTimeout"),
        ("STOPTIMEOUT", JOB, "stopTimeout"),
        ("timout", JOB, "timeout"),
        ("interface", JOB, "interfaces"),
        ("helath", JOB, "health"),
        ("tll", ("interval", "ttl"), "ttl"),
        ("intevral", ("interfaces", "interval"), "interval"),
        ("log", JOB, "logging"),
        ("healthcheck", JOB, "health"),
        ("exitsuccess", EVENTS, "exitSuccess"),
        ("exitFail", EVENTS, "exitFailed"),
        ("change", EVENTS, "changed"),
        ("sighup", EVENTS, "SIGHUP"),
        ("SIGUSR1", EVENTS, "SIGUSR2"),
        ("startUp", EVENTS, "startup"),
        ("Name", ("nAme", "name"), "name"),
        ("NAme", ("name", "nAme"), "nAme"),
        ("name", JOB, "name"),
    ],
)
def test_the_word_that_was_meant(word: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest(word, known) == meant
    assert suggest(word, known) == f"; did you mean '{meant}'?"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("frequency", JOB),
        ("x", JOB),
        ("", JOB),
        ("", ("", "_", "a")),
        ("_", ("a",)),
        ("exit", EVENTS),
        ("nam", ()),
        ("color", JOB),
        ("a" * 65, ("a" * 64, "a" * 65)),
    ],
)
def test_nothing_is_near(word: str, known: tuple[str, ...]) -> None:
    assert nearest(word, known) is None
    assert suggest(word, known) == ""


def test_known_words_may_come_from_anywhere() -> None:
    assert nearest("prot", iter(JOB)) == "port"
    assert nearest("prot", dict.fromkeys(JOB)) == "port"


def test_imports_nothing() -> None:
    heavy = ["re", "typing", "difflib"]
    script = f"import sys; import corepilot.wording.nearest; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout == "[]\n"
