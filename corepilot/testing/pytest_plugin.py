"""The pytest plugin that comes with corepilot: the fixture `corepilot`.

    def test_my_sink_in_a_real_corepilot(corepilot):
        running = corepilot('{telemetry: {sinks: ["mine"]}, jobs: [{name: "a", exec: "sleep 1000"}]}')
        running.until_ready()
        assert running.status()["sinks"][0]["faults"] == 0
        assert running.stop() == 0

What `corepilot(…)` returns is a `corepilot.testing.running.RunningCorepilot`; each is stopped when the test ends,
and what it has written is shown with a test that failed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from corepilot.testing.running import RunningCorepilot


@pytest.fixture
def corepilot(tmp_path: Path) -> "Iterator[Callable[..., RunningCorepilot]]":
    """Start a real corepilot on a snippet of configuration: `corepilot(text, environment={…})`.

    It is stopped when the test ends. Of a test that failed, pytest shows what it has written.
    """
    from corepilot.testing.running import RunningCorepilot

    started: list[RunningCorepilot] = []

    def start(configuration: str, environment: Mapping[str, str] | None = None) -> RunningCorepilot:
        directory = tmp_path / f"corepilot-{len(started) + 1}"
        directory.mkdir()
        started.append(RunningCorepilot(configuration, directory, environment))
        return started[-1]

    yield start
    for running in started:
        sys.stdout.write(f"{running.file}:\n{running.output}")  # pytest shows it below a test that failed
        running.close()
