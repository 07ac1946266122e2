"""Files of variables, for `--env-file`. `corepilot.system.variables` has their syntax."""

from corepilot.errors import ConfigError
from corepilot.sources.file import read
from corepilot.sources.values import SourceError
from corepilot.system.variables import VariablesError, parse_variables

DEADLINE_S = 2.0
"""How long reading one file may take."""


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
        text: As for `parse_variables`.
        name: The file's name, for errors.

    Raises:
        DotenvError: A line is no variable. Nothing of the text counts then.
    """
    try:
        return parse_variables(text)
    except VariablesError as error:
        raise DotenvError(f"cannot read env file {name!r}, {error}") from None
