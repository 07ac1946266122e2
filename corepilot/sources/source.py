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

from collections.abc import Sequence
from typing import Protocol

from corepilot.sources import values
from corepilot.sources.values import SourceContext, SourceError, SourceText

__all__ = ["MAX_BYTES", "Source", "SourceContext", "SourceError", "SourceText"]

MAX_BYTES = values.MAX_BYTES
"""The longest text a source may return, in bytes of UTF-8. It refuses more without reading it all. All texts of a
configuration together may not be longer either; the loader sees to that."""


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
