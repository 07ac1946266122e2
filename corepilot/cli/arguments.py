"""Command lines: a table of commands in, the values of one command out. Small, because it is on the boot path.

argparse would do; it costs 7 ms before the first job starts, and does not suggest the nearest option. Nor is typing
imported, which takes as long: `corepilot ping` runs every few seconds.
"""

from __future__ import annotations

from corepilot.errors import CorepilotError

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

USAGE = 2
"""Exit status of a command line that cannot be understood."""

EVERYWHERE = ("--help", "--version")
"""Options that are looked for before a command's own."""


class UsageError(CorepilotError):
    """A command line that cannot be understood."""

    code = "usage"


class Option:
    """One option.

    Args:
        names: "-c", "--config": what may be typed. The value of a long one may follow "=".
        attribute: Where its value is found.
        value: What help calls its value; "" for a switch.
        help: One line.
        repeated: It may be given several times; the value is then a list.
        choices: The allowed values; () for any.
    """

    __slots__ = ("attribute", "choices", "help", "names", "repeated", "value")

    def __init__(
        self,
        names: tuple[str, ...],
        attribute: str,
        value: str,
        help: str,  # noqa: A002  - what it is
        *,
        repeated: bool = False,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.names, self.attribute, self.value, self.help = names, attribute, value, help
        self.repeated, self.choices = repeated, choices


class Command:
    """One command.

    Args:
        name: What is typed.
        summary: One line.
        positionals: What help calls the arguments without option, "" for none.
        least: How many of them there must be.
        most: How many there may be.
        options: Its options.
        run: "module:function" that carries it out: takes the values, returns the exit status. Imported when it is used.
            "" for `run`, which is the boot of a container and has its own way.
        advice: How an error about the number of arguments goes on.
    """

    __slots__ = ("advice", "least", "most", "name", "options", "positionals", "run", "summary")

    def __init__(  # noqa: PLR0917  - a row of the table of commands
        self,
        name: str,
        summary: str,
        positionals: str,
        least: int,
        most: int,
        options: tuple[Option, ...],
        run: str,
        advice: str = "",
    ) -> None:
        self.name, self.summary, self.positionals, self.least, self.most = name, summary, positionals, least, most
        self.options, self.run, self.advice = options, run, advice


class ParsedCommand:
    """The values of a command line: one attribute for each option, `positionals`, and the given environment.

    `program` is the part of the positionals that stands behind `--`.
    """

    positionals: list[str]
    program: list[str]
    environment: Mapping[str, str]

    def __init__(self, command: Command) -> None:
        self.command = command
        self.positionals = []
        self.program = []
        for option in command.options:
            setattr(self, option.attribute, [] if option.repeated else None if option.value else False)

    def __getattr__(self, name: str) -> Any:  # options are not known to type checkers
        raise AttributeError(name)


def parse(command: Command, words: Sequence[str]) -> ParsedCommand:
    """The values of one command.

    Args:
        command: The command.
        words: What follows its name.

    Raises:
        UsageError: something is unknown, missing, or too much; says what is nearest.
    """
    found = ParsedCommand(command)
    known = {name: option for option in command.options for name in option.names}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.positionals += rest
            found.program = list(rest)
            break
        if not word.startswith("-") or word == "-":
            found.positionals.append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        option = known.get(name)
        single = word.partition("=")[0]
        if option is None and f"-{single}" in known:  # else -config, ContainerPilot's way, is -c onfig
            raise UsageError(f"cannot use option {single!r} with {command.name}: unknown; did you mean '-{single}'?")
        if option is None and not word.startswith("--") and word[:2] in known and known[word[:2]].value:
            option, name, equals, value = known[word[:2]], word[:2], "=", word[2:]  # -cFILE
        if option is None:
            raise UsageError(
                f"cannot use option {name!r} with {command.name}: unknown{suggest(name, [*known, *EVERYWHERE])}"
            )
        if not option.value:
            if equals:
                raise UsageError(f"cannot give {name} a value: it is a switch")
            setattr(found, option.attribute, True)
            continue
        if not equals:
            if not rest:
                raise UsageError(f"cannot use {name} without a value: {name} {option.value}")
            value = rest.pop(0)
        if option.choices and value not in option.choices:
            raise UsageError(f"cannot use {name} {value}: it is one of {', '.join(option.choices)}")
        if option.repeated:
            getattr(found, option.attribute).append(value)
        else:
            setattr(found, option.attribute, value)
    if not command.least <= len(found.positionals) <= command.most:
        wanted = command.positionals or "no further arguments"
        if not command.most and "-c" in known:
            wanted += "; name a configuration with -c FILE"
        number = len(found.positionals)
        given = "1 argument" if number == 1 else f"{number} arguments"
        raise UsageError(f"cannot run {command.name} with {given}: it takes {wanted}{command.advice}")
    return found


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or where to look."""
    from corepilot.wording.nearest import suggest as nearest

    return nearest(word, list(known)) or "; see --help"
