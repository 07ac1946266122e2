"""A configuration of several documents: each is rendered alone, and every error names the document and the line."""

from pathlib import Path
from typing import Any

import pytest

from corepilot.config.loading.exchange import LoadRequest, LoadResult
from corepilot.config.loading.loader import load
from corepilot.model.origin import Origin

BASE = '{ discovery: false, jobs: [\n  { name: "app", exec: "true" },\n] }\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf.d").mkdir()
    return tmp_path


def written(here: Path, **texts: str) -> None:
    """Files of conf.d: `a` is 10-a.json5, `b` 20-b.json5, …."""
    for number, (name, text) in enumerate(texts.items(), 1):
        (here / "conf.d" / f"{number}0-{name}.json5").write_text(text)


def loaded(*locations: str, environment: dict[str, str] | None = None, **request: Any) -> LoadResult:
    settings = {"judge_machine": False, "hostname": "host", **request}
    return load(LoadRequest(locations or ("conf.d",), {"PATH": "/bin", **(environment or {})}, **settings))


def sentences(result: LoadResult) -> list[str]:
    return [one.sentence() for one in result.problems]


def test_an_error_in_the_third_file_names_the_file_and_the_line(here: Path) -> None:
    written(
        here, a=BASE, b="{ logging: { level: 'debug' } }", c='{\n  jobs: [\n    { name: "app", restarts: "x" },\n] }'
    )
    result = loaded()
    assert result.config is None
    (problem,) = result.problems
    assert (problem.file, problem.line, problem.column) == ("conf.d/30-c.json5", 3, 30)
    assert problem.message.startswith('cannot use jobs[0].restarts (job "app"): "x" is neither')
    assert problem.source_line == '    { name: "app", restarts: "x" },'


def test_errors_of_all_files_come_in_their_order(here: Path) -> None:
    written(here, a='{ jobs: [ { name: "a", restarts: "x" } ] }', b="\n\n{ stopTimeout: [] }", c="{\n logging: 5 }")
    places = [(one.file, one.line) for one in loaded().problems]
    assert places == [("conf.d/10-a.json5", 1), ("conf.d/20-b.json5", 3), ("conf.d/30-c.json5", 2)]


def test_texts_that_cannot_be_read_are_all_reported(here: Path) -> None:
    written(here, a="{ jobs: [ }", b=BASE, c="{\n  a b }")
    assert [(one.code, one.file, one.line) for one in loaded().problems] == [
        ("json5", "conf.d/10-a.json5", 1),
        ("json5", "conf.d/30-c.json5", 2),
    ]


def test_templates_that_fail_are_all_reported(here: Path) -> None:
    written(here, a="{{ nothing }}", b=BASE, c="\n{{ if }}")
    assert [(one.code, one.file, one.line) for one in loaded().problems] == [
        ("template", "conf.d/10-a.json5", 1),
        ("template", "conf.d/30-c.json5", 2),
    ]


def test_each_document_is_rendered_alone(here: Path) -> None:
    written(here, a='{{ $x := "a" }}{{ define "t" }}1{{ end }}{}', b='{{ template "t" }}')
    assert [(one.code, one.file) for one in loaded().problems] == [("template", "conf.d/20-b.json5")]
    written(here, a='{{ $x := "a" }}{ jobs: [ {name: "{{ $x }}", exec: "{{ .WORD }}"} ] }', b="{}")
    config = loaded(environment={"WORD": "true"}).config
    assert config is not None
    assert [job.name for job in config.jobs] == ["a"]


def test_a_document_that_is_no_object_is_named(here: Path) -> None:
    written(here, a=BASE, b="\n[]", c="5")
    assert sentences(loaded()) == [
        "conf.d/20-b.json5:2:1: cannot use the configuration: it is an array, not an object; write { jobs: [ … ] }",
        "conf.d/30-c.json5:1:1: cannot use the configuration: it is a number, not an object; write { jobs: [ … ] }",
    ]


def test_a_name_that_cannot_be_merged_is_named_with_both_places(here: Path) -> None:
    written(here, a=BASE, b='{ jobs: [\n  { name: "app" },\n\n  { name: "app" } ] }')
    assert "".join(sentences(loaded())) == (
        'conf.d/20-b.json5:4:3: cannot merge by name: "app" is there twice, in conf.d/20-b.json5:2 and '
        "conf.d/20-b.json5:4; give each a name of its own, or leave one of them out"
    )


def test_what_is_missing_is_shown_where_the_object_begins(here: Path) -> None:
    written(
        here, a='{ jobs: [\n  { name: "app", exec: "true" } ] }', b='{ jobs: [ { name: "app", health: {ttl: 5} } ] }'
    )
    (problem,) = loaded().problems
    assert (problem.code, problem.file, problem.line, problem.column) == ("missing-key", "conf.d/20-b.json5", 1, 34)


def test_a_problem_of_the_whole_names_the_locations(here: Path) -> None:
    (here / "x.json5").write_text("{}")
    assert sentences(loaded("conf.d", "x.json5")) == ["x.json5: the configuration has nothing to run; add jobs: [ … ]"]
    (here / "y.json5").write_text("{}")
    assert sentences(loaded("x.json5", "y.json5")) == [
        "x.json5, y.json5: the configuration has nothing to run; add jobs: [ … ]"
    ]


def test_duplicate_keys_are_warned_of_in_each_document(here: Path) -> None:
    written(here, a=BASE, b="{\n stopTimeout: 1,\n stopTimeout: 2 }")
    assert "".join(sentences(loaded())) == (
        "conf.d/20-b.json5:3:2: duplicate key stopTimeout, in lines 2 and 3: the last value is used; leave one of them "
        "out"
    )


def test_every_value_knows_its_document(here: Path) -> None:
    written(here, a=BASE, b='{ jobs: [\n { name: "b", exec: "true" },\n { name: "app", restarts: 2 } ] }')
    config = loaded().config
    assert config is not None
    first, second = "conf.d/10-a.json5", "conf.d/20-b.json5"
    assert config.origins.documents == (first, second)
    assert config.origins.of("discovery") == Origin(first, 1, 14)
    assert config.origins.of("jobs[0]") == Origin(first, 2, 3)
    assert config.origins.of("jobs[0].restarts") == Origin(second, 3, 27)
    assert config.origins.of("jobs[1].exec") == Origin(second, 2, 21)
    assert [(job.name, job.path) for job in config.jobs] == [("app", "jobs[0]"), ("b", "jobs[1]")]


def test_locations_are_merged_in_their_order(here: Path) -> None:
    written(here, a=BASE, b='{ jobs: [ { name: "app", exec: "from b" } ] }')
    (here / "last.json5").write_text('{ jobs: [ { name: "app", restarts: "unlimited" } ] }')
    environment = {"MORE": '{ jobs: [ { name: "app", exec: "from MORE" } ] }'}
    config = loaded("conf.d", "env:MORE", "last.json5", environment=environment).config
    assert config is not None
    (job,) = config.jobs
    assert job.command is not None
    assert (job.command.argv, job.restarts.limit) == (("from", "MORE"), -1)
    assert config.location == "conf.d, env:MORE, last.json5"
    other = loaded("env:MORE", "conf.d", environment=environment).config
    assert other is not None
    assert other.jobs[0].command is not None
    assert other.jobs[0].command.argv == ("from", "b")


def test_what_cannot_be_read_is_all_reported_and_nothing_is_used(here: Path) -> None:
    (here / "good.json5").write_text(BASE)
    result = loaded("none.json5", "good.json5", "env:NONE")
    assert result.config is None
    assert [(one.code, one.file) for one in result.problems] == [("source", "none.json5"), ("source", "env:NONE")]


def test_rendering_shows_each_document_with_its_name(here: Path) -> None:
    written(here, a="{a: {{ .X }}}", b="{b: 2}\n")
    result = loaded(environment={"X": "1"}, render_only=True)
    assert result.rendered == "// conf.d/10-a.json5\n{a: 1}\n// conf.d/20-b.json5\n{b: 2}\n"
    assert loaded("conf.d/10-a.json5", environment={"X": "1"}, render_only=True).rendered == "{a: 1}"


def test_a_directory_without_documents_needs_another_location(here: Path) -> None:
    assert "".join(sentences(loaded())) == (
        "conf.d: cannot read configuration: there is no document in it; of a directory, files that end in "
        ".json5 or .json are read"
    )
    (here / "x.json5").write_text(BASE)
    assert loaded("x.json5", "conf.d").config is not None


def test_documents_are_bounded_together(here: Path) -> None:
    written(here, a=BASE, b=f"{{}} // {'x' * 3_000_000}", c=f"{{}} // {'x' * 3_000_000}")
    assert "its documents have more than 4194304 characters together" in sentences(loaded())[0]


def test_secrets_in_locations_are_not_shown() -> None:
    result = loaded("http://user:hunter22@127.0.0.1:1/x?token=abcdefg#token-env=X")
    text = "".join(one.text() for one in result.problems)
    assert "hunter22" not in text
    assert "abcdefg" not in text
    assert result.problems[0].file == "http://user:***@127.0.0.1:1/x?…#…"


def test_paths_only_is_what_containerpilot_means(here: Path) -> None:
    (here / "env:X").write_text(BASE)
    config = loaded("env:X", paths_only=True).config
    assert config is not None
    assert config.jobs[0].name == "app"
    (problem,) = loaded("conf.d", paths_only=True).problems
    assert problem.message == "cannot read configuration: it is a directory"
