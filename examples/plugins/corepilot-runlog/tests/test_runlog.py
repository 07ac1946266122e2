"""The suite that every observer has to pass, and a real corepilot."""

import json
from pathlib import Path
from typing import Any

import pytest
from corepilot_runlog.observer import RunLogObserver
from corepilot_runlog.plugin import Options

from corepilot.observers.observer import Observer
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.observers import ObserverSuite, context, facts


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestRunLog(ObserverSuite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "runs.jsonl"

    def observer(self) -> Observer:
        return RunLogObserver(Options(path=str(self.path)), context())

    def test_each_run_is_a_line(self) -> None:
        """Events and reloads are not."""
        observer = self.kept()
        for fact in facts("web"):
            observer.observe(fact)
        observer.dropped(3)
        assert [(one.get("job"), one.get("status")) for one in lines(self.path)] == [
            ("web", 137), ("web", 127), (None, None),
        ]  # fmt: skip


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_runlog.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="runs.jsonl")


def test_runs_of_a_real_corepilot(corepilot: Any, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    observers = f'[{{observer: "runlog", path: "{path}"}}]'
    running = corepilot(f'{{observers: {observers}, jobs: [{{name: "a", exec: ["sh", "-c", "exit 3"]}}]}}')
    running.process.wait(30)
    assert [(one["job"], one["status"]) for one in lines(path)] == [("a", 3)]
