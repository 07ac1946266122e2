"""What Go's own text/template makes of some thousands of templates, and what ours does."""

import importlib.util
import json
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from corepilot.gotemplate import TemplateError, render

DATA = pathlib.Path(__file__).parent.parent / "data" / "gotemplate"
LINES = [line for line in (DATA / "cases.jsonl").read_text().split("\n") if line]
ENVIRONMENTS: list[dict[str, str]] = json.loads(LINES[0])
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES[1:]]
BATCH = 500


def ours(case: dict[str, Any]) -> dict[str, Any]:
    """Render a case and tell the result in the words of the stored one."""
    try:
        text = render(case["t"], ENVIRONMENTS[case["e"]]).text
    except TemplateError as error:
        # Go tells no column of a parse error, and counts columns from 0, in bytes.
        told = case.get("column", 0) if "phase" in case else -1
        before = case["t"].split("\n")[error.line - 1][: error.column - 1]
        column = len(before.encode()) if case.get("phase") == "execute" else told
        return {"line": error.line if case.get("line") else 0, "column": column}
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"x": text.encode("utf-8", "surrogateescape").hex()}
    return {"o": text}


@pytest.mark.parametrize("start", range(0, len(CASES), BATCH))
def test_every_stored_case_ends_as_in_go(start: int) -> None:
    differences = []
    for case in CASES[start : start + BATCH]:
        wanted = {name: case[name] for name in ("o", "x", "line", "column") if name in case}
        if (got := ours(case)) != wanted:
            differences.append(f"{case['t']!r} in environment {case['e']}: Go {wanted}, ours {got}")
    assert not differences, "\n".join(differences[:20])


def test_the_stored_cases_cover_outputs_and_both_kinds_of_errors() -> None:
    phases = [case.get("phase") for case in CASES]
    assert phases.count(None) > 4000
    assert phases.count("parse") > 300
    assert phases.count("execute") > 1000


@pytest.fixture
def generator() -> Iterator[ModuleType]:
    before = set(sys.modules)
    path = list(sys.path)
    spec = importlib.util.spec_from_file_location("gotemplate_generate", DATA / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_stored_cases_are_those_of_the_tables_and_the_grammar(generator: ModuleType) -> None:
    asked = generator.questions(20, 2000)
    assert asked == [(case["t"], case["e"]) for case in CASES], "run tests/data/gotemplate/generate.py"
