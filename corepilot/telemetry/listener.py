"""The telemetry section's address, had before the first job is started (ContainerPilot contract, section 5)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from corepilot.config.model import TelemetryConfig

if TYPE_CHECKING:
    import socket
else:  # the standard library's module turns every constant into an enum member: 3 ms before the first job
    import _socket as socket

ATTEMPTS = 10
RETRY_S = 1.0
BACKLOG = 128
POLL_S = 0.05


def listen(
    telemetry: TelemetryConfig, tell: Callable[[str], None], stopped: Callable[[], bool]
) -> "socket.socket | None":
    """Listen at the address, tried for ten times a second apart (contract, section 1.4). Switches greenlets.

    Args:
        telemetry: The section.
        tell: Told of each attempt that fails.
        stopped: Whether to give up early.

    Returns:
        The listening socket, of the C module `_socket`; None when a stop came first.

    Raises:
        OSError: the address cannot be had.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _listen(telemetry)
        except OSError as error:
            why = f"cannot listen at {telemetry.address} port {telemetry.port}: {error.strerror}"
            tell(f"{why} (attempt {attempt} of {ATTEMPTS})")
            failure = error
        for _ in range(round(RETRY_S / POLL_S)):
            if stopped():
                return None
            gevent.sleep(POLL_S)
    raise failure


def _listen(telemetry: TelemetryConfig) -> "socket.socket":
    family = socket.AF_INET6 if ":" in telemetry.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((telemetry.address, telemetry.port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
