"""The reference page says what the schemas say."""

import re
from pathlib import Path

import pytest

from corepilot.config.diagnostics.problems import CODES
from corepilot.config.schema.reference import page
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.config.schema.settings import RootSection
from corepilot.gotemplate import render
from corepilot.gotemplate.functions import EXTRA, MACHINE

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "configuration.md"


def settings(section: Section) -> "list[tuple[str, object]]":
    found: list[tuple[str, object]] = []
    for key, field in section.keys().items():
        found.append((key, field))
        inner = field.element if isinstance(field, Array) else field
        if isinstance(inner, Object):
            found += settings(inner.section)
    return found


def test_the_page_is_what_the_schemas_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m corepilot.config.schema.reference > the page"


def test_every_setting_and_every_code_is_on_the_page() -> None:
    text = page()
    assert all(f"| `{key}` |" in text for key, _ in settings(RootSection()))
    assert all(f"| `{code}` |" in text for code in CODES)


def test_every_setting_says_what_it_is_for() -> None:
    for key, field in settings(RootSection()):
        help_text = field.metadata["help"]  # type: ignore[attr-defined]  # all of them are Settings
        assert help_text, key
        assert not help_text.endswith("."), key


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("default", "v1, v2"), ("env", "v1, v2"), ("split", "[a b]"), ("join", "a b"), ("replaceAll", "v1, v2"),
        ("regexReplaceAll", "1, v2"), ("loop", "012"),
    ],
)  # fmt: skip
def test_the_examples_of_template_functions_work(function: str, text: str) -> None:
    rows = [row.replace("\\|", "|") for row in page().splitlines() if row.startswith("| `{{")]
    example = next(row for row in rows if re.search(rf"\b{function} ", row)) if function != "join" else rows[3]
    template = re.findall(r"`(\{\{.*?\}\})`", example)[0]
    if function == "loop":
        template += "{{ . }}{{ end }}"
    assert render(template, {"NAME": "v1, v2", "NAMES": "a,b "}).text == text
    assert len(rows) == len((*EXTRA, *MACHINE))
