"""`{file: …}` and `{env: …}` in the place of a plugin's texts."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from judging import judged

from corepilot.config.diagnostics.shown import shown
from corepilot.config.loading.exchange import LoadResult
from corepilot.config.schema.options import Judged, judge
from corepilot.model.plugin import Options as Held
from corepilot.plugin import OptionError, option
from corepilot.supervisor.difference import compare


@dataclass(frozen=True)
class Inner:
    password: str = option(help="word", default="", secret=True)


@dataclass(frozen=True)
class Options:
    token: str = option(help="hidden", default="", secret=True, env="TOKEN", env_wins=True)
    address: str = option(help="where", default="x")
    name: str | None = option(help="who", default=None)
    count: int = option(help="how many", default=1)
    inner: Inner = option(help="more", default=Inner())  # noqa: RUF009  - frozen, and a default like any other

    def __post_init__(self) -> None:
        if self.address == "bad":
            raise OptionError("address", "it is bad; write a good one")


def options(raw: dict[str, Any], **environment: str) -> Judged:
    return judge(Options, raw, environment)


def held(result: Judged) -> dict[str, Any]:
    assert result.options is not None, (result.complaints, result.missing)
    return result.options.plain()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"word", "word"),
        (b"word\n", "word"),
        (b"word\r\n", "word"),
        (b"word\n\n", "word\n"),
        (b"word\r", "word\r"),
        (b" w\xc3\xa4rd ", " wärd "),
        (b"two\nlines\n", "two\nlines"),
    ],
)
def test_one_line_end_of_a_file_is_cut_off(tmp_path: Path, written: bytes, value: str) -> None:
    (tmp_path / "secret").write_bytes(written)
    assert held(options({"token": {"file": f"{tmp_path}/secret"}}))["token"] == value


def test_variables_are_taken_as_they_are() -> None:
    assert held(options({"token": {"env": "WORD"}}, WORD="a\n"))["token"] == "a\n"


def test_every_text_can_be_referred_to_and_is_a_secret_then() -> None:
    raw = {"TOKEN": {"ENV": "A"}, "address": {"env": "B"}, "name": {"env": "C"}, "inner": {"password": {"env": "D"}}}
    result = options(raw, A="aaaa", B="bbbb", C="cccc", D="dddd")
    plain = held(result)
    assert (plain["token"], plain["address"], plain["name"], plain["inner"]["password"]) == (
        "aaaa", "bbbb", "cccc", "dddd",
    )  # fmt: skip
    assert isinstance(result.options, Held)
    assert sorted(result.options.secrets()) == ["aaaa", "bbbb", "cccc", "dddd"] == sorted(result.secrets)
    assert "bbbb" not in repr(result.options)
    written = options({"address": "seen", "token": "unseen"}).options
    assert written is not None
    assert written.secrets() == ("unseen",)


def test_where_the_variable_of_an_option_wins_the_reference_is_not_looked_at() -> None:
    assert held(options({"token": {"file": "/none"}}, TOKEN="won"))["token"] == "won"


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ({"env": "NONE"}, 'cannot read the variable "NONE": it is not set'),
        ({"env": "EMPTY"}, 'cannot read the variable "EMPTY": it is empty'),
        ({"file": "none"}, 'cannot read the file "none": no such file or directory'),
        ({"file": "."}, 'cannot read the file ".": it is not a regular file'),
        ({"file": "empty"}, 'cannot read the file "empty": it is empty'),
        ({"file": "fifo"}, 'cannot read the file "fifo": it is not a regular file'),
        ({"file": "bytes"}, 'cannot read the file "bytes": it is not UTF-8'),
        ({"file": "long"}, 'cannot read the file "long": it has more than 65536 bytes'),
        ({"file": "a\0b"}, "it is no path"),
    ],
)
def test_what_cannot_be_had_depends_on_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, str], rule: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "long").write_text("x" * 65537)
    os.mkfifo(tmp_path / "fifo")
    result = options({"inner": {"password": reference}}, EMPTY="")
    assert (result.options, result.complaints) == (None, [])
    ((path, complaint),) = result.missing
    assert path == ("inner", "password")
    assert complaint.rule.endswith(rule)


@pytest.mark.parametrize(
    "value", [{}, {"file": "a", "env": "b"}, {"file": 5}, {"env": ""}, {"other": "x"}, {"file": None}]
)
def test_objects_that_are_no_references(value: Any) -> None:
    result = options({"token": value})
    ((path, complaint),) = result.complaints
    assert (path, complaint.code) == (("token",), "wrong-type")
    assert complaint.hint == 'write { file: "/run/secrets/NAME" } or { env: "NAME" }'


def test_only_texts_can_be_referred_to() -> None:
    (complaint,) = options({"count": {"env": "N"}}, N="1").complaints
    assert (complaint[0], complaint[1].code) == (("count",), "wrong-type")


CONFIG = 'discovery: { backend: "consul", address: "consul:8500", token: %s }, jobs: [ { name: "a", exec: "true" } ]'


def consul(token: str, directory: Path, **request: Any) -> LoadResult:
    return judged(f"{{\n {CONFIG % token} }}", directory, **request)


def test_a_missing_file_is_an_error_with_its_place(tmp_path: Path) -> None:
    result = consul('{ file: "/none/such" }', tmp_path, judge_machine=True)
    (problem,) = result.problems
    assert result.config is None
    assert (problem.code, problem.path, problem.line, problem.machine) == ("file-missing", "discovery.token", 2, True)
    assert problem.message == 'cannot use discovery.token: cannot read the file "/none/such": no such file or directory'
    elsewhere = consul('{ file: "/none/such" }', tmp_path)
    assert elsewhere.config is not None
    assert [one.severity for one in elsewhere.problems] == ["warning"]


def test_what_was_referred_to_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("unseen-word\n")
    environment = {"ADDRESS": "unseen-host:8500"}
    good = consul(f'{{ file: "{tmp_path}/token" }}', tmp_path)
    assert good.config is not None
    text = shown(good.config, environment)
    assert "unseen" not in text + repr(good.config)
    (tmp_path / "token").write_text("other-word\n")
    other = consul(f'{{ file: "{tmp_path}/token" }}', tmp_path)
    assert other.config is not None
    changes = [one for one in compare(good.config, other.config).changes if one.what == "catalog"]
    assert [one.kind for one in changes] == ["changed"], "a reload takes a new secret into use"
    assert "word" not in repr(changes)


def test_messages_do_not_show_it_either(tmp_path: Path) -> None:
    raw = '{ discovery: { backend: "consul", address: { env: "A" }, scheme: "unseen-host", token: "x" } }'
    result = judged(raw, tmp_path, {"A": "unseen-host"})
    assert result.problems
    assert "unseen-host" not in "".join(one.text() for one in result.problems)
