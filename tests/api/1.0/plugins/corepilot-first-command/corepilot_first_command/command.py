"""The command: a function that takes the words after its name and returns the exit status."""

import sys
from collections.abc import Sequence

from corepilot.errors import CorepilotError


class WordsError(CorepilotError):
    """Words that the command can do nothing with: one line on stderr, and the status 1."""


def main(words: Sequence[str]) -> int:
    """Greet people."""
    if not words or any(word.startswith("-") for word in words):
        raise WordsError("cannot greet: name the people, as in corepilot first-command Ada")
    sys.stdout.writelines(f"hello {word}\n" for word in words)
    return 0
