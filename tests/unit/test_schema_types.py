"""How values and keys are read: ContainerPilot contract, section 3.2."""

from pathlib import Path
from typing import Any

import pytest
from judging import HEALTH, accepted, codes, errors, job, judged, warnings

from corepilot.model.command import Command
from corepilot.model.trigger import OnEvent, When


@pytest.mark.parametrize(
    ("value", "number"), [("7", 7), ("7.9", 7), ("-1.5", -1), ('"7"', 7), ('"0x10"', 16), ("true", 1), ("+5", 5)]
)
def test_whole_numbers_are_read_weakly(tmp_path: Path, value: str, number: int) -> None:
    assert accepted(f"{{ stopTimeout: {value}, discovery: false, jobs: [] }}", tmp_path).stop_timeout_s == number


@pytest.mark.parametrize("value", ['"7s"', '"yes"', "[1]", "{}", "Infinity", "NaN", '""', '"1.5"'])
def test_what_is_no_whole_number_is_refused(tmp_path: Path, value: str) -> None:
    assert codes(judged(f"{{ stopTimeout: {value} }}", tmp_path)) == [("wrong-type", "stopTimeout")]


@pytest.mark.parametrize(
    ("value", "text"), [('"x"', "x"), ("5", "5"), ("1.50", "1.5"), ("1e3", "1000"), ("true", "1"), ("false", "0")]
)
def test_texts_are_read_weakly(tmp_path: Path, value: str, text: str) -> None:
    assert job(f"name: {value}", tmp_path).name == text


@pytest.mark.parametrize("value", ["true", "1", '"t"', "2", '"TRUE"', "0", '"FALSE"', "null", "false", '""'])
def test_booleans_are_read_weakly(tmp_path: Path, value: str) -> None:
    made = job(f'name: "a", exec: "/bin/true", logging: {{ raw: {value} }}', tmp_path)
    assert made.command is not None
    assert made.command.raw is (value in {"true", "1", '"t"', "2", '"TRUE"'})


@pytest.mark.parametrize("value", ['"yes"', '"on"', "[]", "{}"])
def test_what_is_no_boolean_is_refused(tmp_path: Path, value: str) -> None:
    result = judged(f'{{ jobs: [ {{ name: "a", logging: {{ raw: {value} }} }} ] }}', tmp_path)
    assert codes(result) == [("wrong-type", "jobs[0].logging.raw")]


def test_elements_of_lists_become_texts(tmp_path: Path) -> None:
    made = job(f'name: "app", port: 1, {HEALTH}, tags: [1, true, "x", null, 2.5]', tmp_path)
    assert made.service is not None
    assert made.service.registration.tags == ("1", "1", "x", "", "2.5")


@pytest.mark.parametrize("key", ["tags"])
@pytest.mark.parametrize("value", ['"x"', "5", '{ a: "x" }', "true"])
def test_lists_of_texts_refuse_anything_else(tmp_path: Path, key: str, value: str) -> None:
    result = judged(f'{{ jobs: [ {{ name: "a", {key}: {value} }} ] }}', tmp_path)
    assert codes(result) == [("wrong-type", f"jobs[0].{key}")]


def test_an_empty_object_is_an_empty_list_where_containerpilot_takes_it_for_one(tmp_path: Path) -> None:
    """Observed: ContainerPilot 3.8 loads these, and none of them with anything in the braces."""
    made = job(f'name: "app", port: 1, {HEALTH}, interfaces: "static:192.0.2.1", tags: {{}}', tmp_path)
    assert made.service is not None
    assert made.service.registration.tags == ()
    keys = ("interfaces", "tags", "metrics")
    assert judged(f"{{ telemetry: {{ {', '.join(f'{key}: {{}}' for key in keys)} }} }}", tmp_path).config is not None
    for key in keys:
        text = f"{{ telemetry: {{ {key}: {{ a: 1 }} }} }}"
        assert codes(judged(text, tmp_path)) == [("wrong-type", f"telemetry.{key}")]


def test_an_element_that_is_no_text_is_named(tmp_path: Path) -> None:
    result = judged('{ jobs: [ { name: "a", tags: ["x", [], {}] } ] }', tmp_path)
    assert codes(result) == [("wrong-type", "jobs[0].tags[1]"), ("wrong-type", "jobs[0].tags[2]")]


# ----------------------------------------------------------------------------------------------------------- keys
def test_keys_below_the_top_level_are_the_same_in_any_case(tmp_path: Path) -> None:
    made = job('NAME: "a", Exec: "/bin/true", wHeN: { SOURCE: "b", ONCE: "healthy" }, stoptimeout: 3', tmp_path)
    assert (made.name, made.command, made.when) == ("a", Command(("/bin/true",)), When(OnEvent("healthy", "b")))
    assert made.stop.hook_timeout_s == 3


@pytest.mark.parametrize("key", ["Jobs", "StopTimeout", "WATCHES", "exitstatus"])
def test_keys_of_the_top_level_are_exact(tmp_path: Path, key: str) -> None:
    problems = errors(judged(f"{{ {key}: [] }}", tmp_path))
    assert [(one.code, one.path) for one in problems] == [("unknown-key", key)]
    assert problems[0].hint.startswith("write ")
    assert problems[0].hint.lower() == f"write {key.lower()}"


def test_one_key_in_two_cases_is_refused(tmp_path: Path) -> None:
    assert codes(judged('{ jobs: [ { name: "a", Name: "b" } ] }', tmp_path)) == [("unknown-key", "jobs[0].Name")]
    assert codes(judged('{ jobs: [ { NAME: "a", Name: "b" } ] }', tmp_path)) == [("unknown-key", "jobs[0].Name")]


@pytest.mark.parametrize(
    ("text", "path", "meant"),
    [
        ("{ job: [] }", "job", "jobs"),
        ('{ jobs: [ { name: "a", initialStatus: "passing" } ] }', "jobs[0].initialStatus", "initial_status"),
        ('{ jobs: [ { name: "a", health: { interval: 1, tll: 1, ttl: 1 } } ] }', "jobs[0].health.tll", "ttl"),
        ("{ logging: { levle: 1 } }", "logging.levle", "level"),
        ("{ telemetry: { metrics: [ { nmae: 1, name: 'a', help: 'b', type: 'gauge' } ] } }",
         "telemetry.metrics[0].nmae", "name"),
    ],
)  # fmt: skip
def test_unknown_keys_are_refused_with_the_nearest_known_one(tmp_path: Path, text: str, path: str, meant: str) -> None:
    problems = errors(judged(text, tmp_path))
    assert [(one.code, one.path) for one in problems] == [("unknown-key", path)]
    assert problems[0].hint == f'did you mean "{meant}"?'
    assert problems[0].column == text.index(path.rpartition(".")[2]) + 1


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("jobs: [ { name: 'a', poll: 5 } ]", "jobs[0].poll", "write interval in health"),
        ("jobs: [ { name: 'a', Heartbeat: 5 } ]", "jobs[0].Heartbeat", "write interval in health"),
        ("jobs: [ { name: 'a', frequency: '1s' } ]", "jobs[0].frequency", "write interval in when"),
        ("jobs: [ { name: 'a', restart: 1 } ]", "jobs[0].restart", "write restarts"),
        ("jobs: [ { name: 'a', when: { frequency: '1s' } } ]", "jobs[0].when.frequency", "write interval"),
        ("jobs: [ { name: 'a', when: { source: 'b', event: 'healthy' } } ]", "jobs[0].when.event",
         "write once or each instead of event"),
        ("jobs: [ { name: 'a', health: { poll: 1, interval: 1, ttl: 1 } } ]", "jobs[0].health.poll", "write interval"),
        ("discovery: 'embedded', watches: [ { name: 'db', interval: 1, poll: 1 } ]", "watches[0].poll",
         "write interval"),
        ("telemetry: { sensors: [] }", "telemetry.sensors",
         "write metrics, and a job for each that records it; for a version 2 file see corepilot migrate"),
    ],
)  # fmt: skip
def test_a_key_of_another_version_is_one_error_that_says_what_to_write(
    tmp_path: Path, text: str, path: str, hint: str
) -> None:
    problems = [one for one in judged(f"{{ {text} }}", tmp_path).problems if not one.machine]
    assert [(one.code, one.path, one.hint) for one in problems] == [("unknown-key", path, hint)]


def test_an_unknown_key_that_is_near_to_none_lists_all(tmp_path: Path) -> None:
    (problem,) = errors(judged("{ logging: { zzzzzzzz: 1 } }", tmp_path))
    assert problem.hint == "known here: level, format, output, keep"


def test_odd_keys_are_quoted_in_paths(tmp_path: Path) -> None:
    (problem,) = errors(judged('{ logging: { "a b.c": 1 } }', tmp_path))
    assert problem.path == "logging['a b.c']"
    assert codes(judged('{ "_schema": 1 }', tmp_path))[0][0] == "unknown-key"


def test_null_is_like_no_key(tmp_path: Path) -> None:
    text = """{ consul: null, discovery: null, logging: null, control: null, stopTimeout: null, telemetry: null,
      watches: null, exitStatus: null, reportFailing: null,
      jobs: [ { name: "a", exec: null, port: null, health: null, when: null, restarts: null, tags: null, timeout: null,
                interfaces: null, consul: null, logging: { raw: null }, stopTimeout: null, initial_status: null } ] }"""
    plain = accepted('{ jobs: [ { name: "a" } ] }', tmp_path)
    assert accepted(text, tmp_path) == plain
    assert codes(judged("{ jobs: [ { name: null } ] }", tmp_path)) == [("missing-key", "jobs[0].name")]
    assert codes(judged('{ jobs: [ { name: "a", foo: null } ] }', tmp_path)) == [("unknown-key", "jobs[0].foo")]


# ---------------------------------------------------------------------------------------------- arrays and objects
@pytest.mark.parametrize("key", ["jobs", "watches"])
@pytest.mark.parametrize("value", ["{}", '{ name: "a" }', '"a"', "1", "false"])
def test_jobs_and_watches_must_be_arrays(tmp_path: Path, key: str, value: str) -> None:
    problems = errors(judged(f"{{ {key}: {value} }}", tmp_path))
    assert [(one.code, one.path) for one in problems] == [("wrong-type", key)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{ jobs: [ 5 ] }", "jobs[0]"),
        ('{ jobs: [ "a" ] }', "jobs[0]"),
        ('{ jobs: [ { name: "a", health: "x" } ] }', "jobs[0].health"),
        ('{ jobs: [ { name: "a", when: "x" } ] }', "jobs[0].when"),
        ('{ logging: "DEBUG" }', "logging"),
        ("{ telemetry: true }", "telemetry"),
        ("{ telemetry: { metrics: [ 1 ] } }", "telemetry.metrics[0]"),
    ],
)
def test_objects_must_be_objects(tmp_path: Path, text: str, path: str) -> None:
    assert codes(judged(text, tmp_path)) == [("wrong-type", path)]


def test_null_elements_are_skipped_with_a_warning(tmp_path: Path) -> None:
    text = '{ discovery: false, jobs: [ null, { name: "a", exec: "/bin/true" }, null ] }'
    assert [one.name for one in accepted(text, tmp_path).jobs] == ["a"]
    assert warnings(judged(text, tmp_path)) == [("null-element", "jobs[0]"), ("null-element", "jobs[2]")]


def test_duplicate_keys_last_wins_with_a_warning_that_names_both_places(tmp_path: Path) -> None:
    text = '{ discovery: false,\n jobs: [ { name: "a",\n   exec: "/bin/false",\n   exec: "/bin/true" } ] }'
    result = judged(text, tmp_path)
    assert accepted(text, tmp_path).jobs[0].command == Command(("/bin/true",))
    (problem,) = result.problems
    assert (problem.code, problem.severity, problem.line) == ("duplicate-key", "warning", 4)
    assert "lines 3 and 4" in problem.message
    assert [one.code for one in errors(judged(text, tmp_path, strict=True))] == ["duplicate-key"]


@pytest.mark.parametrize("text", ["null", "[]", "5", '"x"', "true"])
def test_the_configuration_is_an_object(tmp_path: Path, text: str) -> None:
    assert codes(judged(text, tmp_path)) == [("not-an-object", "")]


# -------------------------------------------------------------------------------------------------- all at once
def test_everything_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    text = """{
      stopTimeout: "5s",
      logging: { level: "loud", colour: true },
      jobs: [
        { exec: [] },
        { name: "b", port: 80, restarts: -1, health: { interval: 0, ttl: "x" }, when: { once: "helthy" } },
      ],
      watches: [ { name: "Db" } ],
      telemetry: { port: "x", metrics: [ {} ] },
    }"""
    assert sorted(codes(judged(text, tmp_path))) == sorted(
        [
            ("wrong-type", "stopTimeout"),
            ("wrong-value", "logging.level"),
            ("unknown-key", "logging.colour"),
            ("missing-key", "jobs[0].name"),
            ("bad-exec", "jobs[0].exec"),
            ("bad-name", "jobs[1].name"),
            ("bad-restarts", "jobs[1].restarts"),
            ("wrong-value", "jobs[1].health.interval"),
            ("wrong-type", "jobs[1].health.ttl"),
            ("unknown-event", "jobs[1].when.once"),
            ("bad-name", "watches[0].name"),
            ("no-catalog", "watches[0]"),
            ("wrong-type", "telemetry.port"),
            ("missing-key", "telemetry.metrics[0].name"),
            ("missing-key", "telemetry.metrics[0].help"),
            ("missing-key", "telemetry.metrics[0].type"),
        ]
    )


def test_every_error_has_its_place_its_job_and_what_to_do(tmp_path: Path) -> None:
    text = '{\n  jobs: [\n    { name: "app",\n      health: { interval: "5s", ttl: 10 } }\n  ]\n}\n'
    (problem,) = errors(judged(text, tmp_path))
    assert problem.message == 'cannot use jobs[0].health.interval (job "app"): "5s" is not a whole number of seconds'
    assert problem.hint == "write 5: the number counts seconds"
    assert (problem.line, problem.column, problem.job) == (4, 27, "app")
    assert problem.file == str(tmp_path / "app.json5")
    assert problem.source_line[problem.caret - 1 :].startswith('"5s"')


def test_too_many_errors_are_counted(tmp_path: Path) -> None:
    entries = ", ".join(f'{{ name: "a{number}", foo: 1 }}' for number in range(150))
    result = judged(f"{{ jobs: [ {entries} ] }}", tmp_path)
    assert result.config is None
    assert len(result.problems) == 101
    assert any("50 more errors" in problem.message for problem in result.problems)


def test_warnings_do_not_crowd_errors_out(tmp_path: Path) -> None:
    entries = ", ".join(f'{{ name: "a{number}", when: {{}} }}' for number in range(150))
    result = judged(f'{{ jobs: [ {entries} ], watches: [ {{ name: "db", interval: 1 }} ] }}', tmp_path)
    assert codes(result) == [("no-catalog", "watches[0]")]
    assert any("50 more warnings" in problem.message for problem in result.problems)


def test_templates_are_shown_with_what_they_made(tmp_path: Path) -> None:
    text = '{{ if .X }}\n{{ end }}{\n  jobs: [ { name: "a", restarts: "{{ .RESTARTS }}" } ] }'
    (problem,) = errors(judged(text, tmp_path))
    assert (problem.line, problem.column, problem.path) == (3, 34, "jobs[0].restarts")
    assert problem.unset == ("RESTARTS",)
    assert problem.rendered_line == 'jobs: [ { name: "a", restarts: "" } ] }'
    assert problem.rendered_number == 2


def problem_of(result: Any) -> Any:
    (problem,) = result.problems
    return problem


def test_a_variable_that_is_not_set_is_named_with_the_way_out(tmp_path: Path) -> None:
    problem = problem_of(judged("{ jobs: [\n  { port: {{ .PORT }} } ] }", tmp_path))
    assert (problem.code, problem.line, problem.column) == ("json5", 2, 10)
    assert problem.unset == ("PORT",)
    assert problem.hint == 'set PORT, or give a default: {{ .PORT | default "…" }}'


def test_a_missing_comma_is_shown_where_reading_stopped(tmp_path: Path) -> None:
    problem = problem_of(judged("{ stopTimeout: 5 // five\n  /* more */ jobs: [] }", tmp_path))
    assert (problem.code, problem.line, problem.column) == ("json5", 2, 14)
    assert problem.hint.endswith("in line 1")


def test_a_broken_template_is_one_error_with_its_place(tmp_path: Path) -> None:
    problem = problem_of(judged("{\n  jobs: {{ .X | nosuch }}\n}", tmp_path))
    assert (problem.code, problem.line) == ("template", 2)
    assert problem.source_line == "  jobs: {{ .X | nosuch }}"


def test_a_file_that_others_can_write_gets_one_piece_of_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "app.json5").touch()
    (tmp_path / "app.json5").chmod(0o666)
    (problem,) = judged('{ jobs: [ { name: "a" } ] }', tmp_path).problems
    assert problem.code == "source-open"
    assert problem.sentence().endswith("app.json5' can be written by everyone, and root runs what it says; "
                                       "remove that right with chmod go-w")  # fmt: skip
    assert problem.sentence().count("chmod") == 1
