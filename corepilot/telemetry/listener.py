"""The telemetry section's address, had before the first job is started (ContainerPilot contract, section 5)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from corepilot.http.listening import listen_tcp
from corepilot.model.configuration import Telemetry

if TYPE_CHECKING:
    import socket

ATTEMPTS = 10
RETRY_S = 1.0
POLL_S = 0.05


def listen(
    telemetry: Telemetry, tell: Callable[[str], None], stopped: Callable[[], bool], attempts: int = ATTEMPTS
) -> "socket.socket | None":
    """Listen at the address, tried for ten times a second apart (contract, section 1.4). Switches greenlets.

    Args:
        telemetry: The section.
        tell: Told of each attempt that fails.
        stopped: Whether to give up early.
        attempts: How often to try.

    Returns:
        The listening socket, of the C module `_socket`; None when a stop came first.

    Raises:
        OSError: the address cannot be had.
    """
    for attempt in range(1, attempts + 1):
        try:
            return listen_tcp(telemetry.address, telemetry.port)
        except OSError as error:
            why = f"cannot listen at {telemetry.address} port {telemetry.port}: {error.strerror}"
            tell(f"{why} (attempt {attempt} of {attempts})")
            failure = error
        for _ in range(round(RETRY_S / POLL_S) if attempt < attempts else 0):
            if stopped():
                return None
            gevent.sleep(POLL_S)
    raise failure
