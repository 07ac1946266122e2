"""How much of a pause a server gets."""

import pytest

from corepilot.http.retry_after import LONGEST_PAUSE_S, RetryAfter


def pause_s(status: int, text: str) -> float:
    """After how many tenths of a second the server is asked again."""
    now = [1000.0]
    answers = RetryAfter(lambda: now[0])
    answers.heard(status, text)
    tenths = 0
    while answers.left_s:
        tenths += 1
        now[0] = 1000.0 + tenths / 10
    return tenths / 10


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_pause_is_granted(status: int) -> None:
    assert pause_s(status, "1") == 1
    assert pause_s(status, "0") == 0


@pytest.mark.parametrize("text", ["3", "100000", "9" * 5000, "000000060"])
def test_a_long_one_is_cut(text: str) -> None:
    assert pause_s(503, text) == LONGEST_PAUSE_S


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "\u0663", "\u00b2"])
def test_what_is_no_number_of_seconds_is_ignored(text: str) -> None:
    assert pause_s(503, text) == 0


@pytest.mark.parametrize("status", [200, 301, 404, 500])
def test_other_statuses_ask_for_none(status: int) -> None:
    assert pause_s(status, "2") == 0
