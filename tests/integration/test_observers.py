"""Observers in a real corepilot: every event in order from `startup` on, runs with their status, reloads."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from eventually import eventually
from foreign import python_with, write_distribution
from running import Corepilot, cli

LIGHT = """
from dataclasses import dataclass
from corepilot.plugin import OptionError, hookimpl, option
API = "1.0"
@dataclass(frozen=True)
class Options:
    path: str = option(help="the file", example="/tmp/x")
    token: str = option(help="a secret", default="", secret=True)
@hookimpl
def corepilot_register_observer():
    from scribe_heavy import Scribe
    return Scribe
"""
HEAVY = """
from corepilot.observers.observer import Observer
from corepilot.model.fact import EventSeen, Reloaded, RunEnded, RunStarted
class Scribe(Observer):
    def __init__(self, options, context):
        super().__init__(options, context)
        self.file = open(options.path, "a", buffering=1)
        context.log("info", f"writes to {options.path} with {options.token}")
    def observe(self, fact):
        match fact:
            case EventSeen(event=event): words = ("event", event.code, event.subject)
            case RunStarted(job=job, number=number, pid=pid): words = ("started", job, number, pid > 0)
            case RunEnded(job=job, number=number, status=status, reason=reason):
                words = ("ended", job, number, status, reason)
            case Reloaded(result=result, detail=detail): words = ("reloaded", result, detail)
        self.file.write(repr(words) + "\\n")
    def close(self):
        self.file.write("('closed',)\\n")
        self.file.close()
"""

Start = Callable[[str], Corepilot]


@pytest.fixture
def python(tmp_path: Path) -> list[str]:
    groups = "[corepilot.observers]\nscribe = scribe_light\n"
    write_distribution(
        tmp_path / "site", "corepilot-scribe", "0.3", groups, {"scribe_light": LIGHT, "scribe_heavy": HEAVY}
    )
    return [str(python_with(tmp_path / "site", tmp_path / "python")), "-I", "-m", "corepilot"]


def config(observers: str, jobs: str) -> str:
    return (
        f'{{control: {{socket: "%(dir)s/control.socket"}}, discovery: false, observers: {observers}, jobs: [{jobs}]}}'
    )


def told(file: Path) -> list[tuple[object, ...]]:
    return [ast.literal_eval(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.slow
def test_everything_is_told_in_order_from_startup_to_shutdown(tmp_path: Path, python: list[str]) -> None:
    file = tmp_path / "told"
    text = config(
        f'[{{observer: "scribe", path: "{file}"}}]',
        '{name: "app", exec: ["sh", "-c", "exit 3"], restarts: 1}, '
        '{name: "after", exec: "true", when: {source: "app", once: "exitFailed"}}',
    )
    with Corepilot(text, tmp_path, command=python) as corepilot:
        assert corepilot.wait() == 0  # the failure has a handler
    found = told(file)
    assert found[0] == ("event", "startup", "global")
    assert found[-1] == ("closed",)
    assert [one for one in found if one[0] in {"started", "ended"} and one[1] == "app"] == [
        ("started", "app", 1, True),
        ("ended", "app", 1, 3, "exit status 3"),
        ("started", "app", 2, True),
        ("ended", "app", 2, 3, "exit status 3"),
    ]
    assert found.index(("ended", "app", 1, 3, "exit status 3")) < found.index(("event", "exitFailed", "app"))
    assert found.index(("event", "exitFailed", "app")) < found.index(("started", "after", 1, True))


@pytest.mark.slow
def test_a_reload_is_told_and_adds_keeps_and_removes_observers(tmp_path: Path, python: list[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    jobs = '{name: "app", exec: "sleep 1000"}'
    first = f'{{observer: "scribe", path: "{one}"}}'
    with Corepilot(config(f"[{first}]", jobs), tmp_path, command=python) as corepilot:
        corepilot.until_ready()
        second = f'{{observer: "scribe", path: "{two}", token: "hunter22"}}'
        corepilot.configure(config(f"[{first}, {second}]", jobs))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: any(fact[0] == "reloaded" for fact in told(one)))
        corepilot.configure("{")
        assert corepilot.client("reload").returncode == 1
        eventually(lambda: [fact[:2] for fact in told(two)].count(("reloaded", "refused")) == 1)
        corepilot.configure(config(f"[{second}]", jobs))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: told(one)[-1] == ("closed",))
        assert [shown["name"] for shown in corepilot.status()["observers"]] == ["scribe"]
        assert corepilot.stop() == 0
        assert "hunter22" not in corepilot.output
    assert told(two)[-1] == ("closed",)
    assert ("event", "startup", "global") not in told(two)


@pytest.mark.parametrize(
    ("observers", "where", "message"),
    [
        ('["scribe"]', "observers[0]", "path"),
        ('[{observer: "scribbe", path: "/x"}]', "observers[0].observer", 'did you mean "scribe"?'),
        ('[{path: "/x"}]', "observers[0]", "it does not name an observer"),
        ("[{observer: 3}]", "observers[0].observer", "3 is not the name of an observer"),
        ("[3]", "observers[0]", "3 names no observer"),
        ('{observer: "scribe"}', "observers", "put it in brackets"),
        ('[{observer: "scribe", path: "/x", pth: 1}]', "observers[0].pth", 'did you mean "path"?'),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, python: list[str], observers: str, where: str, message: str
) -> None:
    file = tmp_path / "c.json5"
    file.write_text(config(observers, '{name: "app", exec: "true"}'))
    answer = cli("check", "--here", str(file), command=python)
    said = answer.stdout + answer.stderr
    assert answer.returncode == 1, said
    assert where in said
    assert message in said
