"""Keeps services, keys and locks in a directory that processes and containers of one machine share; needs no server."""

import os
from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch", "expiry", "keys", "locks"})


@dataclass(frozen=True)
class Options:
    """What `discovery: { backend: "embedded", … }` takes."""

    path: str = option(
        help="directory of the catalog, absolute, on a local file system; all that name the same one see each other; "
        "empty for /var/run/corepilot/catalog, or, when not run by root, corepilot/catalog in $XDG_RUNTIME_DIR, "
        "else /tmp/corepilot-UID/catalog; root in a container that runs as another user has that user's",
        default="",
        example="/var/run/corepilot/catalog",
    )
    shared: bool = option(
        help="let every user of the machine advertise, write keys and take locks here: directories get the mode 1777 "
        "instead of 0755, those of keys and locks 0777",
        default=False,
    )

    def __post_init__(self) -> None:
        """Refuse a path that would mean something else in another working directory.

        Raises:
            OptionError: the path is relative.
        """
        if self.path and not os.path.isabs(self.path):
            raise OptionError("path", "must be absolute, so that all who name it mean the same directory")


@hookimpl
def corepilot_register_backend() -> type[Any]:
    """Return the backend. What it needs is imported only now."""
    from corepilot.discovery.embedded.backend import EmbeddedBackend

    return EmbeddedBackend
