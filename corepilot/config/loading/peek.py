"""What a client has to know of a configuration that need not be good (contract, section 1.1, FIX)."""

from __future__ import annotations

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEEK_DEADLINE_S = 2.0

_CONTROL = (
    r"""(?ix) (?<![\w"']) ["']? control ["']? \s* : \s* \{ [^{}]*? ["']? socket ["']? \s* : \s* (["']) ([^"'\n]+) \1"""
)
"""Where a file is no JSON5 in this shell: `control: {socket: "PATH"`, as people write it."""


class Identity:
    """What tells the corepilot that runs a configuration from others.

    Attributes:
        name: The absolute path of the configuration; of several locations all of them.
        socket: Its `control.socket`; "" for `control: false`; None where there is neither, or it cannot be read.
    """

    __slots__ = ("name", "socket")

    def __init__(self, name: str, socket: str | None) -> None:
        self.name = name
        self.socket = socket


def identify(locations: Sequence[str], environment: Mapping[str, str], *, paths_only: bool = False) -> Identity:
    """Read what a client needs to find the corepilot that runs a configuration.

    Args:
        locations: The configuration.
        environment: For templates, and for `env:NAME`.
        paths_only: Whether locations are paths whatever they look like.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    from corepilot.sources.locations import identity_of
    from corepilot.sources.paths import absolute_path

    socket = control_socket(locations, environment, paths_only=paths_only)
    return Identity(absolute_path(locations[0]) if paths_only else identity_of(locations), socket)


def control_socket(locations: Sequence[str], environment: Mapping[str, str], *, paths_only: bool = False) -> str | None:
    """The `control.socket` of a configuration; "" for `control: false`; None where there is neither.

    ContainerPilot's clients validate everything to find the socket, and so fail in a shell that lacks the template's
    variables. Here whatever else is wrong with the file is the supervisor's affair, not the client's.

    A client reads files, directories and variables only: `corepilot ping`, which runs every few seconds, asks no server
    and imports no plugin. The socket of a configuration that is elsewhere is found at the default places.

    Args:
        locations: The configuration. Of several documents the last one that has a socket counts.
        environment: For templates, and for `env:NAME`.
        paths_only: Whether locations are paths whatever they look like.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    from corepilot.errors import ConfigError
    from corepilot.sources.values import SourceError

    try:
        texts = [text for one in locations for text in _texts(one, environment, paths_only=paths_only)]
    except SourceError as error:
        raise ConfigError(str(error)) from error
    socket: str | None = None
    for text in texts:
        socket = _socket_in(text, environment, socket)
    return socket


def unread(locations: Sequence[str]) -> list[str]:
    """Those locations, for people, that a client does not read."""
    from corepilot.sources.locations import scheme_of, shown

    return [shown(one) for one in locations if scheme_of(one) not in {"", "env"}]


def _texts(location: str, environment: Mapping[str, str], *, paths_only: bool) -> list[str]:
    """The texts at a location, if it is one that a client reads."""
    import os

    from corepilot.sources.file import read
    from corepilot.sources.locations import scheme_of
    from corepilot.sources.paths import path_of
    from corepilot.sources.values import SourceContext

    scheme = "" if paths_only else scheme_of(location)
    context = SourceContext(PEEK_DEADLINE_S, environment)
    if scheme == "env":
        from corepilot.sources.env import EnvironmentSource

        return [EnvironmentSource().read(location, context).text]
    if scheme:
        return []
    if not paths_only and os.path.isdir(path_of(location)):
        from corepilot.sources.directory import DirectorySource

        return [one.text for one in DirectorySource().read(location, context)]
    return [read(location, PEEK_DEADLINE_S).text]


def _socket_in(template: str, environment: Mapping[str, str], before: str | None) -> str | None:
    """The `control.socket` after one more document.

    Args:
        template: The document.
        environment: For its template.
        before: What the documents before it say.
    """
    if not _may_name_control(template):
        return before
    from corepilot.config.text.json5 import parse
    from corepilot.config.text.json5_document import Json5Error
    from corepilot.gotemplate import TemplateError, render

    try:
        text = render(template, environment).text
    except TemplateError:
        return before
    try:
        root = parse(text).root.plain()
    except Json5Error:
        import re

        found = re.search(_CONTROL, text)
        return found[2] if found else before
    if not isinstance(root, dict) or "control" not in root:
        return before
    control = root["control"]
    if control is False:
        return ""
    if not isinstance(control, dict):
        return None
    path = next((value for key, value in control.items() if key.lower() == "socket"), before or None)
    return path if isinstance(path, str) and path else None


def _may_name_control(template: str) -> bool:
    """Whether a document can have the key `control`, at a glance: most have not, and to read one takes 3 ms."""
    return "{{" in template or "\\" in template or "control" in template.lower()
