"""What goes to the loader and what comes back, as bytes."""

import marshal

import pytest

from corepilot.config.diagnostics.problems import Problem
from corepilot.config.loading.exchange import (
    LoadRequest,
    LoadResult,
    decode_request,
    decode_result,
    encode_request,
    encode_result,
    unanswered,
)
from corepilot.model.command import Command
from corepilot.model.configuration import Configuration
from corepilot.model.job import Job
from corepilot.model.plugin import Options, PluginReference, Secret
from corepilot.model.trigger import AllOf, Never, OnInterval, When

REQUEST = LoadRequest(
    ("app.json5",),
    {"A": "b", "ODD": "\udcff\U0001f600"},
    "embedded:path=/x",
    strict=True,
    hostname="host",
    render_only=True,
)
CONFIGURATION = Configuration(
    jobs=(Job("a\udcff", Command(("x", "\U0001f600")), When(AllOf((OnInterval(1.5), Never()))), timeout_s=1.5),),
    catalogs=(("default", PluginReference("x", "m", "", "d", "1", Options((("token", Secret("t")), ("n", None))))),),
    warnings=("one",),
)
RESULT = LoadResult(CONFIGURATION, [Problem("warning", "json5", "x")], None)


def test_requests_survive() -> None:
    assert decode_request(encode_request(REQUEST)) == REQUEST


@pytest.mark.parametrize("stages", [b"", b"s", b"stjr"])
def test_results_survive_behind_any_stages(stages: bytes) -> None:
    assert decode_result(stages + encode_result(RESULT), REQUEST, 0) == RESULT
    back = decode_result(stages + encode_result(RESULT), REQUEST)
    assert back == RESULT
    assert back.config is not None
    assert back.config.warnings == ("one",)
    assert type(back.config.jobs[0].when.trigger) is AllOf


def test_a_half_request_is_refused() -> None:
    data = encode_request(REQUEST)
    for length in range(len(data)):
        with pytest.raises((EOFError, ValueError, TypeError)):
            decode_request(data[:length])


@pytest.mark.parametrize(
    ("stages", "status", "code", "words"),
    [
        (b"", 1, "loader", "starting the loader did not end: the loader ended with exit status 1"),
        (b"s", 139, "loader", "reading it did not end: the loader was killed by signal 11"),
        (b"st", 152, "limit", "the template did not end within 2 s of CPU time"),
        (b"stj", 152, "limit", "reading the rendered text did not end within 2 s"),
        (b"stjr", 137, "limit", "more than 2 s of CPU time, or there was too little memory"),
        (b"stjr", None, "loader", "the loader ended"),
    ],
)
def test_a_loader_that_died_makes_one_clear_error(stages: bytes, status: int, code: str, words: str) -> None:
    half = encode_result(RESULT)[:-3]
    for answer in (stages, stages + half):
        result = decode_result(answer, REQUEST, status)
        assert result.config is None
        (problem,) = result.problems
        assert problem.code == code
        assert problem.message.startswith("cannot load app.json5: ")
        assert words in problem.message
        assert problem.hint


def test_a_loader_that_took_too_long() -> None:
    (problem,) = unanswered(REQUEST, b"s", deadline_s=10).problems
    assert problem.message == "cannot load app.json5: reading it did not end within 10 s"


def test_an_answer_of_another_form_is_no_answer() -> None:
    for data in (marshal.dumps(5), marshal.dumps((1, 2)), marshal.dumps((None, [{}], None)), b"\xff"):
        assert decode_result(b"s=" + data, REQUEST, 0).problems[0].code == "loader"
