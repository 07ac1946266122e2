"""Problems as people and programs see them."""

import ast
import json
import marshal
from pathlib import Path
from typing import Any

import pytest
from judging import judged

import corepilot.config
from corepilot.config.diagnostics.excerpts import WIDTH, excerpt, masked, secret_values
from corepilot.config.diagnostics.problems import CODES, Problem, in_order
from corepilot.config.diagnostics.shown import shown

SOURCES = Path(corepilot.config.__file__).parent


def problem(**fields: Any) -> Problem:
    one = Problem("error", "json5", "cannot read the configuration: missing value for the key 'port'", "set PORT")
    one.file, one.line, one.column = "app.json5", 8, 12
    one.source_line, one.caret = "    port: {{ .PORT }},", 10
    one.rendered_line, one.rendered_number, one.unset = "port: ,", 6, ("PORT",)
    for name, value in fields.items():
        setattr(one, name, value)
    return one


def test_the_text_is_like_a_compilers() -> None:
    assert problem().text() == (
        "app.json5:8:12: error: cannot read the configuration: missing value for the key 'port'\n"
        "  8 |     port: {{ .PORT }},\n"
        "    |          ^\n"
        "    = rendered, line 6: port: ,\n"
        "    = not set: PORT\n"
        "    = set PORT"
    )


def test_what_depends_on_the_machine_says_so() -> None:
    text = problem(severity="warning", machine=True, line=0, column=0, source_line="", rendered_number=0).text()
    assert text.startswith("app.json5: warning (depends on this machine): ")


def test_a_problem_without_a_place_begins_with_what_it_is() -> None:
    bare = Problem("error", "bad-discovery", "cannot use --discovery")
    assert bare.text() == "error: cannot use --discovery"
    assert bare.sentence() == "cannot use --discovery"


def test_the_sentence_is_one_line_with_everything() -> None:
    assert problem().sentence() == (
        "app.json5:8:12: cannot read the configuration: missing value for the key 'port'; not set: PORT; set PORT"
    )


def test_problems_survive_json_and_marshal() -> None:
    one = problem()
    assert Problem.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert Problem.from_json(marshal.loads(marshal.dumps(one.to_json()))) == one


def test_problems_are_sorted_by_place() -> None:
    source_map = [(9, 1, "warning"), (0, 0, "error"), (9, 1, "error"), (2, 7, "error"), (2, 3, "warning")]
    problems = [problem(line=line, column=column, severity=severity) for line, column, severity in source_map]
    assert [(one.line, one.column, one.severity) for one in in_order(problems)] == [
        (0, 0, "error"), (2, 3, "warning"), (2, 7, "error"), (9, 1, "error"), (9, 1, "warning"),
    ]  # fmt: skip


def test_the_table_of_codes_holds_exactly_what_the_code_uses() -> None:
    used = {
        node.value
        for file in SOURCES.rglob("*.py")
        if file.name not in {"problems.py", "reference.py"}
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in CODES
    }
    assert used == set(CODES)


# ------------------------------------------------------------------------------------------------------- excerpts
def test_a_long_line_is_cut_around_the_caret() -> None:
    line = "".join(chr(ord("a") + number % 26) for number in range(1000))
    for column in (1, 5, 100, 500, 995, 1000, 1001):
        text, caret = excerpt(line, column)
        assert len(text) <= WIDTH
        assert text[caret - 1 : caret] == line[column - 1 : column]


def test_control_characters_are_not_shown() -> None:
    text, caret = excerpt("a\x1b[31m\tb\u202ec\udc80\r", 4)
    assert text == "a\ufffd[31m b\ufffdc\ufffd"
    assert caret == 4


@pytest.mark.parametrize(
    "line", ["a" * 3_000_000, "token" * 600_000, 'token:"' * 400_000, "token: " + " " * 3_000_000, "\x00" * 3_000_000]
)
def test_very_long_lines_take_no_time(line: str) -> None:
    for column in range(1, len(line), len(line) // 50):
        text, _ = excerpt(line, column, ("hunter22",))
        assert len(text) <= WIDTH


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('token: "s3cret", port: 1', 'token: "******", port: 1'),
        ("consul: {token:'s3cret'}", "consul: {token:'******'}"),
        ('"db_password": "a\\"b c", x: 1', '"db_password": "******", x: 1'),
        ("exec: 'app --api-key=abcdef --x'", "exec: 'app --api-key=****** --x'"),
        ('token: "{{ .TOKEN }}"', 'token: "{{ .TOKEN }}"'),
        ('token: "unclosed', 'token: "********'),
        ('tokens: "kept"', 'tokens: "****"'),
        ('name: "app", port: 80', 'name: "app", port: 80'),
        ("exec: 'app --token s3cret -x'", "exec: 'app --token ****** -x'"),
        ("exec: 'app -db-password \"a b\" -x'", "exec: 'app -db-password \"***\" -x'"),
        ('exec: ["app", "--token", "s3\\"c", "x"]', 'exec: ["app", "--token", "*****", "x"]'),
        ("exec: ['app','--api-key' , 's3cret']", "exec: ['app','--api-key' , '******']"),
        ('exec: ["app", "--secret",\n  "s3cret"]', 'exec: ["app", "--secret",\n  "******"]'),
        ("exec: 'app --token {{ .TOKEN }}'", "exec: 'app --token {{ .TOKEN }}'"),
        ("// the token is in the file", "// the token is in the file"),
        ('"http://user:s3cret@host:8500/x"', '"http://user:******@host:8500/x"'),
        ('"redis://:s3@cret/x@host"', '"redis://:*********@host"'),
        ('consul: "user:s3cret@host"', 'consul: "user:******@host"'),
        ("exec: 'app --url=http://u:s3cret@h x'", "exec: 'app --url=http://u:******@h x'"),
        ('"http://{{ .U }}:{{ .P }}@host"', '"http://{{ .U }}:{{ .P }}@host"'),
        ('"http://host:80/x", "a@b"', '"http://host:80/x", "a@b"'),
    ],
)
def test_what_looks_like_a_secret_is_masked(line: str, shown: str) -> None:
    assert masked(line) == shown
    assert len(shown) == len(line)


def test_what_makes_a_line_secret_may_be_in_the_lines_before_it() -> None:
    before = 'exec: ["app",\n  "--token",\n'
    assert excerpt('  "s3cret", "x"]', 4, (), before) == ('  "******", "x"]', 4)
    assert excerpt("x" * 40_000 + ' "s3cret"', 40_003, (), "--token ")[0].endswith('xx "s3cret"')


@pytest.mark.parametrize(
    "text",
    [
        'consul: "http://user:canary@host:1", jobs: []',
        'consul: "user:canary@host:1:2"',
        'consul: {address: "http://user:canary@host:1/x"}',
        'discovery: {backend: "http://user:canary@host"}',
        'discovery: "http://user:canary@host"',
        'consul: false, jobs: [{name: "http://user:canary@host", exec: "x", port: 1, health: {interval: 1, ttl: 5}}]',
        'consul: false, jobs: [{name: "a", exec: ["app", "--token", "canary", 5, {}]}]',
        'consul: false, jobs: [{name: "a", exec: ["app",\n"--token",\n"canary", {}]}]',
        'consul: false, jobs: [{name: "a", exec: "app --token canary \'x\'"}]',
        'consul: false, jobs: [{name: "a", exec: "app --password canary", restart: 1}]',
        'consul: false, jobs: [{name: "a", exec: ["http://user:canary@host"]}]',
        'consul: false, jobs: [{name: "a", exec: "curl http://user:canary@host && true"}]',
        'consul: false, jobs: [{name: "a", exec: "true", when: {source: "http://user:canary@host", once: "healthy"}}]',
        'consul: false, jobs: [{name: "a", exec: "app --secret canary" port: 1}]',
        'consul: false, logging: {output: "/no/user:canary@host", format: "http://user:canary@host"}',
    ],
)
def test_no_secret_of_a_configuration_is_in_what_is_said_of_it(text: str, tmp_path: Path) -> None:
    result = judged(f"{{ {text} }}", tmp_path)
    assert result.problems
    said = [str(one) for problem in result.problems for one in (problem.text(), problem.sentence(), problem.to_json())]
    assert [one for one in said if "canary" in one] == []
    if result.config is not None:
        assert "canary" not in str(result.config.warnings)
        assert "canary" not in shown(result.config, {})  # what the debug log shows


def test_values_of_secret_variables_are_masked_wherever_they_stand() -> None:
    environment = {"DB_PASSWORD": "hunter22", "API_TOKEN": "line-one\nline-two", "PASSWD": "1", "HOME": "/root"}
    secrets = secret_values(environment)
    assert set(secrets) == {"hunter22", "line-one", "line-two"}
    assert masked("exec: 'x hunter22 line-two 1 /root'", secrets) == "exec: 'x ******** ******** 1 /root'"
