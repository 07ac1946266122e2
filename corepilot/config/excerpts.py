"""Lines of a file made fit to be shown: no secrets, no control characters, not too long; the caret stays where it was.

A line may hold a token, because the file does or because the template put it there. So what looks like a secret is
masked, character for character, in every line that leaves the loader (our decision). No message quotes a secret.
"""

import re
from collections.abc import Iterable, Mapping

WIDTH = 120
"""How many characters of a line are shown."""

_SHORTEST = 4  # masking every "1" of a line because a PASSWORD is "1" would make the line useless
_WORDS = r"(?:token|passw(?:or)?d|passphrase|secret|credential|api[_-]?key|private[_-]?key)"
_secret_name = re.compile(_WORDS, re.IGNORECASE).search
_secret_text = re.compile(
    rf"""([\w.-]*{_WORDS}[\w.-]*["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;"'{{}}\]]+)""",
    re.IGNORECASE,
)
_unprintable = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables whose names say that they are secret, longest first; of each, the lines."""
    found = {
        line
        for name, value in environment.items()
        if _secret_name(name)
        for line in value.splitlines()
        if len(line) >= _SHORTEST
    }
    return tuple(sorted(found, key=len, reverse=True))


def masked(line: str, secrets: Iterable[str] = ()) -> str:
    """The line with asterisks in the place of secrets, and of the same length."""
    for secret in secrets:
        if secret in line:
            line = line.replace(secret, "*" * len(secret))
    return _secret_text.sub(_mask, line)


def excerpt(line: str, column: int, secrets: Iterable[str] = ()) -> tuple[str, int]:
    """A line as it may be shown, and the caret's column in it.

    Args:
        line: Without its line feed.
        column: Where the caret belongs, from 1.
        secrets: Values to mask.

    Returns:
        At most WIDTH characters around the column, ellipses included, and the column in them.
    """
    line = _unprintable.sub("\N{REPLACEMENT CHARACTER}", masked(line, secrets).rstrip("\r").replace("\t", " "))
    column = max(1, min(column, len(line) + 1))
    if len(line) > WIDTH:
        start = max(0, min(column - WIDTH // 2, len(line) - WIDTH + 2))
        part = line[start : start + WIDTH - 2]
        before, after = "…" if start else "", "…" if start + len(part) < len(line) else ""
        return before + part + after, column - start + len(before)
    text = line.rstrip()
    return text, min(column, len(text) + 1)


def _mask(found: re.Match[str]) -> str:
    value = found[2]
    # A template action is the name of a secret, not the secret: seeing it is what helps.
    if "{{" in value:
        return found[0]
    if value[0] in "\"'":
        closed = len(value) > 1 and value[-1] == value[0]
        return found[1] + value[0] + "*" * (len(value) - 1 - closed) + (value[0] if closed else "")
    return found[1] + "*" * len(value)
