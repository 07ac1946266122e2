"""One HTTP/1.1 connection seen from either end: a gevent socket and h11's state machine for what is on it."""

from collections.abc import Iterable
from time import monotonic

import h11
from gevent.socket import socket

from corepilot.http.message import Headers
from corepilot.http.time_slice import TimeSlice


class PeerClosedError(ConnectionError):
    """The other side closed the connection before it had sent anything of the message we waited for."""


class Wire:
    """Bytes in and out, events up.

    All methods may switch to the hub and none has a deadline: run them under `gevent.Timeout`. After any exception the
    connection is of no more use; the owner closes it.

    Args:
        sock: Connected; the wire owns it from now on.
        role: `h11.CLIENT` or `h11.SERVER`, which one we are.
        head_bytes: How long the start line and the header fields may be together.
        read_bytes: How much to read at a time.

    Attributes:
        received: Bytes that came since the last message began.
        sent: Bytes that the kernel took since the last message began.
        blocked_since: Since when the kernel has taken nothing of what is being sent, on the monotonic clock; 0 if
            nothing is.
    """

    def __init__(self, sock: socket, role: type[h11.CLIENT | h11.SERVER], *, head_bytes: int, read_bytes: int) -> None:
        self.sock = sock
        self.parser = h11.Connection(role, max_incomplete_event_size=head_bytes)
        self.received = 0
        self.sent = 0
        self.blocked_since = 0.0
        self._read_bytes = read_bytes
        self._time_slice = TimeSlice()

    def next_event(self) -> h11.Event | type[h11.PAUSED]:
        """Wait for the next part of the other side's message.

        Raises:
            h11.RemoteProtocolError: It is not HTTP, or longer than it may be.
            PeerClosedError: Nothing came, and nothing will.
            OSError: The connection was lost.
        """
        while True:
            event = self.parser.next_event()
            # A peer that always has data ready never makes us wait, and so never lets others run.
            self._time_slice.check()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # h11 types its two markers as one
            data = self.sock.recv(self._read_bytes)
            if not data and not self.received:
                raise PeerClosedError("closed without an answer")
            self.received += len(data)
            self.parser.receive_data(data)

    def await_message(self) -> bool:
        """Wait for the first bytes of the next message; False if the other side has closed the connection instead.

        Raises:
            OSError: The connection was lost.
        """
        waiting, _ = self.parser.trailing_data
        if not waiting:
            waiting = self.sock.recv(self._read_bytes)
            self.parser.receive_data(waiting)
        self.received = len(waiting)
        return bool(waiting)

    def send(self, data: bytes) -> None:
        """Write all of it.

        Raises:
            OSError: The connection was lost. `sent` says whether anything had gone out.
        """
        left = memoryview(data)
        try:
            while left:
                self.blocked_since = monotonic()
                count = self.sock.send(left)
                self.sent += count
                left = left[count:]
        finally:
            self.blocked_since = 0.0

    def begin_next_message(self) -> None:
        """Make ready for the next exchange. Both sides must be done with this one."""
        self.parser.start_next_cycle()
        self.received = 0
        self.sent = 0

    def close(self) -> None:
        """Close the socket. May be called again, and from another greenlet: the one that waits gets an OSError."""
        self.sock.close()


def decoded(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Header fields as text. Latin-1 takes every byte, so nothing is lost and nothing fails (RFC 9110, 5.5)."""
    return Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
