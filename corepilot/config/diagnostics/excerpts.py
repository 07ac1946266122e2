"""Lines of a file made fit to be shown: no secrets, no control characters, not too long; the caret stays where it was.

A line may hold a token, because the file does or because the template put it there. So what looks like a secret is
masked, character for character, in every line that leaves the loader (our decision), and the values of variables that
are called so in the messages too.
"""

import re
from collections.abc import Iterable, Mapping

from corepilot.config.diagnostics.problems import Problem

WIDTH = 120
"""How many characters of a line are shown."""

_AROUND = 16_384  # characters on both sides of the caret that are looked at: a line may have megabytes
_SHORTEST = 4  # masking every "1" of a line because a PASSWORD is "1" would make the line useless
_WORDS = r"(?:token|passw(?:or)?d|passphrase|secret|credential|api[_-]?key|private[_-]?key)"
_secret_name = re.compile(_WORDS, re.IGNORECASE).search
# The bounds keep the time in proportion to the line.
_secret_text = re.compile(
    rf"""({_WORDS}[\w.-]{{0,64}}["']?\s{{0,16}}[:=]\s{{0,16}})"""
    r"""("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;"'{}\]]+)""",
    re.IGNORECASE,
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


def hide(problems: Iterable[Problem], environment: Mapping[str, str]) -> None:
    """Mask the values of secret variables in everything that problems say, also where a template put them."""
    secrets = secret_values(environment)
    for problem in problems if secrets else ():
        for secret in secrets:
            for name in ("message", "hint", "path", "job"):
                text: str = getattr(problem, name)
                if secret in text:
                    setattr(problem, name, text.replace(secret, "*" * len(secret)))


def excerpt(line: str, column: int, secrets: Iterable[str] = ()) -> tuple[str, int]:
    """A line as it may be shown, and the caret's column in it.

    Args:
        line: Without its line feed.
        column: Where the caret belongs, from 1.
        secrets: Values to mask.

    Returns:
        At most WIDTH characters around the column, ellipses included, and the column in them.
    """
    column = max(1, min(column, len(line) + 1))
    before, after = column - 1 > _AROUND, len(line) > column + _AROUND
    if before or after:
        start = max(0, column - 1 - _AROUND)
        line, column = line[start : column + _AROUND], column - start
    line = masked(line, secrets).rstrip("\r\n")
    if len(line) > WIDTH:
        start = max(0, min(column - WIDTH // 2, len(line) - WIDTH + 2))
        part = line[start : start + WIDTH - 2]
        before, after = before or start > 0, after or start + len(part) < len(line)
        line, column = part, column - start
    line = line.rstrip()
    text = ("…" if before else "") + "".join(map(_shown, line)) + ("…" if after else "")
    return text, min(column, len(line) + 1) + before


def _shown(char: str) -> str:
    return char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}"


def _mask(found: re.Match[str]) -> str:
    value = found[2]
    # A template action is the name of a secret, not the secret: seeing it is what helps.
    if "{{" in value:
        return found[0]
    if value[0] in "\"'":
        closed = len(value) > 1 and value[-1] == value[0]
        return found[1] + value[0] + "*" * (len(value) - 1 - closed) + (value[0] if closed else "")
    return found[1] + "*" * len(value)
