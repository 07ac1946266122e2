from itertools import pairwise

from corepilot.discovery.connection import Connection


def line() -> Connection:
    return Connection(5.0, random=lambda: 0.0)


def test_a_new_line_lets_calls_through_but_is_not_connected() -> None:
    one = line()
    assert one.wait_s(0) == 0
    assert not one.connected
    assert one.up() is False
    assert one.connected


def test_while_it_is_down_one_call_at_a_time_finds_out() -> None:
    one = line()
    one.begun(0)
    one.down(0, 1)
    assert not one.connected
    assert one.wait_s(1) == 0.5
    one.begun(1.5)
    assert one.wait_s(1.6) > 4  # the others wait until this one has had its time
    one.down(1.5, 2)
    assert one.wait_s(2) == 1
    one.begun(3)
    assert one.up() is True
    assert one.wait_s(3) == 0
    assert one.connected


def test_calls_that_were_under_way_together_count_once() -> None:
    one = line()
    one.begun(0)
    one.begun(0.1)
    one.begun(0.2)
    for begun_at in (0, 0.1, 0.2):
        one.down(begun_at, 5)
    assert one.wait_s(5) <= 1


def test_a_stream_that_breaks_is_opened_again_soon_however_long_it_had_lived() -> None:
    one = Connection(5.0, random=lambda: 0.999)
    one.begun(0)
    one.up()
    for _ in range(3):  # those that break with it are no more tries
        one.down(0, 100, answered=True)
    assert one.wait_s(100) <= 0.5
    one.begun(100.5)
    one.down(100.5, 105.5)  # but what had no answer took its whole deadline, as long as everybody else's
    assert one.wait_s(105.5) > 5


def tries_within(one: Connection, seconds: float) -> list[float]:
    now, tries = 0.0, []
    while now < seconds:
        one.begun(now)
        tries.append(now)
        one.down(now, now)
        now += one.wait_s(now)
    return tries


def test_ten_minutes_of_outage_are_few_tries() -> None:
    tries = tries_within(line(), 600)
    assert len(tries) <= 60
    gaps = [after - before for before, after in pairwise(tries)]
    assert max(gaps) <= 15
    assert max(gap for gap, at in zip(gaps, tries, strict=False) if at < 55) <= 4


def test_a_report_brings_the_next_try_forward_but_not_too_near() -> None:
    one = line()
    tries_within(one, 300)
    last = one._tried_at
    assert one.wait_s(last) > 5
    one.hasten(last + 1)
    assert one.wait_s(last + 1) == 4
    one.hasten(last + 100)
    assert one.wait_s(last + 100) == 0


def test_hurry_allows_a_try_now() -> None:
    one = line()
    one.begun(0)
    one.down(0, 0)
    one.retry_now(0.1)
    assert one.wait_s(0.1) == 0


def test_who_has_failed_less_tries_first() -> None:
    """Three ask, as soon as they may; two of them are never answered, without a word and at once."""
    one, now = line(), 0.0
    failures = {"far": 0, "broken": 0, "good": 1}  # the good one has failed when the catalog went away
    tries: list[str] = []
    one.begun(now)
    one.down(now, now)
    while "good" not in tries:
        who = min(failures, key=lambda name: one.wait_s(now, failures[name]))  # of equals the first
        now += one.wait_s(now, failures[who])
        one.begun(now)
        tries.append(who)
        failures[who] += 1
        one.down(now, now)
        assert len(tries) < 10
    assert tries == ["far", "broken", "far", "broken", "good"]


def test_a_call_that_never_failed_goes_before_a_stream_that_did() -> None:
    one = line()
    one.begun(0)
    one.down(0, 0)
    for failures in (1, 2, 100, 10_000):
        assert one.wait_s(0) < one.wait_s(0, failures) <= one.wait_s(0) + 0.5
    assert one.wait_s(0, 5) < one.wait_s(0, 6)
    one.up()
    assert one.wait_s(0, 100) == 0


def test_a_try_that_was_refused_lets_the_next_one_find_out() -> None:
    one = line()
    woken: list[float] = []
    one.waiting.add(lambda: woken.append(one.wait_s(1)))
    one.next_one(1)
    assert not woken, "it is up: nobody waits"
    one.begun(0)
    one.down(0, 0)
    one.begun(1)
    assert one.wait_s(1) == 5
    one.next_one(1)
    assert woken == [0]
    assert not one.connected, "a refusal may be the backend's own"


def test_a_pause_that_the_catalog_asks_for_is_granted_to_all_and_nothing_brings_it_nearer() -> None:
    one = line()
    one.begun(0)
    one.begun(0.2)
    one.down(0, 0.3, pause_s=1.5)
    one.down(0.2, 0.4, pause_s=0.0)  # one that was under way with it
    for sooner in (one.hasten, one.retry_now, one.next_one):
        sooner(0.5)
        assert one.wait_s(0.5) == 1.3
    assert one.wait_s(1.8) == 0
    one.begun(1.8)
    one.up()
    assert one.wait_s(1.8) == 0


def test_a_later_answer_may_ask_for_a_longer_pause_and_none_is_longer_than_two_seconds() -> None:
    one = line()
    one.begun(0)
    one.begun(0.1)
    one.down(0, 1, pause_s=1.0)
    one.down(0.1, 1.5, pause_s=86400.0)
    assert one.wait_s(1.5) == 2
