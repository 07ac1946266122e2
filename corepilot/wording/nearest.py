"""The known word that somebody who wrote an unknown one probably meant. Pure, no imports: for error messages.

Our own rather than difflib, because case, separators and swapped neighbours are what people get wrong in keys.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 64
_MOST_EDITS = 3
_SHORTEST_PREFIX = 3


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest to `word`, or None if none is near.

    Near means few edits: a character left out, added or replaced, or two neighbours swapped. One edit for a word of
    two to four characters, two up to seven, else three. Case, `_`, `-` and `.` cost nothing by themselves:
    "stop-timeout" is "stopTimeout". If nothing is that near, the only known word that `word` begins, or that begins
    `word`, is taken, such as "logging" for "log".

    Args:
        word: What was written. Longer than 64 characters, it is near to nothing.
        known: Of words that are equally near, the first one is taken.
    """
    if len(word) > _LONGEST:
        return None
    folded = _folded(word)
    most = min(_MOST_EDITS, (len(folded) + 1) // 3)
    best: tuple[int, int] | None = None
    found = None
    candidates = [one for one in known if len(one) <= _LONGEST]
    for candidate in candidates:
        other = _folded(candidate)
        if not other or abs(len(other) - len(folded)) > most:
            continue
        edits = _edits(folded, other, most)
        if edits > most:
            continue
        rank = (edits, _edits(word, candidate, _LONGEST))
        if best is None or rank < best:
            best, found = rank, candidate
    return found if found is not None else _only_prefix(folded, candidates)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" to end a message with, or "" if no known word is near."""
    found = nearest(word, known)
    return "" if found is None else f"; did you mean {found!r}?"


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(".", "")


def _only_prefix(folded: str, candidates: list[str]) -> str | None:
    if len(folded) < _SHORTEST_PREFIX:
        return None
    found = [
        candidate
        for candidate in candidates
        if len(other := _folded(candidate)) >= _SHORTEST_PREFIX
        and (other.startswith(folded) or folded.startswith(other))
    ]
    return found[0] if len(found) == 1 else None


def _edits(one: str, other: str, most: int) -> int:
    """Count edits: the optimal string alignment distance (Levenshtein's, with neighbours swapped as one edit).

    Stops at some number above `most` when there are more.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, target in enumerate(other, 1):
            edits = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != target))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == target:
                edits = min(edits, last[j - 2] + 1)
            row.append(edits)
        if min(row) > most and min(before) > most:
            break
    return row[-1]
