import json
import subprocess

import gevent
import pytest

from corepilot.control.payload import (
    MAX_ENVIRON_BYTES,
    MAX_NAMES,
    MAX_VARIABLE_BYTES,
    EnvironBudget,
    PayloadError,
    encode,
    parse_environ,
    parse_object,
    sensitive_names,
)


def test_null_is_an_empty_object() -> None:
    assert parse_object(b" null\n") == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"3",
        b"{",
        b'{"a":1} x',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":' + b"9" * 60000 + b"}",
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b"[" * 60000,
        b'{"a":' * 10000,
    ],
)
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse_object(body)


def test_a_lone_surrogate_is_replaced_as_go_does() -> None:
    assert parse_object(rb'{"a\ud800":"b\udfff"}') == {"a\ufffd": "b\ufffd"}
    assert parse_object(rb'{"a":"\ud83d\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{ "a" : 1 , "b":[ {"c" :2.5}]\n}\n ', {"a": 1, "b": [{"c": 2.5}]}),
        (rb'{"a\"\u0041":{"b":{}},"a":1,"a":true}', {'a"A': {"b": {}}, "a": True}),
    ],
)
def test_what_is_an_object(body: bytes, value: dict[str, object]) -> None:
    assert parse_object(body) == value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "expecting property name enclosed in double quotes (character 1)"),
        (b'{"a" 1}', "expecting ':' delimiter (character 5)"),
        (b'{"a":}', "expecting value (character 5)"),
        (b'{"a":1 "b":2}', "expecting ',' delimiter (character 7)"),
        (b'{"a":1,}', "expecting property name enclosed in double quotes (character 7)"),
        (b'{"a":1}}', "extra data (character 7)"),
    ],
)
def test_where_it_is_no_json(body: bytes, error: str) -> None:
    with pytest.raises(PayloadError) as caught:
        parse_object(body)
    assert str(caught.value).startswith("the body is not JSON: ")
    assert str(caught.value).endswith(error)


def test_a_large_body_lets_others_run() -> None:
    turns: list[int] = []

    def others() -> None:
        while True:
            turns.append(len(turns))
            gevent.sleep(0.001)

    running = gevent.spawn(others)
    try:
        for body in (b"{" + b",".join(b'"m%d":%d' % (n, n) for n in range(60_000)) + b"}",
                     b'{"m":[' + b"1," * 500_000 + b"1]}"):  # fmt: skip
            before = len(turns)
            parse_object(body)
            assert len(turns) > before + 1
    finally:
        running.kill()


def test_environ_refuses_too_many_names_at_once() -> None:
    body = json.dumps({f"={number}": "" for number in range(MAX_NAMES + 1)}).encode()
    with pytest.raises(PayloadError, match="it has 4097 variables"):
        parse_environ(body)


def test_a_name_of_a_megabyte_is_cut_where_it_is_shown() -> None:
    name = "x" * 1_000_000
    assert parse_environ(b'{"=%b":""}' % name.encode())[1] == ["=" + "x" * 39 + "…"]
    with pytest.raises(PayloadError) as caught:
        parse_environ(b'{"%b":1}' % name.encode())
    assert len(str(caught.value)) < 100


def test_environ_takes_text_and_null() -> None:
    assert parse_environ(b'{"A":"1","B":null,"C":""}') == ({"A": "1", "B": None, "C": ""}, [])


def test_environ_skips_names_that_cannot_be() -> None:
    values, skipped = parse_environ(rb'{"":"1","A=B":"2","N\u0000":"3","V":"\u0000","OK":"4"}')
    assert values == {"OK": "4"}
    assert skipped == ["", "A=B", "N\0", "V"]


@pytest.mark.parametrize("value", [b"1", b"true", b"[]", b"{}"])
def test_environ_refuses_all_when_one_value_is_no_text(value: bytes) -> None:
    with pytest.raises(PayloadError, match="'B' is neither text nor null"):
        parse_environ(b'{"A":"1","B":' + value + b"}")


def test_a_refusal_never_quotes_a_value() -> None:
    with pytest.raises(PayloadError) as caught:
        parse_environ(b'{"A":["s3cret"]}')
    assert "s3cret" not in str(caught.value)


def test_the_budget_bounds_names_over_all_requests() -> None:
    budget = EnvironBudget()
    budget.charge({f"N{number}": "" for number in range(MAX_NAMES)})
    budget.charge({"N0": "again"})
    with pytest.raises(PayloadError, match="more than 4096 variables"):
        budget.charge({"ONE_MORE": ""})


def test_the_budget_bounds_bytes_and_forgets_what_was_replaced() -> None:
    budget = EnvironBudget()
    piece = "x" * (MAX_VARIABLE_BYTES - len("N0=\0"))
    fits = {f"N{number}": piece for number in range(MAX_ENVIRON_BYTES // MAX_VARIABLE_BYTES)}
    budget.charge(fits)
    budget.charge(fits)
    with pytest.raises(PayloadError, match="1048576 bytes"):
        budget.charge({"B": piece})
    budget.charge({"N0": None})
    budget.charge({"B": piece[4:]})


def test_the_budget_refuses_what_no_program_can_be_started_with() -> None:
    longest = "x" * (MAX_VARIABLE_BYTES - len("A=\0"))
    assert subprocess.run(["/bin/true"], env={"A": longest}, check=False).returncode == 0
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["/bin/true"], env={"A": longest + "x"}, check=False)
    EnvironBudget().charge({"A": longest})
    with pytest.raises(PayloadError, match="'A' has 131073 bytes"):
        EnvironBudget().charge({"A": longest + "x"})


def test_sensitive_names() -> None:
    assert sensitive_names({"LD_PRELOAD": "", "PATH": "", "PYTHONPATH": "", "OLD_X": ""}) == [
        "LD_PRELOAD",
        "PYTHONPATH",
    ]


def test_sensitive_names_cannot_forge_a_line() -> None:
    assert sensitive_names({"LD_\n\x1b[2J": ""}) == [r"LD_\n\x1b[2J"]


def test_answers_can_always_be_encoded() -> None:
    assert encode({"a": "\udcff", "b": {1}}) == b'{"a":"\\udcff","b":"{1}"}\n'
