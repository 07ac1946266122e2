"""The judges of benchmarks/catalog_soak.py find what must not happen, and nothing else."""

from collections.abc import Sequence

import pytest
from soaking.judge import Allowed, Resource, Told

from corepilot.model.event import Event

WRITTEN = [1001, 1002, 1003]


def judged(*told: Sequence[int], allowed: Allowed | None = None, code: str = "changed") -> list[str]:
    """What is wrong when a watch tells these values, the last ones in a fault that excuses something."""
    wrong: list[str] = []
    judge = Told("key", "keys", wrong.append, WRITTEN)
    *before, last = told
    for values in before:
        judge.take(Event("changed", "watch.key"), tuple(values), values)
    if allowed:
        judge.begin(allowed)
    judge.take(Event(code, "watch.key"), tuple(last), last)
    return wrong


def test_what_was_written_may_be_told_in_its_order_with_gaps() -> None:
    assert judged([1001], [1003]) == []


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ([[1001], [1001]], "the watch of the key told (1001,) twice"),
        ([[1002], [1001]], "the watch of the key told 1001 after 1002"),
        ([[1001], []], "the watch of the key told that it is gone"),
        ([[1004]], "the watch of the key told 1004, which nobody has written"),
        ([[1001, 1002]], "the watch of the key told (1001, 1002), of which there is one at a time"),
    ],
)
def test_what_is_not_so_is_found(told: list[list[int]], wrong: str) -> None:
    assert judged(*told) == [wrong]


def test_an_event_that_does_not_fit_the_content_is_found() -> None:
    assert judged([], code="healthy") == ["the watch of the key told healthy of ()"]
    assert judged([1001], [1001], code="unhealthy") == ["the watch of the key told unhealthy of (1001,)"]
    assert judged([1001], [1001], code="healthy") == []


def test_a_fault_excuses_what_it_does_and_no_more() -> None:
    assert judged([1001], [], allowed=Allowed(absence=True)) == []
    assert judged([1001], [], allowed=Allowed(disorder=True)) == ["the watch of the key told that it is gone"]
    assert judged([1002], [1001], allowed=Allowed(absence=True)) == ["the watch of the key told 1001 after 1002"]
    assert judged([1002], [1001], allowed=Allowed(disorder=True)) == ["the watch of the key told 1001 after 1002"], (
        "what was there before it began was not written during it"
    )


def test_what_was_written_during_a_fault_may_come_in_another_order() -> None:
    wrong: list[str] = []
    judge = Told("key", "keys", wrong.append, WRITTEN)
    judge.take(Event("changed", "watch.key"), (1001,), [1001])
    judge.begin(Allowed(disorder=True))
    for value in (1003, 1002, 1003):
        judge.take(Event("changed", "watch.key"), (value,), [value])
    assert wrong == []
    assert judge.changes == 4


@pytest.fixture
def wrong() -> list[str]:
    return []


@pytest.fixture
def resource(wrong: list[str]) -> Resource:
    return Resource(wrong.append)


def test_one_holder_after_the_other_with_higher_tokens_is_right(resource: Resource, wrong: list[str]) -> None:
    for token, who in enumerate(("one", "two", "one", "two"), 7):
        resource.acquired(who, token)
        resource.left(who)
    assert wrong == []
    assert (resource.grants, resource.newest) == (4, 10)


def test_two_holders_are_found_unless_the_store_forgets(resource: Resource, wrong: list[str]) -> None:
    resource.acquired("one", 7)
    resource.lenient = True
    resource.acquired("two", 8)
    assert wrong == []
    resource.lenient = False
    resource.acquired("three", 9)
    assert [one.partition(" while ")[0] for one in wrong] == ["three was given the lock"]


@pytest.mark.parametrize("token", [6, 7])
def test_a_token_that_does_not_grow_is_found(resource: Resource, wrong: list[str], token: int) -> None:
    resource.acquired("one", 7)
    resource.left("one")
    resource.lenient = True
    resource.acquired("two", token)
    assert wrong == [f"two was given token {token} after 7: the resource would refuse it"]


def test_a_store_that_was_wiped_numbers_anew(resource: Resource, wrong: list[str]) -> None:
    resource.acquired("one", 7)
    resource.left("one")
    resource.forget()
    resource.acquired("two", 1)
    assert wrong == []
