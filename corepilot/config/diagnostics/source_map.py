"""From a key's path or an offset in the rendered text to the place in the file that the user wrote."""

from collections.abc import Mapping, Sequence
from typing import Any

from corepilot.config.diagnostics.problems import Problem, Severity
from corepilot.config.text.json5_document import Node
from corepilot.gotemplate import Rendered

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
        file: The file as the user named it.
        source: Its text.
        rendered: What the template made of it; None while there is nothing rendered.
        root: The parsed text; None while there is nothing parsed.
        environment: The template's; secrets in it are masked in the lines that are shown.
    """

    def __init__(
        self,
        file: str,
        source: str,
        rendered: Rendered | None = None,
        root: Node | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._file = file
        self._lines = source.split("\n")
        self._rendered = rendered
        self._root = root
        self._environment = environment or {}

    def whole(
        self, code: str, message: str, hint: str = "", *, severity: Severity = "error", machine: bool = False
    ) -> Problem:
        """A problem of the whole file."""
        return Problem(severity, code, message, hint, self._file, machine=machine)

    def nowhere(self, code: str, message: str, hint: str = "") -> Problem:
        """An error that the file has no part in."""
        return Problem("error", code, message, hint)

    def in_source(self, code: str, message: str, line: int, column: int, hint: str = "") -> Problem:
        """An error at a line and column of the file."""
        problem = Problem("error", code, message, hint, self._file, line, column)
        problem.source_line, problem.caret = self._excerpt(
            self._line(line), column, "\n".join([*self._lines[max(0, line - 6) : line - 1], ""])
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
        """A problem with a part of the rendered text, shown where the file has what made it.

        Args:
            code: One of CODES.
            message: See Problem.
            start: Offset of the first character.
            end: Offset after the last one.
            hint: See Problem.
            severity: See Problem.
            around: Something may be missing at this place: what is beside it, but for blanks, belongs to it.
        """
        assert self._rendered is not None  # noqa: S101  - offsets come from the rendered text
        text = self._rendered.text
        origin = self._rendered.origin(start)
        problem = self.in_source(code, message, origin.line, origin.column, hint)
        problem.severity = severity
        begin = text.rfind("\n", 0, start) + 1
        stop = text.find("\n", start)
        stop = stop if stop >= 0 else len(text)
        line, source = text[begin:stop], self._line(origin.line)
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
            problem.unset = tuple(self._rendered.unset_near(start, end))
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
        """Whether the file has something at a path."""
        return self._node(path) is not None

    def job(self, path: Path) -> str:
        """The name of the job that a path is in, as far as it has one."""
        if len(path) < 2 or path[0] != "jobs":
            return ""
        node = self._node((*path[:2], "name"))
        return node.value if node is not None and node.kind == "string" else ""

    def line_of(self, offset: int) -> int:
        """The line of the file that made a place of the rendered text."""
        assert self._rendered is not None  # noqa: S101  - offsets come from the rendered text
        return int(self._rendered.origin(offset).line)

    def _excerpt(self, line: str, column: int, before: str) -> tuple[str, int]:
        from corepilot.config.diagnostics.excerpts import (  # only where there is something to show
            excerpt,
            secret_values,
        )

        return excerpt(line, column, secret_values(self._environment), before)

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

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
