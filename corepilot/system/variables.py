"""The text of a file of variables: one NAME=VALUE a line, as for `docker run --env-file`.

The rules are Docker's (https://docs.docker.com/reference/cli/docker/container/run/#env): blank lines, and lines that
start with `#`, mean nothing; blanks before a name are dropped; nothing is interpolated, and a `#` after a value belongs
to it; of several lines with one name the last counts. Three decisions are ours:

* `export ` before a name is allowed, so that a file that a shell reads can be given.
* Quotes around a whole value are removed: 'one' and "one" mean one. There are no escapes inside. A value with a quote
  at one end only, or with the same quote inside, is taken as it stands, as Docker does.
* A name without `=` is an error. Docker takes the value from its own environment; here that would silently be none.

Imports nothing: the launcher of jobs reads such files, too.
"""

from __future__ import annotations

_BLANKS = " \t\v\f\r"
_BYTE_ORDER_MARK = "\ufeff"


class VariablesError(Exception):
    """A line that is no variable. The text names the line and the rule, and never a value."""


def parse_variables(text: str) -> dict[str, str]:
    """Read variables from text, in its order. May be empty.

    Args:
        text: Lines that end with a line feed, or a carriage return and a line feed.

    Raises:
        VariablesError: A line is no variable. Nothing of the text counts then.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), 1):
        stripped = line.lstrip(_BLANKS)
        if not stripped or stripped.startswith("#"):
            continue
        variable, equals, value = stripped.removesuffix("\r").partition("=")
        if variable.startswith(("export ", "export\t")):
            variable = variable[len("export ") :].lstrip(_BLANKS)
        fault = _fault(variable, equals, value)
        if fault:
            raise VariablesError(f"line {number}: {fault}")
        variables[variable] = _unquoted(value)
    return variables


def _fault(variable: str, equals: str, value: str) -> str:
    # The name is shown only where it cannot be a piece of a secret, such as the second line of a key.
    if not equals:
        return "there is no '='; write NAME=VALUE, and a value on one line"
    if not variable:
        return "there is no name before '='; write NAME=VALUE"
    if any(char.isspace() for char in variable):
        return "there is a blank in the name before '='; write NAME=VALUE without blanks around '='"
    if "\0" in variable or "\0" in value:
        return "there is a NUL character, which no variable can hold; remove it"
    return ""


def _unquoted(value: str) -> str:
    inner = value.strip(_BLANKS)
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "'\"" and inner[0] not in inner[1:-1]:
        return inner[1:-1]
    return value
