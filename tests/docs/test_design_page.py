"""What the design names is there: modules and tests."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "explanation" / "design.md").read_text()


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|md))`", PAGE))
    assert len(named) > 20
    places = (ROOT, ROOT / "corepilot", ROOT / "corepilot" / "system")
    assert [name for name in sorted(named) if not any((place / name).is_file() for place in places)] == []


def test_the_map_answers_what_a_newcomer_asks() -> None:
    assert len(re.findall(r"^\| Where .*\? \| `", PAGE, re.MULTILINE)) >= 5
