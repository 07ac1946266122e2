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

    Attributes:
        documents: Names.
        places: Path, index of its document, line and column of each value, in the order of the documents.
    """

    documents: tuple[str, ...] = ()
    places: tuple[tuple[str, int, int, int], ...] = ()

    def of(self, path: str) -> Origin | None:
        """The place of the value at a path, or of the nearest value around it; None if the document has neither."""
        known = {place[0]: place for place in self.places}
        while path:
            if path in known:
                _, document, line, column = known[path]
                return Origin(self.documents[document], line, column)
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None
