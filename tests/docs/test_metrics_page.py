"""The page about metrics has every built-in family, as the code has it, and no other."""

import re
from pathlib import Path

from corepilot_prometheus.families import CONTAINERPILOT

from corepilot.telemetry.builtin import BUILT_IN
from corepilot.telemetry.metrics import BUCKETS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md").read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of the first table, its head left out."""
    table = re.search(r"(^\|.*\n)+", text, re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]]


def test_every_family_with_its_type_labels_and_help() -> None:
    wanted = [
        [
            f"`{one.name}{'_total' if one.kind == 'counter' else ''}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            one.help,
        ]
        for one in BUILT_IN
    ]
    assert rows(PAGE) == wanted


def test_containerpilots_names() -> None:
    named = {row[0].strip("`") for row in rows(PAGE.partition("## Only with Prometheus")[2])}
    assert named >= set(CONTAINERPILOT.values())


def test_the_bounds_of_histograms() -> None:
    assert all(f"{bound:g}" in PAGE.partition("have the bounds")[2].partition("\n- ")[0] for bound in BUCKETS)
