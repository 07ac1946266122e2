"""The contract of a configuration source: given a location, it returns the text of a configuration.

A source runs in the loader, a process of its own that lives for one load or reload: before there is a configuration,
without gevent, under limits on CPU time, memory and wall-clock time. It may block, may use any library, and may keep
nothing: the next reload is another process. What it returns is the text as it was stored: templates are rendered, and
JSON5 is parsed, afterwards (ContainerPilot contract, section 1.2).
"""

from typing import Protocol

from corepilot.errors import ConfigError

MAX_BYTES = 4 * 1024 * 1024
"""The longest text a source may return, in bytes of UTF-8. It refuses more without reading it all."""


class SourceError(ConfigError):
    """The text cannot be had.

    The message is one line without secrets (no token, and no URL with a password in it): "cannot read configuration
    'x': why; what to do".
    """

    code = "source"


class SourceText:
    """What a source found.

    Attributes:
        text: The whole text. A byte order mark, if there is one, is still its first character.
        name: The location for messages, as the user wrote it, without secrets.
        path: The absolute path if the text came from a file that can be read again or watched, else None. Symbolic
            links are not resolved, because what they point to is replaced when a volume is updated.
        warnings: What the user should know, one sentence each, such as who else can write the file.
    """

    __slots__ = ("name", "path", "text", "warnings")

    def __init__(self, text: str, name: str, path: str | None, warnings: tuple[str, ...] = ()) -> None:
        self.text = text
        self.name = name
        self.path = path
        self.warnings = warnings


class Source(Protocol):
    """Reads a configuration from one kind of place."""

    def read(self, location: str, deadline_s: float) -> SourceText:
        """Return the text at a location.

        Called once in a process. Reads only: it may be called at any time by `corepilot check`, too. It must not change
        the process (signals, umask, working directory, environment) or leave threads or children behind.

        Args:
            location: What the user gave, never empty. What it looks like is the source's own affair.
            deadline_s: Seconds this call may take, more than 0. Give up in time, with an error that says what was being
                waited for; a call that does not is killed with its process, and the error can then not say why.

        Raises:
            SourceError: There is no text, it is longer than `MAX_BYTES`, it is not UTF-8, or the time is over. Part of
                a text is never returned.
        """
        ...
