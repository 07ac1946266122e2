"""What a text has to contain if a regular expression matches in it: most texts can be told apart without the matcher.

Only of ASCII texts: in others a class such as `(?i:s)` has letters that are no `s` in any case.
"""

from __future__ import annotations

from corepilot.gotemplate.regex_nodes import Assertion, Capture, Choice, Class, Node, Sequence

CLAUSES_MAX = 4
"""How many are looked for: the longest ones."""

ALTERNATIVES_MAX = 32

Clause = tuple[str, ...]
"""One of these has to be in the text, in small letters."""


def clauses_of(node: Node) -> list[Clause]:
    """What an ASCII text, in small letters, has to contain: of each clause one; the longest first. May be empty."""
    found: list[Clause] = []
    _end(_walk(node, found, ""), found)
    found.sort(key=_worth, reverse=True)
    return found[:CLAUSES_MAX]


def may_match(clauses: list[Clause], text: str) -> bool:
    """Whether a text contains what it has to."""
    if not clauses or not text.isascii():
        return True
    small = text.lower()
    return all(any(one in small for one in clause) for clause in clauses)


def _worth(clause: Clause) -> int:
    return min(map(len, clause))


def _end(run: str, found: list[Clause]) -> None:
    if run:
        found.append((run,))


def _walk(node: Node, found: list[Clause], run: str) -> str:
    """Collect what a node demands; `run` is the text in front of it that has no gap, and so is the result."""
    if isinstance(node, Class):
        letter = _letter(node)
        if letter:
            return run + letter
        _end(run, found)
        return ""
    if isinstance(node, Assertion):
        return run
    if isinstance(node, Capture):
        return _walk(node.node, found, run)
    if isinstance(node, Sequence):
        for child in node.nodes:
            run = _walk(child, found, run)
        return run
    _end(run, found)
    if isinstance(node, Choice):
        branches = [clauses_of(one) for one in node.nodes]
        merged = [one for clauses in branches for one in (clauses[0] if clauses else ())]
        if all(branches) and len(merged) <= ALTERNATIVES_MAX:
            found.append(tuple(merged))
    elif node.least:
        found += clauses_of(node.node)
    return ""


def _letter(node: Class) -> str:
    """The one ASCII character of a class, as a small letter; "" if there are more, or none."""
    letters: set[str] = set()
    for low, high in node.ranges:
        if low > 127:
            continue
        if high - low > 1:
            return ""
        letters |= {chr(code).lower() for code in range(low, min(high, 127) + 1)}
    return letters.pop() if len(letters) == 1 else ""
