import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corepilot.config.text.units import DurationError, format_duration, parse_duration, weak_bool, weak_int, weak_str

ROOT = Path(__file__).parents[2]
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests/data/units/answers.jsonl").read_text("utf-8").splitlines()
]
TOO_LONG = "cannot hold the number in 64 bits; write one of at most 9223372036854775807"


def answers(kind: str) -> list[dict[str, Any]]:
    found = [row for row in ANSWERS if row["kind"] == kind]
    assert found
    return found


def refusal(read: Callable[[Any], Any], value: Any) -> str:
    """Return the message `value` is refused with, or "" if it is not."""
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return ""


def check_against_go(
    rows: list[dict[str, Any]], read: Callable[[Any], Any], out: Callable[[Any], Any] = lambda value: value
) -> None:
    wrong = []
    for row in rows:
        message = refusal(read, row["in"])
        if message.startswith("cannot ") != ("error" in row) or (not message and read(row["in"]) != out(row["out"])):
            wrong.append((row, message))
    assert wrong == []


def test_durations_are_read_as_go_does() -> None:
    check_against_go(
        answers("duration"),
        lambda text: parse_duration(text, bare_integer_seconds=False),
        lambda ns: ns / 1_000_000_000,
    )


def test_durations_with_bare_integers_are_read_as_containerpilot_does() -> None:
    check_against_go(answers("bare"), parse_duration, lambda ns: ns / 1_000_000_000)


def test_durations_are_written_as_go_does() -> None:
    check_against_go(answers("format"), lambda ns: format_duration(ns / 1_000_000_000))


def test_integers_in_text_are_read_as_go_does() -> None:
    check_against_go(answers("int"), weak_int)


def test_bools_in_text_are_read_as_go_does() -> None:
    rows = [row for row in answers("bool") if row["in"]]
    check_against_go(rows, weak_bool)
    assert weak_bool("") is False  # the library makes an exception here


def test_floats_are_written_as_go_does() -> None:
    check_against_go(answers("float"), lambda text: weak_str(float(text)))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(30, 30.0), (0, 0.0), (-5, -5.0), (True, 1.0), (False, 0.0), (30.0, 30.0), (1e3, 1000.0), ("0", 0.0)],
)
def test_durations_from_numbers(value: float, seconds: float) -> None:
    result = parse_duration(value)
    assert result == seconds
    assert type(result) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "cannot read '' as a duration: it is empty; {examples}"),
        ("-", "cannot read '-' as a duration: there is no number; {examples}"),
        ("never", "cannot read 'never' as a duration: it does not start with a number; {examples}"),
        ("1.5", "cannot read '1.5' as a duration: a unit is missing, and {bare}; write 1.5s for seconds"),
        (1.5, "cannot read '1.5' as a duration: a unit is missing, and {bare}; write 1.5s for seconds"),
        ("1h30", "cannot read '1h30' as a duration: a unit is missing, and {bare}; write 1h30s for seconds"),
        ("2d", "cannot read '2d' as a duration: there is no unit 'd'; write a day as 24h"),
        ("1w", "cannot read '1w' as a duration: there is no unit 'w'; write a week as 168h"),
        ("5 s", "cannot read '5 s' as a duration: there is no unit ' s'; write s, without a space before it"),
        ("5S", "cannot read '5S' as a duration: there is no unit 'S'; write s, without a space before it"),
        ("5min", "cannot read '5min' as a duration: there is no unit 'min'; write m, without a space before it"),
        ("5 ", "cannot read '5 ' as a duration: there is a space in it; remove the space"),
        ("5x", "cannot read '5x' as a duration: there is no unit 'x'; {examples}"),
        ("1,5s", "cannot read '1,5s' as a duration: there is a comma in it; write '.' for the decimal point"),
        ("1s.s", "cannot read '1s.s' as a duration: there is no number before a unit; {examples}"),
        ("300y" * 30, f"cannot read '{('300y' * 30)[:40]}…' as a duration: there is no unit 'y'; {{examples}}"),
        (10**12, "cannot read '1000000000000' as a duration: it is longer than 292 years; write a shorter one"),
        (
            "9" * 5000 + "h",
            f"cannot read '{'9' * 40}…' as a duration: it is longer than 292 years; write a shorter one",
        ),
        (float("inf"), "cannot read '+Inf' as a duration: it does not start with a number; {examples}"),
    ],
)
def test_messages_of_duration_errors(value: str | float, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(value)
    error = caught.value
    assert str(error) == message.format(
        examples="write numbers with units (h, m, s, ms, us, ns), such as 1m30s or 500ms",
        bare="only a whole number of seconds may stand without one",
    )
    assert f"{error.rule}; {error.hint}" == (
        str(error).removeprefix("cannot read ").replace(" as a duration:", " is not a duration:")
    )


def test_without_bare_integers_only_zero_needs_no_unit() -> None:
    assert parse_duration(0, bare_integer_seconds=False) == 0.0
    with pytest.raises(DurationError, match="only 0 needs none; write 5s for seconds"):
        parse_duration("5", bare_integer_seconds=False)


def test_go_wraps_around_on_one_sum_of_two_limits_and_we_do_not() -> None:
    with pytest.raises(DurationError, match="292 years"):
        parse_duration("9223372036854775808ns9223372036854775808ns")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0s"), (-0.0, "0s"), (1e-12, "0s"), (-1e-12, "0s"), (0.5, "500ms"), (90, "1m30s"), (0.1 + 0.2, "300ms")),
        *((90.1, "1m30.1s"), (3600, "1h0m0s"), (-1.5, "-1.5s"), (0.9999999999, "1s"), (59.9999999999, "1m0s")),
        ((2**63 - 1) / 10**9, "2562047h47m16.854775807s"),
    ],
)
def test_floats_are_rounded_to_nanoseconds(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), float("-inf"), 1e10, -1e10])
def test_what_is_not_within_292_years_is_not_written(seconds: float) -> None:
    with pytest.raises(DurationError, match="not a number within 292 years"):
        format_duration(seconds)


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (True, 1), (False, 0), (7.9, 7), (-7.9, -7), (0.5, 0), ("7", 7), ("0x1F", 31), (2**63 - 1, 2**63 - 1)],
)
def test_weak_int(value: Any, number: int) -> None:
    result = weak_int(value)
    assert result == number
    assert type(result) is int


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("7s", "cannot read '7s' as a whole number: the setting takes no unit; write digits, such as 10"),
        ("abc", "cannot read 'abc' as a whole number: write digits, such as 10"),
        ("", "cannot read '' as a whole number: write digits, such as 10"),
        ("9" * 5000, f"cannot read '{'9' * 40}…' as a whole number: write digits, such as 10"),
        *((value, TOO_LONG) for value in (2**63, -(2**63) - 1, 10**400, "0x8000000000000000", "9223372036854775808")),
        *((value, TOO_LONG) for value in (2.0**63, 1e300, float("inf"), float("nan"))),
        (None, "cannot read null as a whole number; write digits, such as 10"),
        ([1], "cannot read a list as a whole number; write digits, such as 10"),
        ({}, "cannot read an object as a whole number; write digits, such as 10"),
    ],
)
def test_weak_int_refuses(value: Any, message: str) -> None:
    assert refusal(weak_int, value) == message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(("x", "x"), ("", ""), (True, "1"), (False, "0"), (8080, "8080"), (-1, "-1"), (1.0, "1"), (1.25, "1.25")),
        *((1e21, "1000000000000000000000"), (1e-7, "0.0000001"), (2**63 + 1, "9223372036854775809")),
    ],
)
def test_weak_str(value: Any, text: str) -> None:
    assert weak_str(value) == text


@pytest.mark.parametrize(("value", "kind"), [(None, "null"), ([], "a list"), ({"a": 1}, "an object")])
def test_weak_str_and_weak_bool_refuse(value: Any, kind: str) -> None:
    assert refusal(weak_str, value) == f"cannot read {kind} as text; put it in quotes"
    assert refusal(weak_bool, value) == f"cannot read {kind} as true or false; write true or false"


def test_weak_bool() -> None:
    assert [weak_bool(value) for value in (True, 1, -1, 0.5, "t", "TRUE")] == [True] * 6
    assert [weak_bool(value) for value in (False, 0, 0.0, -0.0, "f", "False", "")] == [False] * 7
    assert refusal(weak_bool, "yes") == "cannot read 'yes' as true or false; write true or false"


def test_imports_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules); import corepilot.config.text.units; "
        "print(sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert (
        run.stdout
        == "['__future__', 'corepilot', 'corepilot.config', 'corepilot.config.text', 'corepilot.config.text.units']\n"
    )
