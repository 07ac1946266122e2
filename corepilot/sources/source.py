"""The contract of a configuration source: given a location, it returns the text of a configuration.

A source runs in the loader, a process of its own that lives for one load or reload: before there is a configuration,
without gevent, under limits on CPU time, memory and wall-clock time. It may block, may use any library, and may keep
nothing: the next reload is another process. What it returns is the text as it was stored: templates are rendered, and
JSON5 is parsed, afterwards (ContainerPilot contract, section 1.2).

A whole source for locations such as `motd:anything`, with the entry point `motd` in the group `corepilot.sources`:

    class MotdSource:
        def read(self, location, context):
            with open("/etc/motd") as file:
                return SourceText(file.read(), location)
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from corepilot.errors import ConfigError

MAX_BYTES = 4 * 1024 * 1024
"""The longest text a source may return, in bytes of UTF-8. It refuses more without reading it all. All texts of a
configuration together may not be longer either; the loader sees to that."""


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


class Source(Protocol):
    """Reads a configuration from one kind of place. Made without arguments."""

    def read(self, location: str, context: SourceContext) -> SourceText | Sequence[SourceText]:
        """Return the text at a location, or several texts.

        Called once in a process, and for each location that names this source. Reads only: it may be called at any time
        by `corepilot check` and `plan`, too. It must not change the process (signals, umask, working directory,
        environment) or leave threads or children behind: its text is refused then. The process ends soon afterwards;
        nothing is closed.

        Args:
            location: What the user gave, never empty, with the scheme that names the source. What follows the scheme
                is the source's own affair. Of a URL, messages show neither the query nor the fragment nor a password.
            context: See `SourceContext`. Give up before `deadline_s` is over, with an error that says what was being
                waited for; a call that does not is killed with its process, and the error can then say only which
                location it was.

        Returns:
            One text, or several in the order in which they are merged: where two differ, the later one
            wins. An empty sequence is fine where another location has a text.

        Raises:
            SourceError: There is no text, it is longer than `MAX_BYTES`, it is not UTF-8, or the time is over. Part of
                a text is never returned. A start then ends with 1; a reload is refused, and everything goes on as it
                was. Any other exception has the same effect, and is shown as a fault of the plugin's.
        """
        ...
