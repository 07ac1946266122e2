"""Signals as people write them."""

import signal

import pytest

from corepilot.system.signal_names import signal_name, signal_number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("HUP", signal.SIGHUP),
        ("SIGHUP", signal.SIGHUP),
        ("sigusr1", signal.SIGUSR1),
        (" term ", signal.SIGTERM),
        ("9", signal.SIGKILL),
        (9, signal.SIGKILL),
        (64, 64),
        ("RTMIN", signal.SIGRTMIN),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-2", signal.SIGRTMAX - 2),
    ],
)
def test_names_and_numbers(written: object, number: int) -> None:
    assert signal_number(written) == number


@pytest.mark.parametrize(
    "written",
    ["", "SIG", "NOPE", "SIG9", "0", "65", "-1", "999999", 0, 65, -1, True, None, 1.0, [], "1²", "RTMIN-1", "RTMAX+1",
     "RTMIN+99", "RTMIN*3", "RTMIN+", "RTMAX--1", "HUP\n1", "x" * 1000],
)  # fmt: skip
def test_everything_else_is_refused_in_one_short_line(written: object) -> None:
    with pytest.raises(ValueError, match=r"write a name, such as HUP or SIGHUP, or a number from 1 to 64") as caught:
        signal_number(written)
    assert len(str(caught.value)) < 140
    assert str(caught.value).isprintable()


def test_names_lead_back() -> None:
    for number in signal.valid_signals():
        assert signal_number(signal_name(number)) == number
    assert signal_name(signal.SIGTERM) == "TERM"
    assert signal_name(signal.SIGRTMIN + 3) == "RTMIN+3"
    assert signal_name(33) == "33"  # the C library's own
