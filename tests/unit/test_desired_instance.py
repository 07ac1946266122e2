"""One instance's life, step by step, on a clock that the test turns."""

from corepilot.discovery.desired_instance import CatalogCall, DesiredInstance
from corepilot.model.service import Registration
from corepilot.system.backoff import Backoff

WEB = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=10)


def make() -> DesiredInstance:
    return DesiredInstance(WEB, Backoff(random=lambda: 0.0))


def do(desired: DesiredInstance, now: float) -> CatalogCall:
    """The next call, which succeeds."""
    step = desired.next_step(now)
    assert step is not None
    desired.begun(step)
    desired.succeeded(step)
    return step


def present(now: float = 0.0) -> DesiredInstance:
    desired = make()
    desired.advertise(WEB, "passing", "ok", now)
    assert do(desired, now).kind == "register"
    assert desired.in_sync
    return desired


def test_a_registration_says_it_all() -> None:
    desired = make()
    desired.advertise(WEB, "passing", "ok", 5)
    assert not desired.in_sync
    assert do(desired, 5) == CatalogCall("register", WEB, "passing", "ok", 10.0)
    assert desired.next_step(5) is None


def test_a_report_during_the_registration_follows_it() -> None:
    desired = make()
    desired.advertise(WEB, "passing", "ok", 5)
    step = desired.next_step(5)
    assert step is not None
    desired.begun(step)
    desired.report("critical", "broken", 6)
    desired.succeeded(step)
    assert do(desired, 6) == CatalogCall("report", WEB, "critical", "broken", 10.0)
    assert desired.next_step(6) is None


def test_every_report_is_sent_also_when_nothing_changed() -> None:
    desired = present()
    for now in range(1, 20):
        desired.report("passing", "ok", now)
        assert do(desired, now).kind == "report"
        assert desired.next_step(now) is None


def test_a_report_during_a_call_replaces_the_one_that_waits() -> None:
    desired = present()
    desired.report("passing", "one", 1)
    step = desired.next_step(1)
    assert step is not None
    desired.begun(step)
    for status, output in (("warning", "two"), ("critical", "three"), ("passing", "four")):
        desired.report(status, output, 1)  # type: ignore[arg-type]
    desired.succeeded(step)
    assert not desired.in_sync
    assert do(desired, 1)[2:4] == ("passing", "four")
    assert desired.next_step(1) is None


def test_a_ttl_without_a_report_is_critical_once() -> None:
    desired = present()
    assert desired.pause_s(1) == 9
    assert desired.next_step(9.9) is None
    step = do(desired, 10)
    assert (step.kind, step.status, step.output) == ("report", "critical", "nothing was reported for 10 s")
    assert desired.next_step(1000) is None
    assert desired.pause_s(1000) is None
    desired.report("passing", "ok", 1001)
    assert do(desired, 1001).status == "passing"


def test_critical_does_not_lapse() -> None:
    desired = present()
    desired.report("critical", "broken", 1)
    do(desired, 1)
    assert desired.pause_s(1) is None
    assert desired.next_step(1000) is None


def test_an_unknown_instance_is_registered_again_at_once_but_not_in_a_spin() -> None:
    desired = present()
    desired.report("passing", "ok", 1)
    step = desired.next_step(1)
    assert step is not None
    desired.begun(step)
    desired.unknown(step, 1, "lost")
    assert do(desired, 1).kind == "register"
    assert desired.next_step(1) is None
    desired.report("passing", "ok", 2)
    step = desired.next_step(2)
    assert step is not None
    desired.begun(step)
    desired.unknown(step, 2, "lost again")
    assert desired.next_step(2) is None
    assert do(desired, 4).kind == "register"
    desired.report("passing", "ok", 5)
    assert do(desired, 5).kind == "report"
    assert desired.in_sync
    assert desired.last_error == ""


def test_a_catalog_that_does_not_know_what_it_is_told_to_register_may_hold_it() -> None:
    desired = make()
    desired.advertise(WEB, "passing", "ok", 0)
    step = desired.next_step(0)
    assert step is not None
    desired.begun(step)
    desired.unknown(step, 0, "no such node")
    assert desired.next_step(0) is None
    desired.withdraw(1)
    assert not desired.done
    assert do(desired, 1).kind == "deregister"


def test_failures_are_retried_later_and_later_and_at_once_with_the_next_report() -> None:
    desired, now, pauses = make(), 0.0, []
    desired.advertise(WEB.changed(ttl_s=10_000), "passing", "", now)
    for _ in range(7):
        step = desired.next_step(now)
        assert step is not None
        desired.begun(step)
        desired.failed(step, now, "no")
        pause = desired.pause_s(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [0.5, 1, 2, 4, 8, 15, 15]
    step = desired.next_step(now)
    assert step is not None
    desired.begun(step)
    desired.failed(step, now, "no")
    assert desired.next_step(now + 1) is None
    assert (desired.in_sync, desired.last_error) == (False, "no")
    desired.report("passing", "", now + 1)
    assert do(desired, now + 1).kind == "register"


def test_a_report_that_comes_late_is_valid_for_what_is_left() -> None:
    desired = present()
    desired.report("passing", "ok", 1)
    step = desired.next_step(1)
    assert step is not None
    desired.begun(step)
    desired.failed(step, 5, "no answer")
    assert do(desired, 6).valid_for_s == 5


def test_a_changed_registration_is_stored() -> None:
    desired = present()
    moved = WEB.changed(address="10.0.0.2")
    desired.advertise(moved, "passing", "ok", 1)
    assert do(desired, 1) == CatalogCall("register", moved, "passing", "ok", 10.0)


def test_advertising_the_same_again_is_a_heartbeat() -> None:
    desired = present()
    desired.advertise(WEB, "passing", "ok", 1)
    assert do(desired, 1).kind == "report"


def is_done(desired: DesiredInstance) -> bool:
    return desired.done


def test_withdrawal_forgets_and_can_be_taken_back() -> None:
    desired = present()
    desired.withdraw(1)
    desired.report("passing", "late", 1)
    assert not is_done(desired)
    assert do(desired, 1).kind == "deregister"
    assert is_done(desired)
    desired.advertise(WEB, "passing", "ok", 2)
    assert do(desired, 2).kind == "register"


def test_a_withdrawal_that_is_taken_back_in_time_costs_no_call_but_the_report() -> None:
    desired = present()
    desired.withdraw(1)
    desired.advertise(WEB, "passing", "ok", 1)
    assert do(desired, 1).kind == "report"


def test_a_registration_that_may_have_happened_is_withdrawn() -> None:
    desired = make()
    desired.advertise(WEB, "passing", "", 0)
    step = desired.next_step(0)
    assert step is not None
    desired.begun(step)
    desired.withdraw(0)
    desired.failed(step, 0, "no answer")
    assert not is_done(desired)
    desired.retry_now(0.1)
    assert do(desired, 0.1).kind == "deregister"
    assert is_done(desired)
