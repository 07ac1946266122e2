"""How a loaded backend becomes a client behind its boundary: for the supervisor, for commands and for sources."""

from collections.abc import Callable, Mapping

from corepilot import _version
from corepilot.discovery.backend import BackendContext
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.making import made
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Loaded


def opened(
    loaded: Loaded,
    boundary: Boundary,
    environment: Mapping[str, str],
    asked: Callable[[str, str], None] = lambda _operation, _result: None,
) -> GuardedBackend:
    """A client. It is to be closed.

    Args:
        loaded: The plugin.
        boundary: For this instance of it.
        environment: What corepilot was given.
        asked: See `GuardedBackend`.

    Raises:
        PluginFaultError: the instance cannot be made, or has not what it declares.
    """
    context = BackendContext(boundary.say, environment, _version.__version__)
    return GuardedBackend(
        lambda: made(loaded.implementation, loaded.options, context), boundary, asked, loaded.capabilities
    )
