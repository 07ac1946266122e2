"""What the supervisor announces and what the guard understands of it."""

import signal
import time
from collections.abc import Iterator

import pytest

from corepilot.guard.channel import DEFAULT_STOP_BUDGET_S, Announcements, Channel, open_channel


@pytest.fixture
def ends() -> Iterator[tuple[Announcements, Channel]]:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the guard takes it from sigtimedwait
    announcements, channel = open_channel()
    yield announcements, channel
    announcements.close()
    channel.close()
    signal.signal(signal.SIGIO, before)


Ends = tuple[Announcements, Channel]


def test_nothing_said(ends: Ends) -> None:
    announcements, channel = ends
    announcements.read()
    assert announcements.stop_budget_s == DEFAULT_STOP_BUDGET_S
    assert announcements.stop is None
    assert announcements.leaving is None
    assert announcements.busy_with() == ""
    assert not channel.guard_lost()


def test_the_last_of_each_kind_counts(ends: Ends) -> None:
    announcements, channel = ends
    channel.ready(3)
    channel.ready(7.5)
    before = time.monotonic()
    channel.stopping(1, 1)
    channel.stopping(20, 255)
    channel.leaving(12)
    announcements.read()
    assert announcements.stop_budget_s == 7.5
    assert announcements.stop
    deadline, status = announcements.stop
    assert before + 20 <= deadline <= time.monotonic() + 20
    assert status == 255
    assert announcements.leaving == 12


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf"), -float("inf")])
def test_seconds_have_to_be_seconds(ends: Ends, seconds: float) -> None:
    announcements, channel = ends
    with pytest.raises(ValueError, match="stop budget: seconds are finite and not negative"):
        channel.ready(seconds)
    announcements.read()
    assert announcements.stop_budget_s == DEFAULT_STOP_BUDGET_S


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_deadline_has_to_be_finite(ends: Ends, seconds: float) -> None:
    announcements, channel = ends
    with pytest.raises(ValueError, match="deadline: seconds are finite and not negative"):
        channel.stopping(seconds, 0)
    announcements.read()
    assert announcements.stop is None


@pytest.mark.parametrize("seconds", [-5.0, -float("inf"), 0.0])
def test_a_deadline_that_has_passed_is_now(ends: Ends, seconds: float) -> None:
    announcements, channel = ends
    channel.stopping(seconds, 2)
    announcements.read()
    assert announcements.stop
    assert announcements.stop[0] <= time.monotonic()


@pytest.mark.parametrize("status", [-1, 256])
def test_a_status_has_eight_bits(ends: Ends, status: int) -> None:
    with pytest.raises(ValueError, match="the exit status is 0 to 255"):
        ends[1].stopping(1, status)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"READY",
        b"READY x",
        b"READY nan",
        b"READY -1",
        b"STOPPING 1",
        b"STOPPING 1 x",
        b"\xff" * 200,
        b"STOPPING inf 1",
    ],
)
def test_nonsense_is_passed_over(ends: Ends, message: bytes) -> None:
    announcements, channel = ends
    channel._line.send(message)
    channel.leaving(3)
    announcements.read()
    announcements.read()
    assert announcements.stop_budget_s == DEFAULT_STOP_BUDGET_S
    assert announcements.stop is None
    assert announcements.leaving == 3 or message == b""


def test_no_call_blocks_on_a_guard_that_does_not_read(ends: Ends) -> None:
    announcements, channel = ends
    for _ in range(2000):
        channel.stopping(5, 0)
    assert not channel.guard_lost()
    announcements.read()
    channel.leaving(4)
    announcements.read()
    assert announcements.leaving == 4


@pytest.mark.parametrize("unread", [0, 3])
def test_a_lost_guard_is_noticed_and_hurts_no_call(ends: Ends, unread: int) -> None:
    announcements, channel = ends
    for _ in range(unread):
        channel.ready(1)
    announcements.close()
    assert channel.guard_lost()
    channel.ready(1)
    channel.stopping(1, 1)
    channel.leaving(1)
    assert channel.guard_lost()


def test_a_closed_channel_hurts_no_call(ends: Ends) -> None:
    announcements, channel = ends
    channel.close()
    channel.close()
    channel.ready(1)
    announcements.read()
    assert channel.guard_lost()


@pytest.mark.parametrize(
    ("noted", "read"),
    [
        ("plugin 'statsd', hook flush", "plugin 'statsd', hook flush"),
        ("", ""),
        ("two\nlines\t\x00", "two lines \x00".strip("\x00").strip()),
        ("x" * 10_000, "x" * 512),
        ("é\udcff", "é?"),
    ],
)
def test_what_the_supervisor_is_busy_with(ends: Ends, noted: str, read: str) -> None:
    announcements, channel = ends
    channel.busy_with("something long before")
    channel.busy_with(noted)
    assert announcements.busy_with() == read
