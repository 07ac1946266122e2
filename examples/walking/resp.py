"""A connection to a Redis server: https://redis.io/docs/latest/develop/reference/protocol-spec/, version 2."""

import socket
from typing import Any

TIMEOUT_S = 5.0


class RefusedError(Exception):
    """The server answers with an error: `MOVED 3999 127.0.0.1:6381`."""


class Connection:
    """One connection; an OSError of any call leaves it unusable.

    Args:
        address: `host:port`.

    Raises:
        OSError: there is no connection.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.address = address
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        """The connection ends."""
        self._answers.close()
        self._socket.close()

    def ask(self, *words: object) -> Any:
        """The answer to one command: a text, a number, None, or a list of these.

        Raises:
            RefusedError: the answer is an error.
            OSError: there is none.
        """
        parts = [str(word).encode() for word in words]
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)]
        self._socket.sendall(b"".join(lines))
        return self._answer()

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError(f"{self.address} has closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RefusedError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._answers.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        return rest
