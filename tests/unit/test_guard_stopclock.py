"""How long the supervisor has for a stop: the clock alone, with made-up times."""

from hypothesis import given
from hypothesis import strategies as st

from corepilot.guard.stopclock import ACKNOWLEDGE_S, ALLOWANCES, LATE_S, SLACK_S, STARTING_S, StopClock


def test_nothing_is_due_before_a_stop_was_asked_for() -> None:
    clock = StopClock()
    assert clock.due is None
    assert clock.verdict(1e9) is None


def test_silence_is_judged_a_second_after_the_first_request() -> None:
    clock = StopClock()
    clock.asked(100.0)
    clock.asked(100.9)
    assert clock.due == 100.0 + ACKNOWLEDGE_S
    assert clock.verdict(100.99) is None
    assert clock.verdict(101.0) == "silent"


def test_an_announcement_replaces_the_second() -> None:
    clock = StopClock()
    clock.asked(100.0)
    clock.announced(130.0)
    clock.asked(100.5)
    assert clock.verdict(130.0) is None
    assert clock.verdict(130.0 + SLACK_S) == "overran"


def test_a_busy_supervisor_that_has_heard_gets_the_time_it_asked_for() -> None:
    clock = StopClock()
    clock.asked(100.0)
    clock.heard(110.0)
    assert clock.verdict(109.9) is None
    assert clock.verdict(110.0) == "silent"


def test_hearing_again_and_again_is_no_way_to_put_off_the_stop() -> None:
    clock = StopClock()
    clock.asked(100.0)
    clock.heard(110.0)
    clock.heard(120.0)
    assert clock.verdict(110.0) == "silent"


def test_hearing_again_leaves_the_announced_deadline() -> None:
    clock = StopClock()
    clock.asked(100.0)
    clock.announced(130.0)
    clock.heard(110.0)
    assert clock.verdict(129.0) is None
    assert clock.due == 130.0 + SLACK_S


def test_an_announcement_replaces_what_was_heard() -> None:
    clock = StopClock()
    clock.heard(110.0)
    clock.announced(105.0)
    assert clock.due == 105.0 + SLACK_S


def test_the_last_announcement_counts_longer_or_shorter() -> None:
    clock = StopClock()
    clock.announced(130.0)
    clock.announced(160.0)
    assert clock.due == 160.0 + SLACK_S
    clock.announced(140.0)
    assert clock.due == 140.0 + SLACK_S


def test_a_stop_of_its_own_accord_is_held_to_its_deadline_too() -> None:
    clock = StopClock()
    clock.announced(130.0)
    assert clock.verdict(130.6) == "overran"


def test_a_guard_that_was_frozen_gives_the_time_again() -> None:
    clock = StopClock()
    clock.asked(100.0)
    assert clock.verdict(160.0) is None
    assert clock.due == 160.0 + ACKNOWLEDGE_S
    assert clock.verdict(161.1) == "silent"


def test_an_announcement_repeated_unchanged_takes_nothing_back() -> None:
    clock = StopClock()
    clock.announced(130.0)
    assert clock.verdict(200.0) is None
    clock.announced(130.0)
    assert clock.due == 200.0 + ACKNOWLEDGE_S


def test_the_allowances_run_out() -> None:
    clock = StopClock()
    clock.asked(0.0)
    late = [clock.verdict(1000.0 * attempt) for attempt in range(1, ALLOWANCES + 2)]
    assert late == [None] * ALLOWANCES + ["silent"]


STEPS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from(["ask", "hear", "announce", "look"]), st.floats(0, 60)),
    min_size=1,
    max_size=50,
)


@given(STEPS)
def test_no_verdict_comes_early_and_none_fails_to_come(steps: list[tuple[float, str, float]]) -> None:
    clock, now, latest_promise, asked = StopClock(), 0.0, 0.0, False
    for pause, what, length in steps:
        now += pause
        if what == "ask":
            clock.asked(now)
            asked = True
            latest_promise = max(latest_promise, now + ACKNOWLEDGE_S)
        elif what == "hear":
            clock.heard(now + length)
            asked = True
            latest_promise = max(latest_promise, now + length)
        elif what == "announce":
            clock.announced(now + length)
            asked = True
            latest_promise = max(latest_promise, now + length + SLACK_S)
        else:
            due = clock.due
            if clock.verdict(now) is not None:
                assert due is not None
                assert now >= due
        assert (clock.due is None) == (not asked)
    if asked:
        for _ in range(ALLOWANCES + 1):
            assert clock.due is not None
            if clock.verdict(clock.due + LATE_S / 2) is not None:
                return
        raise AssertionError("judged on time, it must come to a verdict")


def test_a_supervisor_that_has_not_said_anything_yet_has_longer() -> None:
    clock = StopClock()
    clock.asked(10.0, starting=True)
    assert clock.verdict(10.0 + STARTING_S - 0.1) is None
    assert clock.verdict(10.0 + STARTING_S) == "silent"
    clock = StopClock()
    clock.asked(10.0, starting=True)
    clock.announced(12.0)
    assert clock.verdict(12.5) == "overran"
