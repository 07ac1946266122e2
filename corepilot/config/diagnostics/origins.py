"""The place of each value of a configuration, for whoever has to say later where something was written."""

from array import array
from collections.abc import Sequence

from corepilot.config.diagnostics.documents import SourceDocument, document_at
from corepilot.config.diagnostics.source_map import key_text
from corepilot.config.text.json5_document import Node
from corepilot.model.origin import Origins

_NESTED = frozenset(("object", "array"))


def origins(documents: Sequence[SourceDocument], root: Node) -> Origins:
    """Where the documents have each member of an object, and each object or array in an array.

    Texts and numbers in an array have the place of the array: a command is one value.

    Args:
        documents: What the values' offsets are in.
        root: The parsed text, of all documents.
    """
    paths: list[str] = []
    offsets: list[int] = []
    _collect(root, "", paths, offsets, {})
    numbers = [number for place in _places(documents, offsets) for number in place]
    return Origins(tuple([one.name for one in documents]), "\n".join(paths).lower(), array("I", numbers).tobytes())


def _places(documents: Sequence[SourceDocument], offsets: Sequence[int]) -> list[tuple[int, int, int]]:
    """Document, line and column of each offset."""
    if len(documents) == 1:
        return [(0, line, column) for line, column in documents[0].rendered.places(offsets)]
    mine: list[list[int]] = [[] for _ in documents]
    for position, offset in enumerate(offsets):
        mine[document_at(documents, offset)].append(position)
    found = [(0, 0, 0)] * len(offsets)
    for index, document in enumerate(documents):
        places = document.rendered.places([offsets[one] - document.start for one in mine[index]])
        for position, (line, column) in zip(mine[index], places, strict=True):
            found[position] = (index, line, column)
    return found


def _collect(node: Node, path: str, paths: list[str], offsets: list[int], texts: dict[str, str]) -> None:
    """Add what is in a node. `texts` has what each key adds to a path below the top, made once."""
    if node.kind == "object":
        for key, member in node.value.items():
            value = member.node
            if path:
                text = texts.get(key) or texts.setdefault(key, key_text(key, first=False))
                below = path + text
            else:
                below = key_text(key, first=True)
            paths.append(below)
            offsets.append(value.start)
            if value.kind in _NESTED:
                _collect(value, below, paths, offsets, texts)
    elif node.kind == "array":
        for index, element in enumerate(node.value):
            if element.kind in _NESTED:
                below = f"{path}[{index}]"
                paths.append(below)
                offsets.append(element.start)
                _collect(element, below, paths, offsets, texts)
