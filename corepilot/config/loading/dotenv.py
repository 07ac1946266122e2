"""Files of variables, for `--env-file`: one NAME=VALUE a line, as for `docker run --env-file`.

The rules are Docker's (https://docs.docker.com/reference/cli/docker/container/run/#env): blank lines, and lines that
start with `#`, mean nothing; blanks before a name are dropped; nothing is interpolated, and a `#` after a value belongs
to it; of several lines with one name the last counts. Three decisions are ours:

* `export ` before a name is allowed, so that a file that a shell reads can be given.
* Quotes around a whole value are removed: 'one' and "one" mean one. There are no escapes inside. A value with a quote
  at one end only, or with the same quote inside, is taken as it stands, as Docker does.
* A name without `=` is an error. Docker takes the value from its own environment; here that would silently be none.
"""

from corepilot.errors import ConfigError
from corepilot.sources.file import read
from corepilot.sources.source import SourceError

DEADLINE_S = 2.0
"""How long reading one file may take."""

_BLANKS = " \t\v\f\r"
_BYTE_ORDER_MARK = "\ufeff"


class DotenvError(ConfigError):
    """A file of variables that cannot be read. The message names the file and the line, and never a value."""

    code = "env-file"


def parse(path: str) -> dict[str, str]:
    """Read a file of variables.

    Args:
        path: A regular file of UTF-8 text, at most 4 MiB, or a `file://` URL.

    Returns:
        The variables in the order of the file. May be empty.

    Raises:
        DotenvError: The file cannot be read, or one of its lines is no variable.
    """
    try:
        source = read(path, DEADLINE_S)
    except SourceError as error:
        raise DotenvError(str(error).replace("cannot read configuration", "cannot read env file", 1)) from error
    return parse_text(source.text, source.name)


def parse_text(text: str, name: str) -> dict[str, str]:
    """Read variables from text.

    Args:
        text: Lines that end with a line feed, or a carriage return and a line feed.
        name: The file's name, for errors.

    Raises:
        DotenvError: A line is no variable. Nothing of the text counts then.
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
            raise DotenvError(f"cannot read env file {name!r}, line {number}: {fault}")
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
