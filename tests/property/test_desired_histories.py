"""Whatever is wished, and however the calls go: in the end the catalog holds what was wished last."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from corepilot.discovery.desired_instance import CatalogCall, DesiredInstance
from corepilot.model.service import Registration, Status
from corepilot.system.backoff import Backoff

BASE = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=10)
STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")

wishes = st.one_of(
    st.tuples(st.just("advertise"), st.integers(1, 3), st.sampled_from(STATUSES)),
    st.tuples(st.just("report"), st.just(0), st.sampled_from(STATUSES)),
    st.tuples(st.just("withdraw"), st.just(0), st.just("critical")),
    st.tuples(st.just("wait"), st.integers(0, 30), st.just("critical")),
)
outcomes = st.sampled_from(("fine", "fine", "refused", "lost answer", "forgotten"))


@dataclass
class Catalog:
    """What a catalog does with a call, and which of it comes back."""

    holds: tuple[Registration, Status] | None = None

    def do(self, desired: DesiredInstance, step: CatalogCall, outcome: str, now: float) -> None:
        if outcome == "forgotten":
            self.holds = None
        if outcome == "refused":
            desired.failed(step, now, "no")
            return
        if step.kind == "register":
            self.holds = (step.registration, step.status)
        elif step.kind == "deregister":
            self.holds = None
        elif self.holds is None:
            desired.unknown(step, now, "unknown")
            return
        else:
            self.holds = (self.holds[0], step.status)
        if outcome == "lost answer":
            desired.failed(step, now, "no answer")
        else:
            desired.succeeded(step)


def wish(desired: DesiredInstance, what: tuple[str, int, Status], now: float) -> float:
    kind, number, status = what
    if kind == "advertise":
        desired.advertise(BASE.changed(port=number), status, "", now)
    elif kind == "report":
        desired.report(status, "", now)
    elif kind == "withdraw":
        desired.withdraw(now)
    return now + number if kind == "wait" else now


@settings(max_examples=500)
@given(st.lists(st.tuples(wishes, st.lists(wishes, max_size=2), outcomes), max_size=30))
def test_the_catalog_ends_up_as_wished(
    history: list[tuple[tuple[str, int, Status], list[tuple[str, int, Status]], str]],
) -> None:
    desired, catalog, now = DesiredInstance(BASE, Backoff()), Catalog(), 0.0
    for before, during, outcome in history:
        now = wish(desired, before, now)
        step = desired.next_step(now)
        if step is not None:
            desired.begun(step)
            for one in during:
                now = wish(desired, one, now)
            catalog.do(desired, step, outcome, now)
    calls = 0
    while True:
        step = desired.next_step(now)
        if step is None:
            pause = desired.pause_s(now)
            if pause is None:
                break
            now += pause
            continue
        calls += 1
        assert calls < 20, "it spins"
        desired.begun(step)
        catalog.do(desired, step, "fine", now)
    assert desired.in_sync
    if desired.wanted:
        assert catalog.holds == (desired.registration, "critical"), "nobody reported for long: it has lapsed"
    else:
        assert desired.done
        assert catalog.holds is None


@given(st.lists(outcomes, max_size=20))
def test_nothing_is_called_for_what_was_never_wanted(outcomes: list[str]) -> None:
    desired = DesiredInstance(BASE, Backoff())
    desired.report("passing", "", 0.0)
    desired.withdraw(1.0)
    assert desired.next_step(2.0) is None
    assert desired.pause_s(2.0) is None
    assert desired.done
