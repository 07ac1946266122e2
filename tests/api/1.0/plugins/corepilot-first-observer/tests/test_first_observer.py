"""The suite that every observer has to pass, and what is this one's own."""

from pathlib import Path

import pytest
from corepilot_first_observer.observer import FirstObserverObserver
from corepilot_first_observer.plugin import Options

from corepilot.observers.observer import Observer
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.observers import ObserverSuite, context, facts


class TestFirstObserver(ObserverSuite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "lines"

    def observer(self) -> Observer:
        return FirstObserverObserver(Options(path=str(self.path)), context())

    def test_there_is_a_line_for_each_fact(self) -> None:
        """In their order."""
        observer = self.kept()
        for fact in facts("web"):
            observer.observe(fact)
        lines = self.path.read_text().splitlines()
        assert len(lines) == len(facts())
        assert lines[1] == "web started as 4711"


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_observer.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="lines")


def test_it_sees_a_job_of_a_real_corepilot(corepilot, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "seen"
    observers = f'[{{observer: "first-observer", path: "{file}"}}]'
    running = corepilot(f'{{observers: {observers}, jobs: [{{name: "a", exec: "true"}}]}}')
    running.process.wait(30)
    lines = file.read_text().splitlines()
    assert lines[0] == "event startup of global"
    assert any(line.startswith("a ended with 0") for line in lines)
