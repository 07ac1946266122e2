"""What a client has to know of a configuration that need not be good (contract, section 1.1, FIX)."""

from collections.abc import Mapping

PEEK_DEADLINE_S = 2.0

_CONTROL = (
    r"""(?ix) (?<![\w"']) ["']? control ["']? \s* : \s* \{ [^{}]*? ["']? socket ["']? \s* : \s* (["']) ([^"'\n]+) \1"""
)
"""Where a file is no JSON5 in this shell: `control: {socket: "PATH"`, as people write it."""


class Identity:
    """What tells the corepilot that runs a configuration from others.

    Attributes:
        path: The absolute path of the configuration.
        socket: Its `control.socket`, or None where there is none or it cannot be read.
    """

    __slots__ = ("path", "socket")

    def __init__(self, path: str, socket: str | None) -> None:
        self.path = path
        self.socket = socket


def identify(location: str, environment: Mapping[str, str]) -> Identity:
    """Read what a client needs to find the corepilot that runs a configuration.

    Args:
        location: A path or a `file://` URL.
        environment: For the template.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    from corepilot.sources.paths import absolute_path

    socket = control_socket(location, environment)
    return Identity(absolute_path(location), socket)


def control_socket(location: str, environment: Mapping[str, str]) -> str | None:
    """The `control.socket` of a configuration, or None where there is none or it cannot be read.

    ContainerPilot's clients validate everything to find the socket, and so fail in a shell that lacks the template's
    variables. Here whatever else is wrong with the file is the supervisor's affair, not the client's.

    Args:
        location: A path or a `file://` URL.
        environment: For the template.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    from corepilot.config.text.json5 import parse
    from corepilot.config.text.json5_document import Json5Error
    from corepilot.errors import ConfigError
    from corepilot.gotemplate import TemplateError, render
    from corepilot.sources.file import read
    from corepilot.sources.source import SourceError

    try:
        source = read(location, PEEK_DEADLINE_S)
    except SourceError as error:
        raise ConfigError(str(error)) from error
    try:
        text = render(source.text, environment).text
    except TemplateError:
        return None
    try:
        root = parse(text).root.plain()
    except Json5Error:
        import re

        found = re.search(_CONTROL, text)
        return found[2] if found else None
    control = root.get("control") if isinstance(root, dict) else None
    if not isinstance(control, dict):
        return None
    path = next((value for key, value in control.items() if key.lower() == "socket"), None)
    return path if isinstance(path, str) and path else None
