"""The page of commands is what the table of commands says."""

from pathlib import Path

from corepilot.cli.reference import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text() == page(), "run: python -m corepilot.cli.reference > docs/reference/commands.md"
