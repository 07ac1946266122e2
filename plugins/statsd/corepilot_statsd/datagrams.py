"""A socket for datagrams to one address, which waits a moment for room and never longer."""

import socket as native
import time

from gevent import socket

from corepilot.http.resolve import resolve

REOPEN_S = 60.0
"""A name is looked up again after this time: nobody says when a server has moved."""


class Datagrams:
    """Sends to one address. Opened by the first `send`, and again by the first one after a failure.

    Args:
        host: A name, an address, or, with port 0, the path of a Unix socket.
        port: 1 to 65535, or 0.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._socket: socket.socket | None = None
        self._opened_at = 0.0
        self._failures = 0

    def send(self, packet: bytes, until: float) -> None:
        """Send one datagram, whole or not at all. May switch greenlets.

        Args:
            packet: What to send.
            until: When waiting for room ends, in monotonic seconds.

        Raises:
            OSError: nobody receives at the address, or there is no room for it; the socket is closed.
        """
        try:
            opened = self._open()
            opened.settimeout(max(until - time.monotonic(), 0.001))
            opened.send(packet)
        except BaseException:
            self._failures += 1
            self.close()
            raise

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        now = time.monotonic()
        if self._socket is not None and (not self._port or now - self._opened_at < REOPEN_S):
            return self._socket
        self.close()
        if self._port:
            addresses = resolve(self._host, self._port)
            address = addresses[self._failures % len(addresses)]  # after a failure it is the next one's turn
            opened = socket.socket(address.family, native.SOCK_DGRAM)
        else:
            address = None
            opened = socket.socket(native.AF_UNIX, native.SOCK_DGRAM)
        try:
            opened.connect(address.name if address else self._host)
        except BaseException:
            opened.close()
            raise
        self._socket, self._opened_at = opened, now
        return opened
