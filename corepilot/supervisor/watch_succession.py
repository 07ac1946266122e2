"""Which watches of another configuration go on with those of before. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from corepilot.model.configuration import Watch

_LIKENESS: tuple[Callable[[Watch, Watch], bool], ...] = (
    lambda one, other: one == other,
    lambda one, other: one.changed(catalog=other.catalog) == other,
    lambda one, other: _subject(one) == _subject(other),
    lambda one, other: one.name == other.name,
)
"""The closest first: several watches may have one name."""


class Succession(NamedTuple):
    """What another configuration's watch has of one before.

    Attributes:
        number: Of the one before; None: there is none of this name, or others have taken them.
        same: Whether it watches the same thing: whatever else has changed, it goes on. Else it only begins with what
            was told under its name.
    """

    number: int | None = None
    same: bool = False


def successions(before: Sequence[Watch], after: Sequence[Watch]) -> list[Succession]:
    """For each watch of another configuration, which one of before it follows; each has one successor at most."""
    found = [Succession() for _ in after]
    left = list(range(len(before)))
    for level, alike in enumerate(_LIKENESS):
        for place, watch in enumerate(after):
            if found[place].number is None:
                number = next((one for one in left if alike(before[one], watch)), None)
                if number is not None:
                    left.remove(number)
                    found[place] = Succession(number, same=level < len(_LIKENESS) - 1)
    return found


def _subject(watch: Watch) -> tuple[str, ...]:
    return watch.name, watch.kind, watch.target, watch.tag, watch.datacenter
