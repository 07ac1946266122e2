"""An answer that is read piece by piece, for as long as both sides like."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from corepilot.http.call import Call
from corepilot.http.connection import Connection
from corepilot.http.message import Headers


class BodyStream:
    """The body of an answer, as an iterator of bytes. Made by `Client.stream`.

    Pieces are not empty and at most 64 KiB long; where they are cut means nothing. The iterator ends when the server
    has ended the answer, or when somebody has called `close`; `closed` tells which. A loss of the connection is an
    error, never an end.

    Attributes:
        status: The status of the answer.
        headers: Its header fields.
        closed: Whether `close` has been called, by anybody.
    """

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: Headers,
        *,
        where: tuple[str, str, str],
        idle_s: float,
        released: Callable[[], object],
    ) -> None:
        self.status = status
        self.headers = headers
        self.closed = False
        self._connection = connection
        self._chunks = connection.chunks()
        self._where = where
        self._idle_s = idle_s
        self._released = released

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Wait for the next piece. Switches to the hub. One greenlet may read at a time.

        Raises:
            StopIteration: The server has ended the answer, or the stream has been closed.
            HttpTimeoutError: Nothing came for the idle time. The stream is closed.
            HttpProtocolError: The connection was lost, or what came is not HTTP. The stream is closed.
        """
        if self.closed:
            raise StopIteration
        try:
            with Call(*self._where, self._idle_s) as call:
                call.connecting = False
                return next(self._chunks)
        except StopIteration:
            raise
        except Exception as error:
            # Closing it under a waiting reader is how it is ended from outside: not the reader's failure.
            if self.closed:
                raise StopIteration from error
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def read(self, max_body_bytes: int = 64 * 1024) -> bytes:
        """The rest of the answer, for one that turned out to be short: an error's text, say.

        Unlike the iterator it has to have everything within one idle time.

        Raises:
            HttpTooLargeError: It is longer than `max_body_bytes`. The stream is closed.
            HttpError: As for the iterator.
        """
        with Call(*self._where, self._idle_s) as call:
            call.connecting = False
            try:
                rest = bytearray()
                for piece in self:
                    rest += piece
                    call.check_length(len(rest), max_body_bytes)
            except BaseException:
                self.close()
                raise
            return bytes(rest)

    def close(self) -> None:
        """End it. Idempotent, does not switch, and may be called from another greenlet than the reader's."""
        if not self.closed:
            self.closed = True
            self._connection.close()
            self._released()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
