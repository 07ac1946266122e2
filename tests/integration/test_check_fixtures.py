"""Configurations in the styles that are out in the world: some load, others are refused at their lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from judging import PATH

from corepilot.config.loading.exchange import LoadRequest, LoadResult
from corepilot.config.loading.loader import collect, start

DATA = Path(__file__).parent.parent / "data" / "config"
CASES: list[dict[str, Any]] = json.loads((DATA / "CASES.json").read_text(encoding="utf-8"))


def load(case: dict[str, Any]) -> LoadResult:
    environment = {"PATH": PATH, **case.get("environment", {})}
    request = LoadRequest((str(DATA / case["file"]),), environment, judge_machine=False, hostname="host")
    return collect(start(request), 20)


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['file']}" for number, case in enumerate(CASES)])
def test_a_configuration_behaves_as_its_case_says(case: dict[str, Any]) -> None:
    result = load(case)
    # Whether a plugin is installed is a matter of the environment the tests run in.
    problems = [problem for problem in result.problems if problem.code != "plugin-missing"]
    assert [[one.code, one.line] for one in problems if one.is_error] == case.get("errors", [])
    assert [[one.code, one.line] for one in problems if not one.is_error] == case.get("warnings", [])
    if result.config is not None:
        assert (len(result.config.jobs), len(result.config.watches)) == (case["jobs"], case["watches"])


def test_every_file_has_a_case() -> None:
    assert {case["file"] for case in CASES} == {file.name for file in DATA.iterdir() if file.name != "CASES.json"}
