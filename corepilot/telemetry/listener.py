"""The endpoint's addresses, had before the first job is started (ContainerPilot contract, section 5)."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import gevent

from corepilot.http.listening import listen_tcp

if TYPE_CHECKING:
    import socket
else:  # see corepilot.http.listening
    import _socket as socket

Address = tuple[str, int]
"""An IP address of this machine, and a port; 0 takes a free one."""

ATTEMPTS = 10
RETRY_S = 1.0
POLL_S = 0.05


class ListenError(OSError):
    """An address cannot be had. The message names it, and why."""


class Listeners:
    """The sockets that listen, by address. A sink gets duplicates: it may come and go while the socket stays.

    Attributes:
        addresses: Where they listen, in the order of the configuration.
    """

    def __init__(self) -> None:
        self._sockets: dict[Address, socket.socket] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where they listen."""
        return tuple(self._sockets)

    def duplicates(self) -> list["socket.socket"]:
        """A socket of one's own for each address, on the same queue of connections."""
        return [socket.socket(fileno=os.dup(one.fileno())) for one in self._sockets.values()]

    def derived(self, addresses: Iterable[Address]) -> "Listeners":
        """Listeners for other addresses: those that stay are shared, the others are had now.

        Raises:
            ListenError: one of them cannot be had; nothing has changed.
        """
        made = Listeners()
        try:
            for address in addresses:
                made._sockets[address] = self._sockets.get(address) or _listen(address)
        except ListenError:
            made.close(but=self)
            raise
        return made

    def close(self, but: "Listeners | None" = None) -> None:
        """Close all that others do not share."""
        kept = set(but._sockets.values()) if but is not None else set()  # noqa: SLF001  - of our own class
        for address, one in list(self._sockets.items()):
            if one not in kept:
                one.close()
            del self._sockets[address]


def listen(
    addresses: Iterable[Address], tell: Callable[[str], None], stopped: Callable[[], bool], attempts: int = ATTEMPTS
) -> Listeners | None:
    """Listen at all addresses, tried for ten times a second apart (contract, section 1.4). Switches greenlets.

    Args:
        addresses: Where.
        tell: Told of each attempt that fails.
        stopped: Whether to give up early.
        attempts: How often to try.

    Returns:
        The listeners; None when a stop came first.

    Raises:
        ListenError: an address cannot be had; none is kept.
    """
    addresses = tuple(addresses)
    found = Listeners()
    for attempt in range(1, attempts + 1):
        try:
            return found.derived(addresses)
        except ListenError as error:
            tell(f"{error} (attempt {attempt} of {attempts})")
            failure = error
        for _ in range(round(RETRY_S / POLL_S) if attempt < attempts else 0):
            if stopped():
                return None
            gevent.sleep(POLL_S)
    raise failure


def _listen(address: Address) -> "socket.socket":
    host, port = address
    try:
        return listen_tcp(host, port)
    except OSError as error:
        raise ListenError(error.errno, f"cannot listen at {host} port {port}: {error.strerror}") from None
