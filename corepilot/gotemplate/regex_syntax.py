"""Parse regular expressions in RE2's syntax, as Go's regexp/syntax does: no lookaround, no references back.

Groups are kept on a list, not on Python's stack.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.limits import MAX_REGEX_GROUPS
from corepilot.gotemplate.regex_classes import (
    NEWLINE,
    Ranges,
    folded,
    merged,
    named_class,
    negated,
    perl_class,
    unicode_class,
)
from corepilot.gotemplate.regex_nodes import (
    BEGIN_LINE,
    BEGIN_TEXT,
    END_LINE,
    END_TEXT,
    NO_WORD_EDGE,
    WORD_EDGE,
    Assertion,
    Capture,
    Choice,
    Class,
    Node,
    Repeat,
    Sequence,
)

MAX_CODE_POINT = 0x10FFFF
_MAX_REPEAT = 1000

_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_ESCAPED_ASSERTIONS = {"A": BEGIN_TEXT, "z": END_TEXT, "b": WORD_EDGE, "B": NO_WORD_EDGE}
_HEX = frozenset("0123456789abcdefABCDEF")


class _Flags:
    """The flags i, m, s and U; copied where a group begins."""

    __slots__ = ("dot_all", "fold", "multiline", "ungreedy")

    def __init__(self) -> None:
        self.fold = self.multiline = self.dot_all = self.ungreedy = False

    def copy(self) -> _Flags:
        copy = _Flags()
        copy.fold, copy.multiline = self.fold, self.multiline
        copy.dot_all, copy.ungreedy = self.dot_all, self.ungreedy
        return copy

    def set(self, letter: str, *, on: bool) -> None:
        name = {"i": "fold", "m": "multiline", "s": "dot_all", "U": "ungreedy"}[letter]
        setattr(self, name, on)


class _Group:
    """A group that is open: what was read of it, and the flags outside."""

    __slots__ = ("choices", "flags", "nodes", "number")

    def __init__(self, number: int, flags: _Flags) -> None:
        self.number = number  # 0: it captures nothing
        self.flags = flags
        self.choices: list[Node] = []
        self.nodes: list[Node] = []

    def closed(self) -> Node:
        branch = Sequence(self.nodes)
        node: Node = Choice([*self.choices, branch]) if self.choices else branch
        return Capture(self.number, node) if self.number else node


def parse(pattern: str) -> tuple[Node, list[str]]:
    """Parse a regular expression.

    Returns:
        The root, and the names of the groups by number, empty where a group has none; number 0 is the whole match.

    Raises:
        FunctionFailure: the pattern is no regular expression of this syntax.
    """
    return _Parser(pattern).parse()


class _Parser:
    __slots__ = ("flags", "groups", "names", "pattern", "position")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.flags = _Flags()
        self.groups = [_Group(0, self.flags)]
        self.names = [""]

    def parse(self) -> tuple[Node, list[str]]:
        pattern = self.pattern
        if any("\ud800" <= character <= "\udfff" for character in pattern):
            raise self.fault("it contains a byte that is not UTF-8")
        repeated = False  # the last thing read was a repetition
        while self.position < len(pattern):
            repeated = self._item(pattern[self.position], repeated=repeated)
        if len(self.groups) > 1:
            raise self.fault("a parenthesis is not closed")
        return self.groups[0].closed(), self.names

    def fault(self, message: str) -> FunctionFailure:
        # The pattern itself is not shown: it may come from a variable, and a variable may be a secret.
        return FunctionFailure(f"the regular expression is wrong at its character {self.position + 1}: {message}")

    def _add(self, node: Node) -> None:
        self.groups[-1].nodes.append(node)

    def _literal(self, code: int) -> None:
        ranges: Ranges = [(code, code)]
        self._add(Class(folded(ranges) if self.flags.fold else ranges))

    def _item(self, character: str, *, repeated: bool) -> bool:
        """Read the next thing; tell whether it was a repetition."""
        if character in "*+?":
            self.position += 1
            self._repeat(0 if character != "+" else 1, 1 if character == "?" else -1, repeated=repeated)
            return True
        if character == "{":
            bounds = self._counts()
            if bounds is not None:
                self._repeat(*bounds, repeated=repeated)
                return True
        if character == "(":
            self._open()
        elif character == "|":
            self.position += 1
            group = self.groups[-1]
            group.choices.append(Sequence(group.nodes))
            group.nodes = []
        elif character == ")":
            self._close()
        elif character == "[":
            self._add(Class(self._class()))
        elif character == "\\":
            self._backslash()
        else:
            self.position += 1
            if character == "^":
                self._add(Assertion(BEGIN_LINE if self.flags.multiline else BEGIN_TEXT))
            elif character == "$":
                self._add(Assertion(END_LINE if self.flags.multiline else END_TEXT))
            elif character == ".":
                self._add(Class([(0, MAX_CODE_POINT)] if self.flags.dot_all else negated(NEWLINE)))
            else:
                self._literal(ord(character))
        return False

    def _repeat(self, least: int, most: int, *, repeated: bool) -> None:
        greedy = not self.flags.ungreedy
        if self.pattern.startswith("?", self.position):
            self.position += 1
            greedy = not greedy
        if repeated:
            raise self.fault("a repetition cannot follow a repetition; there are no possessive ones")
        nodes = self.groups[-1].nodes
        if not nodes:
            raise self.fault("there is nothing to repeat before a repetition")
        node = Repeat(nodes.pop(), least, most, greedy=greedy)
        if (least >= 2 or most >= 2) and not _within(node, _MAX_REPEAT):
            raise self.fault(f"repetitions within one another may count to {_MAX_REPEAT}")
        nodes.append(node)

    def _counts(self) -> tuple[int, int] | None:
        """Read {n}, {n,} or {n,m}; none where the brace means itself."""
        end = self.pattern.find("}", self.position)
        least, comma, most = self.pattern[self.position + 1 : end].partition(",") if end > 0 else ("", "", "")
        if not _is_count(least) or (most and not _is_count(most)):
            return None
        least_count = min(int(least[:9]), _MAX_REPEAT + 1)
        most_count = (min(int(most[:9]), _MAX_REPEAT + 1) if most else -1) if comma else least_count
        if least_count > _MAX_REPEAT or most_count > _MAX_REPEAT or 0 <= most_count < least_count:
            raise self.fault(f"{{{least}{comma}{most}}} must count up, to {_MAX_REPEAT} at most")
        self.position = end + 1
        return least_count, most_count

    def _open(self) -> None:
        self.position += 1
        if len(self.groups) > MAX_REGEX_GROUPS:
            raise self.fault(f"more than {MAX_REGEX_GROUPS} groups stand within one another")
        if not self.pattern.startswith("?", self.position):
            self._capture("")
        elif self.pattern.startswith(("?P<", "?<"), self.position):
            start = self.pattern.index("<", self.position) + 1
            end = self.pattern.find(">", start)
            name = self.pattern[start:end] if end >= 0 else ""
            if not name or not name.replace("_", "a").isalnum() or not name.isascii():
                raise self.fault(
                    "a named group is written (?P<name>…), with letters, digits and _; there is no lookbehind"
                )
            self._capture(name)
            self.position = end + 1
        else:
            self._flag_group()

    def _capture(self, name: str) -> None:
        self.names.append(name)
        self.groups.append(_Group(len(self.names) - 1, self.flags))
        self.flags = self.flags.copy()

    def _flag_group(self) -> None:
        flags = self.flags.copy()
        on = True
        seen = False
        for offset, letter in enumerate(self.pattern[self.position + 1 :], self.position + 2):
            if letter in "imsU":
                flags.set(letter, on=on)
                seen = True
            elif letter == "-" and on:
                on = seen = False
            elif letter in ":)" and (on or seen):
                self.position = offset
                if letter == ":":
                    self.groups.append(_Group(0, self.flags))
                self.flags = flags
                return
            else:
                break
        raise self.fault(
            "(? must be followed by flags out of i, m, s, U and a colon or parenthesis; there is no lookaround"
        )

    def _close(self) -> None:
        self.position += 1
        if len(self.groups) == 1:
            raise self.fault("a right parenthesis has no left one")
        group = self.groups.pop()
        self.flags = group.flags
        self._add(group.closed())

    def _backslash(self) -> None:
        letter = self.pattern[self.position + 1 : self.position + 2]
        if letter in _ESCAPED_ASSERTIONS:
            self.position += 2
            self._add(Assertion(_ESCAPED_ASSERTIONS[letter]))
        elif letter == "Q":
            end = self.pattern.find("\\E", self.position + 2)
            end = len(self.pattern) if end < 0 else end
            for character in self.pattern[self.position + 2 : end]:
                self._literal(ord(character))
            self.position = min(end + 2, len(self.pattern))
        else:
            ranges = self._escaped_class()
            if ranges is not None:
                self._add(Class(ranges))
            else:
                self._literal(self._escape())

    def _escaped_class(self) -> Ranges | None:
        r"""Read \d and the like, \pN or \p{Name}; none where no such class stands here."""
        if not self.pattern.startswith("\\", self.position):
            return None
        letter = self.pattern[self.position + 1 : self.position + 2]
        ranges = perl_class(letter, fold=self.flags.fold)
        if ranges is not None:
            self.position += 2
            return ranges
        if letter not in ("p", "P"):
            return None
        start = self.position + 2
        end = start + 1
        name = self.pattern[start:end]
        if name == "{":
            end = self.pattern.find("}", start) + 1
            name = self.pattern[start + 1 : end - 1] if end else ""
        positive = letter == "p"
        if name.startswith("^"):
            positive = not positive
            name = name[1:]
        found = unicode_class(name) if name else None
        if found is None:
            raise self.fault(f"there is no class of characters {self.pattern[self.position : end or None]!a} here")
        self.position = end
        if self.flags.fold:
            found = folded(found)
        return found if positive else negated(found)

    def _escape(self) -> int:
        """Read the escape sequence of one character."""
        start = self.position
        letter = self.pattern[start + 1 : start + 2]
        self.position += 2
        if not letter:
            raise self.fault("a backslash stands at its end")
        following = self.pattern[self.position : self.position + 1]
        if letter in "01234567" and (letter == "0" or (following and following in "01234567")):
            code = int(letter)
            for _ in range(2):
                digit = self.pattern[self.position : self.position + 1]
                if not digit or digit not in "01234567":
                    break
                code = code * 8 + int(digit)
                self.position += 1
            return code
        if letter == "x":
            end = self.pattern.find("}", self.position) if following == "{" else self.position + 2
            digits = self.pattern[self.position + (following == "{") : end] if end > 0 else ""
            if _HEX.issuperset(digits) and digits and (following == "{" or len(digits) == 2):
                code = int(digits, 16)
                if code <= MAX_CODE_POINT:
                    self.position = end + (following == "{")
                    return code
        elif letter in _CONTROL:
            return _CONTROL[letter]
        elif letter.isascii() and not letter.isalnum():
            return ord(letter)
        raise self.fault(f"\\{letter} is no escape sequence; there are no references back")

    def _class(self) -> Ranges:
        """Read a class in brackets."""
        self.position += 1
        inverted = self.pattern.startswith("^", self.position)
        self.position += inverted
        ranges: Ranges = []
        first = True
        while first or not self.pattern.startswith("]", self.position):
            first = False
            if self.pattern.startswith("[:", self.position):
                end = self.pattern.find(":]", self.position + 2)
                if end >= 0:
                    named = named_class(self.pattern[self.position + 2 : end], fold=self.flags.fold)
                    if named is None:
                        raise self.fault(f"there is no class {self.pattern[self.position : end + 2]!a}")
                    ranges += named
                    self.position = end + 2
                    continue
            escaped = self._escaped_class()
            if escaped is not None:
                ranges += escaped
                continue
            low = high = self._class_character()
            if self.pattern.startswith("-", self.position) and self.pattern[
                self.position + 1 : self.position + 2
            ] not in (
                "",
                "]",
            ):
                self.position += 1
                high = self._class_character()
                if high < low:
                    raise self.fault("a range of characters in brackets descends")
            span: Ranges = [(low, high)]
            ranges += folded(span) if self.flags.fold else span
        self.position += 1
        ranges = merged(ranges)
        return negated(ranges) if inverted else ranges

    def _class_character(self) -> int:
        character = self.pattern[self.position : self.position + 1]
        if not character:
            raise self.fault("a bracket is not closed")
        if character == "\\":
            return self._escape()
        self.position += 1
        return ord(character)


def _is_count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and (len(digits) == 1 or digits[0] != "0")


def _within(node: Node, limit: int) -> bool:
    """Tell whether counted repetitions within one another multiply to no more than a limit."""
    if isinstance(node, Repeat):
        count = node.most if node.most >= 0 else node.least
        return not node.most or (count <= limit and _within(node.node, limit // max(count, 1)))
    if isinstance(node, Capture):
        return _within(node.node, limit)
    if isinstance(node, (Sequence, Choice)):
        return all(_within(child, limit) for child in node.nodes)
    return True
