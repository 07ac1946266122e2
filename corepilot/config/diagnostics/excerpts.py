"""Lines of a file made fit to be shown: no secrets, no control characters, not too long; the caret stays where it was.

A line may hold a token, because the file does or because the template put it there. So what looks like a secret is
masked, character for character, in every line that leaves the loader (our decision): the value of a key that is called
so, the word after such a flag of a command, the password in a URL, and the values of variables that are called so. In
messages the last two are.
"""

import re
from collections.abc import Iterable, Mapping

from corepilot.config.diagnostics.problems import Problem

WIDTH = 120
"""How many characters of a line are shown."""

_AROUND = 16_384  # characters on both sides of the caret that are looked at: a line may have megabytes
_BEFORE = 1024
_SHORTEST = 4  # masking every "1" of a line because a PASSWORD is "1" would make the line useless
_WORDS = r"(?:token|passw(?:or)?d|passphrase|secret|credential|api[_-]?key|private[_-]?key)"
_secret_name = re.compile(_WORDS, re.IGNORECASE).search
# The bounds, and repetitions that give nothing back, keep the time in proportion to the line.
_secret_text = re.compile(
    rf"""({_WORDS}[\w.-]{{0,64}}["']?\s{{0,16}}[:=]\s{{0,16}})"""
    r"""("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;"'{}\]]+)""",
    re.IGNORECASE,
)
_flag_value = re.compile(
    rf"""({_WORDS}[\w-]{{0,64}}(?:["']\s{{0,200}},\s{{0,200}}(?=["'])|\s{{1,16}}))"""
    r"""("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s,;"'{}\]]+)""",
    re.IGNORECASE,
)
_ends_in_flag = re.compile(r"(?:^|[^\w-])--?[\w-]*\Z").search
_in_quotes = re.compile(r"""[^\s"']++""")


def is_secret_name(name: str) -> bool:
    """Whether a variable or a key that is called so holds a secret."""
    return bool(_secret_name(name))


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
    return _without_passwords(_flag_value.sub(_mask_after_flag, _secret_text.sub(_mask, line)))


def hide(problems: Iterable[Problem], environment: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
    """Mask passwords in URLs, and secrets, in all that problems say, whoever put them there.

    Args:
        problems: What is going to be shown.
        environment: Its variables that are named like secrets are secret.
        secrets: What else is: the values that options refer to.
    """
    named = secret_values(environment)
    referred = sorted({line for one in secrets for line in one.splitlines() if len(line) >= _SHORTEST}, key=len)
    for problem in problems:
        for name in ("message", "hint", "path", "job", "source_line", "rendered_line"):
            text: str = getattr(problem, name)
            excerpted = name.endswith("_line")  # secrets that are known by name are masked already
            for secret in (*reversed(referred), *(() if excerpted else named)):
                text = text.replace(secret, "*" * len(secret))
            setattr(problem, name, text if excerpted or name == "path" else _without_passwords(text))


def excerpt(line: str, column: int, secrets: Iterable[str] = (), before: str = "") -> tuple[str, int]:
    """A line as it may be shown, and the caret's column in it.

    Args:
        line: Without its line feed.
        column: Where the caret belongs, from 1.
        secrets: Values to mask.
        before: The text before the line, or the end of it: a key or a flag there makes the line's first value a secret.

    Returns:
        At most WIDTH characters around the column, ellipses included, and the column in them.
    """
    column = max(1, min(column, len(line) + 1))
    cut_before, cut_after = column - 1 > _AROUND, len(line) > column + _AROUND
    if cut_before or cut_after:
        start = max(0, column - 1 - _AROUND)
        before, line, column = before + line[:start], line[start : column + _AROUND], column - start
    before = before[-_BEFORE:]
    line = masked(before + line, secrets)[len(before) :].rstrip("\r\n")
    if len(line) > WIDTH:
        start = max(0, min(column - WIDTH // 2, len(line) - WIDTH + 2))
        part = line[start : start + WIDTH - 2]
        cut_before, cut_after = cut_before or start > 0, cut_after or start + len(part) < len(line)
        line, column = part, column - start
    line = line.rstrip()
    text = ("…" if cut_before else "") + "".join(map(_shown, line)) + ("…" if cut_after else "")
    return text, min(column, len(line) + 1) + cut_before


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


def _mask_after_flag(found: re.Match[str]) -> str:
    """Mask what follows `--token`; in other texts the word "token" is not followed by a secret."""
    start = found.start()
    return _mask(found) if _ends_in_flag(found.string[max(0, start - 64) : start]) else found[0]


def _without_passwords(text: str) -> str:
    return _in_quotes.sub(_mask_password, text) if "@" in text else text


def _mask_password(found: re.Match[str]) -> str:
    """Mask what is between the user's name and the host in `http://user:password@host`, with and without a scheme."""
    word = found[0]
    end = word.rfind("@")
    scheme = word.find("://", 0, max(end, 0))
    start = word.find(":", scheme + 3 if scheme >= 0 else 0, max(end, 0)) + 1
    if not 0 < start < end or "{{" in word[start:end]:
        return word
    return word[:start] + "*" * (end - start) + word[end:]
