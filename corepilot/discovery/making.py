"""How an instance of a backend is made, whatever its client does."""

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
