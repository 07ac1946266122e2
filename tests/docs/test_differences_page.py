"""The page about differences says what `corepilot migrate` says, and every FIX line of the contract is on it."""

import re
from pathlib import Path

from corepilot.migrate.differences import DIFFERENCES

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "differences.md").read_text()


def rows() -> list[list[str]]:
    table = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").replace("`", "").split(" | ")] for line in table[2:]]


def test_the_page_and_the_command_say_the_same() -> None:
    assert rows() == [[one.id, ", ".join(one.sections), one.old, one.new, one.restore or "none"] for one in DIFFERENCES]


def test_what_a_person_decides_is_named() -> None:
    sentence = re.search(r"About (.*) a person has to decide", PAGE.replace("\n", " "))
    assert sentence
    assert set(re.findall(r"`([a-z-]+)`", sentence[1])) == {one.id for one in DIFFERENCES if one.decide}


def test_every_section_with_a_fix_has_a_row() -> None:
    section, fixed = "", set()
    for line in (REFERENCE / "containerpilot-contract.md").read_text().splitlines():
        heading = re.match(r"#{2,3} (\d+(?:\.\d+)?)", line)
        section = heading[1] if heading else section
        if "FIX" in line and section:
            fixed.add(section)
    assert fixed
    assert fixed <= {section for one in DIFFERENCES for section in one.sections}
