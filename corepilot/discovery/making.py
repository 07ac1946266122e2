"""How an instance of a backend is made, whatever its client does."""

import sys
from typing import Any

from corepilot.discovery.backend import Backend, BackendContext


def made(kind: type[Backend], options: Any, context: BackendContext) -> Backend:
    """An instance of a backend; of a blocking one, what makes its calls in native threads (`Backend.blocking`).

    Args:
        kind: The class that the plugin's hook returned.
        options: The plugin's, validated.
        context: What it is told.
    """
    if not getattr(kind, "blocking", False):
        return kind(options, context)
    from corepilot.discovery.threaded import made_in_threads  # a few backends need native threads, most do not

    return made_in_threads(kind, options, context)


def stuck_in(backend: Backend) -> int:
    """How many native threads of an instance from `made` were given up and have not returned.

    Asks nothing of the plugin's, so it can be asked when the plugin is switched off.
    """
    threaded = sys.modules.get("corepilot.discovery.threaded")  # not imported: then there is none
    ours: Any = backend if threaded is not None and type(backend) is threaded.ThreadedBackend else None
    return int(ours.stuck) if ours is not None else 0
