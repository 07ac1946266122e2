"""Where in its documents a configuration says something."""

from __future__ import annotations

from corepilot.model.value import Value


class Origin(Value):
    """A place in a document.

    Attributes:
        document: The document's name as the user gave it.
        line: From 1.
        column: From 1.
    """

    document: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.document}:{self.line}:{self.column}"


class Origins(Value):
    """The place of each value, by the path of its key, such as `jobs[0].health.ttl`.

    Two scalars instead of a value for each place: a configuration has ten thousand of them, which are sent with every
    load and hardly ever asked for.

    Attributes:
        documents: Names.
        paths: The path of each value, in small letters, one on a line, in the order of the documents.
        places: Index of its document, line and column of each, as three 32-bit numbers of the machine's byte order.
    """

    documents: tuple[str, ...] = ()
    paths: str = ""
    places: bytes = b""

    def of(self, path: str) -> Origin | None:
        """The place of the value at a path, or of the nearest value around it; None if the documents have neither.

        Keys count as the same in any case, as they do in a configuration. Takes time in proportion to the whole.
        """
        known = {one: index for index, one in enumerate(self.paths.split("\n"))} if self.paths else {}
        path = path.lower()
        while path:
            if path in known:
                document, line, column = memoryview(self.places).cast("I")[known[path] * 3 : known[path] * 3 + 3]
                return Origin(self.documents[document], line, column)
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None
