"""Command lines by the rules of Go's `flag` package (https://pkg.go.dev/flag), for the old command.

`-x`, `--x`, `-x=v` and `-x v` are the same; a switch takes a value only behind `=`; the first word that is no flag, or
`--`, ends the flags. Imports nothing: it is read before PID 1 can take a signal.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    Kind = Literal["switch", "text", "pairs"]

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class Flag:
    """One flag.

    Attributes:
        kind: "switch"; "text"; or "pairs", which may be given several times, each time with `key=value`.
        help: What usage says of it. Lines after the first are indented there.
        value: What usage calls its value; "" for a switch.
    """

    __slots__ = ("help", "kind", "value")

    def __init__(self, kind: "Kind", help: str, value: str = "") -> None:  # noqa: A002  - what usage calls it
        self.kind = kind
        self.help = help
        self.value = value


class FlagError(Exception):
    """The words are not flags. The message is "" if they ask for help."""


class Values:
    """What the flags say: switches are False and texts "" where they are not given.

    Attributes:
        switches: By name.
        texts: By name.
        pairs: By name; of pairs with the same key the last one counts.
    """

    def __init__(self, flags: "Mapping[str, Flag]") -> None:
        self.switches = {name: False for name, flag in flags.items() if flag.kind == "switch"}
        self.texts = {name: "" for name, flag in flags.items() if flag.kind == "text"}
        self.pairs: dict[str, dict[str, str]] = {name: {} for name, flag in flags.items() if flag.kind == "pairs"}

    def take(self, name: str, value: str) -> None:
        """Set a flag.

        Raises:
            FlagError: the value does not fit.
        """
        if name in self.switches:
            if value not in _TRUE | _FALSE:
                raise FlagError(f'invalid boolean value "{value}" for -{name}: write -{name}, or -{name}=false')
            self.switches[name] = value in _TRUE
        elif name in self.texts:
            self.texts[name] = value
        else:
            key, equals, rest = value.partition("=")
            if not equals:
                raise FlagError(f'invalid value "{value}" for flag -{name}: write key=value')
            self.pairs[name][key] = rest


def parse(flags: "Mapping[str, Flag]", words: "Sequence[str]") -> Values:
    """Read the flags of a command line. What comes after them is ignored, as ContainerPilot does.

    Args:
        flags: The flags by name, without hyphens.
        words: What follows the command's name.

    Raises:
        FlagError: the words are not flags, or ask for help.
    """
    values = Values(flags)
    rest = list(words)
    while rest:
        word = rest[0]
        if len(word) < 2 or not word.startswith("-") or word == "--":
            break
        del rest[0]
        name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {word}")
        if name not in flags:
            raise FlagError("" if name in {"help", "h"} else f"flag provided but not defined: -{name}")
        if flags[name].kind == "switch":
            value = value if equals else "true"
        elif not equals:
            if not rest:
                raise FlagError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        values.take(name, value)
    return values


def usage(command: str, flags: "Mapping[str, Flag]") -> str:
    """What is printed for help and after an error."""
    lines = [f"Usage of {command}:"]
    for name in sorted(flags):
        flag = flags[name]
        lines.append(f"  -{name} {flag.value}".rstrip())
        lines += [f"        {line}" for line in flag.help.split("\n")]
    return "\n".join(lines) + "\n"
