"""The page of states has a row for each state of the machine, and for each health."""

import re
from pathlib import Path
from typing import get_args

from corepilot.jobs.state import Health, Phase

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "job-states.md").read_text()


def rows(title: str) -> list[str]:
    """The first column of the table whose first heading is this."""
    table = re.search(rf"^\| {title} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table
    return re.findall(r"^\| `([a-z]+)` \|", table[1], re.MULTILINE)


def test_every_state_has_its_row() -> None:
    assert rows("state") == list(get_args(Phase))


def test_every_health_has_its_row() -> None:
    assert rows("health") == list(get_args(Health))


def test_the_diagram_shows_every_state() -> None:
    diagram = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert diagram
    assert set(re.findall(r"[a-z]{4,}", diagram[1])) >= set(get_args(Phase))
