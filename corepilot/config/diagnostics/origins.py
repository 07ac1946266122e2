"""The place of each value of a configuration, for whoever has to say later where something was written."""

from array import array

from corepilot.config.diagnostics.source_map import key_text
from corepilot.config.text.json5_document import Node
from corepilot.gotemplate import Rendered
from corepilot.model.origin import Origins

_NESTED = frozenset(("object", "array"))


def origins(document: str, rendered: Rendered, root: Node) -> Origins:
    """Where the file has each member of an object, and each object or array in an array.

    Texts and numbers in an array have the place of the array: a command is one value.

    Args:
        document: The file as the user named it.
        rendered: What its template made.
        root: The parsed text.
    """
    paths: list[str] = []
    offsets: list[int] = []
    _collect(root, "", paths, offsets, {})
    places = array("I", [number for line, column in rendered.places(offsets) for number in (0, line, column)])
    return Origins((document,), "\n".join(paths).lower(), places.tobytes())


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
