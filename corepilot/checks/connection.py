"""A connection for one question: a plain socket, and no more than asking once takes.

gevent's socket has two watchers, timeouts, and asks after the state of the connection several times. That is half of
what a question to this machine costs. Here nothing is waited for that has happened already: the kernel has connected to
a local server by the time that it is asked again.
"""

import _socket as socket
import errno
import os

from gevent import get_hub

from corepilot.http.resolve import Address

_READ, _WRITE = 1, 2  # libev's EV_READ and EV_WRITE


class Connection:
    """Connects to one address. Its owner closes it, whatever is raised by what it calls.

    Args:
        address: Where to.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._asked = False

    def connect(self) -> None:
        """Connect. Switches to the hub only if that takes time.

        Raises:
            OSError: nobody accepts.
        """
        failure = self._socket.connect_ex(self._address.name)
        if failure == errno.EINPROGRESS:
            failure = self._socket.connect_ex(self._address.name)  # how far it is: EALREADY, EISCONN, or what failed
            if failure == errno.EALREADY:
                self._wait(_WRITE)
                failure = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure not in {0, errno.EISCONN}:
            raise OSError(failure, os.strerror(failure))

    def sendall(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the connection was lost.
        """
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                self._wait(_WRITE)
        self._asked = True

    def recv(self, count: int) -> bytes:
        """Receive what there is, at least a byte; nothing once the other side has closed.

        Raises:
            OSError: the connection was lost.
        """
        if self._asked:  # an answer takes a moment: no look without a wait
            self._asked = False
            self._wait(_READ)
        while True:
            try:
                return self._socket.recv(count)
            except BlockingIOError:
                self._wait(_READ)

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()

    def _wait(self, events: int) -> None:
        hub = get_hub()
        watcher = hub.loop.io(self._socket.fileno(), events)
        try:
            hub.wait(watcher)
        finally:
            watcher.close()
