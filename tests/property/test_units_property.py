"""Durations: what is written is read back, and any text is read or refused."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from corepilot.config.text.units import DurationError, format_duration, parse_duration, weak_int, weak_str

MAX_NS = 2**63 - 1
UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
DAYS_100_NS = 100 * 24 * 3600 * 10**9  # up to here a float of seconds holds every nanosecond


@given(st.integers(-DAYS_100_NS, DAYS_100_NS))
def test_what_is_written_is_read_back_to_the_nanosecond(ns: int) -> None:
    assert parse_duration(format_duration(ns / 10**9)) == ns / 10**9


@given(st.integers(-MAX_NS, MAX_NS))
def test_long_durations_are_written_and_read_back_to_a_microsecond(ns: int) -> None:
    assert abs(parse_duration(format_duration(ns / 10**9)) - ns / 10**9) < 2e-6


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(UNITS_NS))), min_size=1, max_size=4))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    ns = sum(count * UNITS_NS[unit] for count, unit in parts)
    text = "".join(f"{count}{unit}" for count, unit in parts)
    if ns <= MAX_NS:
        assert parse_duration(text) == float(Fraction(ns, 10**9))
        assert parse_duration("-" + text) == -parse_duration("+" + text)


@given(st.one_of(st.text("0123456789.+-hmsnuµ _xd", max_size=12), st.text(max_size=6)))
def test_any_text_is_a_duration_or_refused_in_one_printable_line(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        message = str(error)
    else:
        message = format_duration(seconds)
    assert message
    assert message.isprintable()


@given(st.integers(-(2**63), MAX_NS))
def test_integers_are_read_back_from_every_notation(number: int) -> None:
    sign = "-" if number < 0 else ""
    for notation in ("d", "#x", "#o", "#b"):
        assert weak_int(sign + format(abs(number), notation)) == number
    assert weak_int(f"{sign}0{abs(number):o}") == number
    assert weak_int(f"{number:_}") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_in_full_and_mean_the_same(number: float) -> None:
    text = weak_str(number)
    assert float(text) == number
    assert not set(text) - set("-0123456789.")
