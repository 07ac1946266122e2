"""From a key's path or an offset in the rendered text to the place in the document that the user wrote."""

from collections.abc import Mapping, Sequence
from typing import Any

from corepilot.config.diagnostics.documents import SourceDocument, document_at
from corepilot.config.diagnostics.problems import Problem, Severity
from corepilot.config.text.json5_document import Node

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the configuration."""


def path_text(path: Sequence[str | int]) -> str:
    """A path as messages show it: `jobs[0].health.ttl`; odd keys stand in brackets and quotes."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else key_text(part, first=not text)
    return text


def key_text(key: str, *, first: bool) -> str:
    """What a key adds to the text of a path."""
    if key.isalnum() or key.replace("_", "a").replace("$", "a").replace("-", "a").isalnum():
        return key if first else f".{key}"
    shown = key if len(key) <= 40 else key[:39] + "…"
    return f"[{shown!r}]"


def member_of(node: Node, key: str, *, exact: bool) -> Any:
    """The member of an object that a key names, or None. Below the top level keys are the same in any case."""
    found = node.value.get(key)
    if found is None and not exact:
        folded = key.lower()
        found = next((one for one in reversed(node.value.values()) if one.key.lower() == folded), None)
    return found


class SourceMap:
    """Makes problems that know where they are.

    Args:
        documents: At least one; only the first is looked at while they have not been merged.
        root: The parsed text, of all documents; None while there is nothing parsed.
        environment: The template's; secrets in it are masked in the lines that are shown.
        name: What a problem of the whole configuration names; the document's name if there is one.
    """

    def __init__(
        self,
        documents: Sequence[SourceDocument],
        root: Node | None = None,
        environment: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        self._documents = documents
        self._root = root
        self._environment = environment or {}
        self._name = documents[0].name if len(documents) == 1 else name

    def whole(
        self,
        code: str,
        message: str,
        hint: str = "",
        *,
        severity: Severity = "error",
        machine: bool = False,
        document: int | None = None,
    ) -> Problem:
        """A problem of the whole configuration, or of one whole document."""
        name = self._name if document is None else self._documents[document].name
        return Problem(severity, code, message, hint, name, machine=machine)

    def nowhere(self, code: str, message: str, hint: str = "") -> Problem:
        """An error that no document has a part in."""
        return Problem("error", code, message, hint)

    def in_source(
        self, code: str, message: str, line: int, column: int, hint: str = "", *, document: int = 0
    ) -> Problem:
        """An error at a line and column of a document."""
        written = self._documents[document]
        problem = Problem("error", code, message, hint, written.name, line, column)
        problem.source_line, problem.caret = self._excerpt(
            written.line(line), column, "\n".join([*written.lines[max(0, line - 6) : line - 1], ""])
        )
        return problem

    def in_rendered(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        hint: str = "",
        *,
        severity: Severity = "error",
        around: bool = False,
    ) -> Problem:
        """A problem with a part of the rendered text, shown where the document has what made it.

        Args:
            code: One of CODES.
            message: See Problem.
            start: Offset of the first character.
            end: Offset after the last one.
            hint: See Problem.
            severity: See Problem.
            around: Something may be missing at this place: what is beside it, but for blanks, belongs to it.
        """
        index = document_at(self._documents, start)
        written = self._documents[index]
        rendered = written.rendered
        start, end = start - written.start, end - written.start
        text = rendered.text
        origin = rendered.origin(start)
        problem = self.in_source(code, message, origin.line, origin.column, hint, document=index)
        problem.severity = severity
        begin = text.rfind("\n", 0, start) + 1
        stop = text.find("\n", start)
        stop = stop if stop >= 0 else len(text)
        line, source = text[begin:stop], written.line(origin.line)
        same = source[origin.column - 1 :].startswith(text[start : min(end, stop)])
        if around or not same or origin.action is not None:
            if line.strip() != source.strip():
                problem.rendered_line = self._excerpt(
                    line.strip(), start - begin + 1, text[max(0, begin - 1024) : begin]
                )[0]
            number = text.count("\n", 0, start) + 1
            if problem.rendered_line or number != origin.line:
                problem.rendered_number = number
            if around:
                start, end = len(text[:start].rstrip()), len(text) - len(text[end:].lstrip())
            problem.unset = tuple(rendered.unset_near(start, end))
        return problem

    def on(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
        machine: bool = False,
    ) -> Problem:
        """A problem with a key or its value.

        Args:
            path: The key. Where it does not exist, the innermost object around it that does is shown.
            code: One of CODES.
            message: See Problem.
            hint: See Problem.
            key: Point at the key, not at its value.
            severity: See Problem.
            machine: See Problem.
        """
        start, end = self._span(path, key=key)
        problem = self.in_rendered(code, message, start, end, hint, severity=severity)
        problem.path = path_text(path)
        problem.job = self.job(path)
        problem.machine = machine
        return problem

    def has(self, path: Path) -> bool:
        """Whether the configuration has something at a path."""
        return self._node(path) is not None

    def job(self, path: Path) -> str:
        """The name of the job that a path is in, as far as it has one."""
        if len(path) < 2 or path[0] != "jobs":
            return ""
        node = self._node((*path[:2], "name"))
        return node.value if node is not None and node.kind == "string" else ""

    def line_of(self, offset: int) -> int:
        """The line of its document that made a place of the rendered text."""
        written = self._documents[document_at(self._documents, offset)]
        return int(written.rendered.origin(offset - written.start).line)

    def place_of(self, offset: int) -> str:
        """Document and line of a place of the rendered text: `30-c.json5:3`."""
        return f"{self._documents[document_at(self._documents, offset)].name}:{self.line_of(offset)}"

    def _excerpt(self, line: str, column: int, before: str) -> tuple[str, int]:
        from corepilot.config.diagnostics.excerpts import (  # only where there is something to show
            excerpt,
            secret_values,
        )

        return excerpt(line, column, secret_values(self._environment), before)

    def _node(self, path: Path) -> Node | None:
        found, depth, _ = self._walk(path)
        return found if depth == len(path) else None

    def _span(self, path: Path, *, key: bool) -> tuple[int, int]:
        found, depth, member = self._walk(path)
        if depth < len(path):
            return found.start, found.start + 1
        if key and member is not None:
            return member.key_start, member.key_end
        return found.start, found.end

    def _walk(self, path: Path) -> tuple[Node, int, Any]:
        """The innermost node on the way to `path`, how many steps led there, and the member it is the value of."""
        node, member = self._root, None
        assert node is not None  # noqa: S101  - paths come from the parsed text
        for depth, part in enumerate(path):
            if isinstance(part, int):
                if node.kind != "array" or not 0 <= part < len(node.value):
                    return node, depth, member
                node, member = node.value[part], None
            else:
                found = member_of(node, part, exact=depth == 0) if node.kind == "object" else None
                if found is None:
                    return node, depth, member
                node, member = found.node, found
        return node, len(path), member
