"""Regular expressions for regexReplaceAll: the matches of Go's regexp package, in time that grows with the text only.

Python's re would match the same in most cases, but it can take exponential time, reads flags, classes and empty loops
in its own way, and costs more to import than a template takes. So a pattern is compiled into a small program, and the
matcher tries its branches in order, never the same instruction at the same place twice: the leftmost match, and of
those the first.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.lex import is_alphanumeric
from corepilot.gotemplate.limits import MAX_OUTPUT_BYTES, MAX_STEPS, Meter
from corepilot.gotemplate.regex_literals import clauses_of, may_match
from corepilot.gotemplate.regex_nodes import BEGIN_LINE, BEGIN_TEXT, END_LINE, END_TEXT, WORD_EDGE
from corepilot.gotemplate.regex_program import (
    ASSERT,
    CHARACTER,
    CLASS,
    MATCH,
    SAVE,
    SPLIT,
    Program,
    compile_pattern,
)
from corepilot.gotemplate.regex_syntax import parse
from corepilot.gotemplate.values import bounded, repaired, too_long


def replace(meter: Meter, pattern: str, replacement: str, text: str) -> str:
    """Replace all matches of a pattern, as Go's Regexp.ReplaceAllString does.

    Args:
        meter: pays for the steps of the matcher.
        pattern: the regular expression, in RE2's syntax.
        replacement: $1, ${1} and ${name} in it stand for groups; a name is as long as it can be; $$ is a dollar.
        text: where to search.

    Raises:
        FunctionFailure: the pattern is wrong, or the work or the text grows over a limit.
    """
    program = compile_pattern(pattern)
    meter.left -= len(pattern) + 4 * len(program.code)
    parts = _template(replacement, program.names)
    matcher = _Matcher(program, text, meter)
    pieces: list[str] = []
    size = 0
    search = last = 0
    while search <= len(text):
        groups = matcher.find(search)
        if groups is None:
            break
        start, end = groups[0], groups[1]
        pieces.append(text[last:start])
        # The empty text just behind a match is no match of its own.
        if end > last or start == 0:
            expanded = [part if isinstance(part, str) else _group(part, groups, text) for part in parts]
            pieces.extend(expanded)
            size += sum(map(len, expanded))
            if size > MAX_OUTPUT_BYTES:
                raise too_long()
        last = end
        search = max(search + 1, end)
    pieces.append(text[last:])
    return bounded(repaired("".join(pieces)))


class Pattern:
    """A regular expression that is looked for again and again.

    Args:
        pattern: In RE2's syntax.

    Raises:
        FunctionFailure: it is wrong.
    """

    def __init__(self, pattern: str) -> None:
        self._program = compile_pattern(pattern)
        self._clauses = clauses_of(parse(pattern)[0])

    def found_in(self, text: str, *, steps: int = MAX_STEPS) -> bool:
        """Whether it matches somewhere.

        Args:
            text: Where to look.
            steps: How much work may be done for it. A text that would take more counts as one without a match.
        """
        if self._program.needed not in text or not may_match(self._clauses, text):
            return False
        meter = Meter()
        meter.left = steps
        try:
            return _Matcher(self._program, text, meter).find(0) is not None
        except FunctionFailure:
            return False


def _group(numbers: list[int], groups: list[int], text: str) -> str:
    """Return what the first of some groups that took part in the match has matched."""
    for number in numbers:
        if 2 * number + 1 < len(groups) and groups[2 * number] >= 0:
            return text[groups[2 * number] : groups[2 * number + 1]]
    return ""


def _template(replacement: str, names: list[str]) -> list[str | list[int]]:
    """Cut a replacement into text and numbers of groups; several numbers where groups share a name."""
    parts: list[str | list[int]] = []
    position = 0
    while (dollar := replacement.find("$", position)) >= 0:
        parts.append(replacement[position:dollar])
        position = dollar + 1
        if replacement.startswith("$", position):
            parts.append("$")
            position += 1
            continue
        braced = replacement.startswith("{", position)
        start = end = position + braced
        while end < len(replacement) and is_alphanumeric(replacement[end]):
            end += 1
        name = replacement[start:end]
        if not name or (braced and not replacement.startswith("}", end)):
            parts.append("$")
            continue
        position = end + braced
        if name.isascii() and name.isdigit() and (name[0] != "0" or len(name) == 1):
            parts.append([int(name)] if len(name) < 9 else [])
        else:
            parts.append([number for number, known in enumerate(names) if known == name])
    parts.append(replacement[position:])
    return parts


class _Matcher:
    __slots__ = ("_meter", "_program", "_text")

    def __init__(self, program: Program, text: str, meter: Meter) -> None:
        self._program = program
        self._text = text
        self._meter = meter

    def find(self, position: int) -> list[int] | None:
        """Find the first match from a position on: start and end of each group, -1 for one that took no part."""
        prefix = self._program.prefix
        seen: set[int] = set()
        while position <= len(self._text):
            if prefix:
                position = self._text.find(prefix, position)
                if position < 0:
                    return None
            before = len(seen)
            groups = self._match(position, seen)
            self._meter.left -= len(seen) - before + 1
            self._meter.check()
            if groups is not None:
                return groups
            if self._program.anchored:
                return None
            position += 1
        return None

    def _match(self, start: int, seen: set[int]) -> list[int] | None:
        """Match at a position; seen has the places of the program and the text that lead to no match."""
        text = self._text
        end = len(text)
        width = end + 1
        code = self._program.code
        groups = [-1] * (2 * len(self._program.names))
        # Branches to try later: instruction and position; or ~slot and the value to put back into it.
        branches = [(0, start)]
        while branches:
            at, position = branches.pop()
            if at < 0:
                groups[~at] = position
                continue
            while True:
                key = at * width + position
                if key in seen:
                    break
                seen.add(key)
                instruction = code[at]
                operation = instruction.operation
                at += 1
                if operation == CHARACTER:
                    if position >= end or text[position] != instruction.character:
                        break
                    position += 1
                elif operation == CLASS:
                    if position >= end or not instruction.matches(text[position]):
                        break
                    position += 1
                elif operation == SPLIT:
                    branches.append((instruction.second, position))
                    at = instruction.first
                elif operation == SAVE:
                    branches.append((~instruction.first, groups[instruction.first]))
                    groups[instruction.first] = position
                elif operation == ASSERT:
                    if not _holds(instruction.first, text, position):
                        break
                elif operation == MATCH:
                    return groups
                else:
                    at = instruction.first
            if len(seen) > self._meter.left:
                break  # the caller has the meter checked
        return None


def _holds(kind: int, text: str, position: int) -> bool:
    """Tell whether an assertion holds at a position."""
    if kind == BEGIN_TEXT:
        return position == 0
    if kind == END_TEXT:
        return position == len(text)
    if kind == BEGIN_LINE:
        return position == 0 or text[position - 1] == "\n"
    if kind == END_LINE:
        return position == len(text) or text[position] == "\n"
    edge = (position > 0 and _is_word(text[position - 1])) != (position < len(text) and _is_word(text[position]))
    return edge == (kind == WORD_EDGE)


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")
