"""What a backend yields becomes plain instances, whatever its lists and texts are made of."""

from collections.abc import Iterator
from itertools import repeat
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.discovery.guarded_snapshots import Snapshots, snapshot_of
from corepilot.model.service import Instance
from corepilot.plugin.boundary import WrongAnswerError

A = Instance("a", "web", "10.0.0.1", 80, "passing", ("blue",))
B = Instance("b", "web", "10.0.0.2", 80, "passing")


class Endless(list[Any]):
    """A list that never ends for whoever asks it."""

    def __iter__(self) -> Iterator[Any]:
        return repeat(A)


class Loud(str):
    """A text that cannot be compared."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = str.__hash__


def odd(plain: Instance) -> Instance:
    """An instance whose texts are of a class of their own."""
    return plain.changed(id=Loud(plain.id), tags=tuple(map(Loud, plain.tags)))


def test_instances_are_sorted_and_those_that_are_plain_are_kept() -> None:
    found = snapshot_of([B, A])
    assert found == (A, B)
    assert found[0] is A


def test_what_is_not_plain_is_made_anew() -> None:
    [found] = snapshot_of((odd(A),))
    assert found == A
    assert type(found) is Instance
    assert {type(text) for text in (found.id, *found.tags)} == {str}


def test_no_iterator_of_the_plugins_is_used() -> None:
    assert snapshot_of(Endless([A])) == (A,)


def test_what_is_known_is_the_same_again_and_what_is_wrong_is_refused_each_time() -> None:
    snapshots, loud = Snapshots(), odd(B)
    first = snapshots.take((A, loud))
    assert first == (A, B)
    assert snapshots.take([loud, A])[1] is first[1]
    for _ in range(2):
        with pytest.raises(WrongAnswerError, match="must yield each id once, and yielded 'b' twice"):
            snapshots.take((A, loud, loud))
        with pytest.raises(WrongAnswerError, match="whose port is a number"):
            snapshots.take((A, Instance("c", "web", "10.0.0.1", -1, "passing")))
    assert snapshots.take((A, loud))[1] is first[1]


def numbered(number: int, port: int = 80) -> Instance:
    return Instance(f"i{number:04}", "web", "10.0.0.1", port, "passing")


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.booleans()), max_size=40, unique_by=itemgetter(0)),
        max_size=6,
    )
)
def test_a_list_after_others_is_taken_as_if_it_were_the_first(lists: list[list[tuple[int, int, bool]]]) -> None:
    """Whatever was replaced, swapped, added, removed, and whether it is made anew or given again."""
    snapshots = Snapshots()
    kept: dict[tuple[int, int], Instance] = {}
    for chosen in lists:
        found = [
            odd(numbered(number, port)) if new else kept.setdefault((number, port), odd(numbered(number, port)))
            for number, port, new in chosen
        ]
        taken = snapshots.take(found)
        assert taken == snapshot_of(found)
        assert {type(one.id) for one in taken} <= {str}


def test_one_of_another_id_in_the_place_of_one_is_put_where_it_belongs() -> None:
    snapshots, known = Snapshots(), [numbered(number) for number in range(5)]
    snapshots.take(known)
    known[1] = numbered(9)
    assert snapshots.take(known) == tuple(numbered(number) for number in (0, 2, 3, 4, 9))
    known[0] = numbered(9, 81)
    with pytest.raises(WrongAnswerError, match="must yield each id once, and yielded 'i0009' twice"):
        snapshots.take(known)
    known[0] = "nothing"  # type: ignore[call-overload]  # as a plugin may
    with pytest.raises(WrongAnswerError, match="yielded one with"):
        snapshots.take(known)
    known[0] = numbered(0)
    assert snapshots.take(known) == tuple(numbered(number) for number in (0, 2, 3, 4, 9))
