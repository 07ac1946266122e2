"""Configurations of every shape: only problems come out, with source_map, or a configuration that the model takes."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import PATH

from corepilot.config.diagnostics.excerpts import WIDTH, excerpt
from corepilot.config.diagnostics.problems import CODES
from corepilot.config.loading.exchange import LoadRequest, LoadResult, decode_result, encode_result
from corepilot.config.loading.loader import load
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.config.schema.settings import RootSection
from corepilot.model.event import CODES as EVENTS
from corepilot.model.value import decode, encode

FIXTURES = Path(__file__).parent.parent / "data" / "config"
FILES = sorted(file for file in FIXTURES.iterdir() if file.name != "CASES.json")
WORDS = (
    "app", "db", "a b", "", "never", "unlimited", "5s", "1m30s", "0", "-1", "3", "true", "inet", "eth0", "a/b",
    "global", "static:192.0.2.1", "passing", "counter", "SIGHUP", "watch.db", "check.app", "embedded", "c:8500",
    "/bin/true", "sh -c 'x'", "debug", "json", "\0", "ä\u202e", "'", "{{ .X }}", "job", "zero",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        global FILE  # noqa: PLW0603  - hypothesis runs a test many times and wants no fixtures of a single run
        FILE = Path(name) / "app.json5"
        yield Path(name)


FILE = Path()

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70000), st.floats(), st.sampled_from(WORDS),
    st.sampled_from(sorted(EVENTS)), st.text(max_size=8),
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


def settings_of(section: Section) -> st.SearchStrategy[Any]:
    """Objects of a section: known keys in any case with plausible values, and now and then something else."""
    fields = {}
    for key, field in section.keys().items():
        inner = field.element if isinstance(field, Array) else field
        value = settings_of(inner.section) if isinstance(inner, Object) else scalars
        if isinstance(field, Array):
            value = st.lists(value, max_size=3)
        elif "array" in field.kind:
            value = st.lists(st.sampled_from(WORDS), max_size=3) | scalars
        fields[key] = st.one_of(value, value, value, anything)
    known = st.fixed_dictionaries({}, optional=fields)
    if section.exact:
        return known
    cased = known.map(lambda found: {key.upper() if len(key) % 5 == 0 else key: one for key, one in found.items()})
    return st.one_of(known, cased, anything)


def loaded(text: str, **request: Any) -> LoadResult:
    FILE.write_text(text, encoding="utf-8", newline="")
    environment = {"PATH": PATH, "API_TOKEN": "hunter22hunter22"}
    return load(LoadRequest((str(FILE),), environment, hostname="host", **{"judge_machine": False, **request}))


def check(text: str, result: LoadResult) -> None:
    """What holds for every result."""
    errors = [problem for problem in result.problems if problem.is_error]
    assert bool(errors) == (result.config is None)
    assert len(result.problems) <= 202
    lines = text.split("\n")
    for problem in result.problems:
        assert problem.code in CODES
        assert problem.message
        assert "\n" not in problem.sentence()
        assert problem.is_error == problem.message.startswith("cannot ")
        assert 0 <= problem.line <= len(lines)
        if problem.line:
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert len(problem.source_line) <= WIDTH
        assert problem.caret <= len(problem.source_line) + 1
        json.dumps(problem.to_json())
    assert decode_result(encode_result(result), LoadRequest(("x",), {})) == result
    if result.config is not None:
        assert decode(encode(result.config)) == result.config


@given(
    settings_of(RootSection()), st.booleans(), st.sampled_from([None, "none", "embedded", "embedded:path=/x", "x:y"])
)
def test_configurations_of_every_shape(plain: Any, here: bool, discovery: str | None) -> None:  # noqa: FBT001  - a strategy's
    text = json.dumps(plain, indent=1)
    check(text, loaded(text, judge_machine=here, discovery=discovery))


@given(st.sampled_from(FILES), st.integers(0, 10**6), st.integers(0, 30), st.text(max_size=5) | st.sampled_from(WORDS))
def test_files_with_a_part_replaced(file: Path, place: int, length: int, instead: str) -> None:
    text = file.read_text(encoding="utf-8")
    at = place % len(text)
    text = (text[:at] + instead + text[at + length :]).encode("utf-8", "replace").decode()
    check(text, loaded(text))


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    check(text, loaded(text))


@given(st.text(max_size=300), st.integers(-5, 400), st.text("abcXYZ0123-/.", min_size=4, max_size=20))
def test_excerpts_show_no_secret_and_keep_the_caret(line: str, column: int, secret: str) -> None:
    line = f"{line} token: {secret}, x"
    shown, caret = excerpt(line, column, (secret,))
    assert secret not in shown
    assert len(shown) <= WIDTH
    assert 1 <= caret <= len(shown) + 1
    assert shown.isprintable()


@given(settings_of(RootSection()), st.sampled_from(["token", "secret", "a.b"]))
def test_the_values_of_secret_variables_are_in_no_problem(plain: Any, key: str) -> None:
    plain = {**plain, "consul": {key: "{{ .API_TOKEN }}", "x": "{{ .API_TOKEN }}"}, "discovery": None}
    result = loaded(json.dumps(plain).replace('"global"', '"{{ .API_TOKEN }}"'))
    assert "hunter22" not in "".join(problem.source_line + problem.rendered_line for problem in result.problems)


@pytest.mark.parametrize("file", ["{path: [3], maxSize: 10}", "{maxSize: 10}", '{path: "/no/such/directory/a"}'])
def test_a_file_that_cannot_be_used_is_a_problem_and_no_fault(file: str) -> None:
    text = f'{{jobs: [{{name: "a", exec: "true", logging: {{file: {file}}}}}]}}'
    result = loaded(text)
    check(text, result)
    assert result.problems
