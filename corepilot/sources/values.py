"""What a source is given and what it returns (`corepilot.sources.source`).

Apart from the contract, because clients read files: `corepilot ping -c FILE` runs every few seconds, and typing, which
the contract is written with, would be a third of its imports.
"""

from __future__ import annotations

from corepilot.errors import ConfigError

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 4 * 1024 * 1024  # told in corepilot.sources.source


class SourceError(ConfigError):
    """The text cannot be read.

    The message is one line without secrets (no token, and no URL with a password in it): "cannot read configuration
    'x': why; what to do".
    """

    code = "source"


class SourceText:
    """One document that a source found.

    Attributes:
        text: The whole text. A byte order mark, if there is one, is still its first character.
        name: The document for messages, without secrets: where there is only one the location as the user wrote it,
            else what tells it from the others, such as the path of one file of a directory.
        path: The absolute path if the text came from a file that can be read again or watched, else None. Symbolic
            links are not resolved, because what they point to is replaced when a volume is updated.
        warnings: What the user should know, one sentence each, such as who else can write the file.
        version: What tells this text from a later one, such as the ETag of HTTP (RFC 9110, 8.8.3); "" if there is
            nothing of the kind. A text with a version is kept, and given to the next load: see `SourceContext.known`.
    """

    __slots__ = ("name", "path", "text", "version", "warnings")

    def __init__(
        self, text: str, name: str, path: str | None = None, warnings: tuple[str, ...] = (), version: str = ""
    ) -> None:
        self.text = text
        self.name = name
        self.path = path
        self.warnings = warnings
        self.version = version


class SourceContext:
    """What a source is given beside the location.

    Attributes:
        deadline_s: Seconds the call may take, more than 0: what is left for all locations of the configuration.
        environment: The environment of the jobs, `putenv` included: where a token, or the name of a server, is looked
            up. The loader's own `os.environ` is something else, and says nothing.
        known: What the source returned for this location when it was last read, if that had versions; else empty. The
            texts that have not changed since may be returned as they are. It is lost when corepilot is restarted.
    """

    __slots__ = ("deadline_s", "environment", "known")

    def __init__(
        self, deadline_s: float, environment: Mapping[str, str] | None = None, known: Sequence[SourceText] = ()
    ) -> None:
        self.deadline_s = deadline_s
        self.environment = {} if environment is None else environment
        self.known = tuple(known)
