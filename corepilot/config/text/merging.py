"""Several documents as one: how a later one changes what the ones before it say. Pure.

- Objects merge, key by key; below the top keys are the same in any case, as everywhere in a configuration.
- Of anything else the later value counts.
- `null` removes what an earlier document has. Where there is nothing to remove it stays, and is judged like any null.
- `jobs`, `watches`, `locks`, `render` and `telemetry.metrics` merge by name: elements of one name merge as objects do,
  at the place of the earlier one; others are appended in their order. So are elements without a name.
- A catalog, `discovery` or an entry of it, for which the later document names another `backend` is replaced as a
  whole: the options of one backend say nothing to another. So is a single one by several of which one names its own.

A name that one of the two documents has twice, and the other one too, cannot be merged: nobody can say which is meant.

Every value keeps its place, so offsets must tell the documents apart: see `shift`. An object that several documents
make has the place of the first.
"""

from __future__ import annotations

from corepilot.config.text.json5_document import Document, Member, Node
from corepilot.config.text.units import weak_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_CATALOGS = "catalogs"
_CATALOG = "catalog"

_BY_NAME: Mapping[str, Any] = {
    "jobs": True,
    "watches": True,
    "locks": True,
    "render": True,
    "telemetry": {"metrics": True},
    "discovery": _CATALOGS,
}
"""Keys whose arrays merge by name, on their way from the top; and where the catalogs are."""


class NameTwice:
    """A name that cannot be merged.

    Attributes:
        name: The name.
        first: The offset where the one document has it.
        second: The offset where the same document has it again.
    """

    __slots__ = ("first", "name", "second")

    def __init__(self, name: str, first: int, second: int) -> None:
        self.name = name
        self.first = first
        self.second = second


def shift(document: Document, by: int) -> None:
    """Add a number to every offset of a document."""
    left = [document.root]
    while left:
        node = left.pop()
        node.start += by
        node.end += by
        if node.kind == "object":
            for member in node.value.values():
                member.key_start += by
                member.key_end += by
                left.append(member.node)
        elif node.kind == "array":
            left += node.value
    for duplicate in document.duplicates:
        duplicate.first += by
        duplicate.second += by


def merge(documents: Sequence[Document]) -> tuple[Document, list[NameTwice]]:
    """Merge documents whose roots are objects, the first one first.

    Args:
        documents: At least one. They share their nodes with the result, and are not changed.

    Returns:
        The whole, and the names that could not be merged: where there are any, the whole is not to be used.
    """
    first, *others = documents
    if not others:
        return first, []
    faults: list[NameTwice] = []
    root = first.root
    for other in others:
        root = _merged(root, other.root, _BY_NAME, faults, exact=True)
    return Document(root, tuple([one for document in documents for one in document.duplicates])), faults


def _merged(before: Node, after: Node, by_name: Any, faults: list[NameTwice], *, exact: bool = False) -> Node:
    """Two objects as one. `by_name` has what merges by name below them, or that they are catalogs."""
    below: Mapping[str, Any] = by_name if isinstance(by_name, dict) else {}
    other = _CATALOG if by_name is _CATALOGS else None
    members: dict[str, Member] = dict(before.value)
    folded = {} if exact else {key.lower(): key for key in members}
    for key, member in after.value.items():
        known = key if key in members else folded.get(key.lower())
        if known is None:
            members[key] = member
            folded[key.lower()] = key
            continue
        earlier = members[known]
        how = below.get(key if exact else key.lower(), other)
        node = _value(known, earlier.node, member.node, how, faults)
        if node is None:
            del members[known]
            folded.pop(key.lower(), None)
        else:
            # Its place in the order and its spelling stay, as one object never has a key in two spellings.
            source = member if node is member.node else earlier
            members[known] = Member(known, source.key_start, source.key_end, node)
    return Node("object", members, before.start, before.end)


def _value(key: str, before: Node, after: Node, by_name: Any, faults: list[NameTwice]) -> Node | None:
    """What two values of one key become; None for nothing."""
    if after.kind == "null":
        return None
    if before.kind == "object" == after.kind:
        if by_name in (_CATALOGS, _CATALOG) and _has_another_backend(key, before, after, by_name):
            return after
        return _merged(before, after, by_name, faults)
    if before.kind == "array" == after.kind and by_name is True:
        return _merged_by_name(before, after, faults)
    return after


def _has_another_backend(key: str, before: Node, after: Node, kind: str) -> bool:
    """Whether a later catalog is of another backend. An entry of the map that names none has its own name's."""
    named = _text(after, "backend")
    if named is None and kind is _CATALOGS and _text(before, "backend") is not None:
        # An object with none in it may also be an option of the one backend.
        return any(_text(member.node, "backend") is not None for member in after.value.values())
    return named is not None and named != (_text(before, "backend") or (key if kind is _CATALOG else None))


def _merged_by_name(before: Node, after: Node, faults: list[NameTwice]) -> Node:
    elements: list[Node] = list(before.value)
    known = _named(elements)
    for name, indexes in _named(after.value).items():
        mine = known.get(name)
        if mine is None:
            continue
        for nodes, places in ((elements, mine), (after.value, indexes)):
            if len(places) > 1:
                faults.append(NameTwice(name, nodes[places[0]].start, nodes[places[1]].start))
    for element in after.value:
        own = _text(element, "name")
        if own is None or own not in known:
            elements.append(element)
        else:
            place = known[own][0]
            elements[place] = _merged(elements[place], element, {}, faults)
    return Node("array", elements, before.start, before.end)


def _named(elements: Iterable[Node]) -> dict[str, list[int]]:
    """The indexes of the elements that have a name."""
    found: dict[str, list[int]] = {}
    for index, element in enumerate(elements):
        name = _text(element, "name")
        if name is not None:
            found.setdefault(name, []).append(index)
    return found


def _text(element: Node, key: str) -> str | None:
    """What an object has for a key, as a text; None where it has none."""
    if element.kind != "object":
        return None
    member = next((one for own, one in reversed(element.value.items()) if own.lower() == key), None)
    if member is None or member.node.kind not in {"string", "number", "bool"}:
        return None
    return weak_str(member.node.value)
