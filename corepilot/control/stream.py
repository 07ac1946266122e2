"""An answer of the control socket that is read while it is being made, line by line. Blocks; standard library only.

In HTTP/1.1, unlike the other requests: its chunks say where the answer ends, so that the end of a server that was
killed is not taken for the end of the answer.
"""

from __future__ import annotations

from corepilot.control.wire import LONGEST_ANSWER, Exchange, explained
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_MOST_DIGITS = 16
_LONGEST_FRAMING = 4096


class AnswerStream:
    """The status of an answer, and an iterator over its lines, without their newlines. Made by `ControlClient.stream`.

    The iterator waits for the next line until it is complete, or the answer is. It ends when the answer has ended as it
    should; every other end is a `ControlError`. Close it when it is not read to its end.

    Args:
        exchange: Connected; owned from now on.
        deadline_s: What its deadline is, for the error.

    Attributes:
        status: Of the answer.
        fields: Its header fields, by lower-case name.
    """

    def __init__(self, exchange: Exchange, deadline_s: float | None) -> None:
        self.status = 0
        self.fields: dict[bytes, bytes] = {}
        self._exchange = exchange
        self._deadline_s = deadline_s
        self._rest = b""
        self._lines = self._read_lines()

    def begin(self, method: str, path: str, body: bytes | None) -> None:
        """Send the request and wait for the head of the answer.

        Raises:
            OSError: The connection was lost, or the time is up.
            ControlError: What came is no answer. After any exception the stream is closed.
        """
        try:
            self._exchange.send(method, path, body, version="1.1")
            self.status, self.fields = self._exchange.read_head()
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """The rest of the answer at once, for one that turned out to be an error.

        Raises:
            ControlError: As for the iterator; or it is longer than 16 MiB.
        """
        body = bytearray()
        for line in self:
            body += line + b"\n"
            if len(body) > LONGEST_ANSWER:
                raise self._exchange.not_understood()
        return bytes(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._lines)
        except StopIteration:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise explained(self._exchange.path, error, self._deadline_s) from error
        except BaseException:
            self.close()
            raise

    def _read_lines(self) -> Iterator[bytes]:
        begun: list[bytes] = []
        size = 0
        for part in self._parts():
            first, *others = part.split(b"\n")
            begun.append(first)
            size += len(first)
            if size > LONGEST_ANSWER:
                raise self._exchange.not_understood()
            for line in others:
                yield b"".join(begun)
                begun, size = [line], len(line)
        if size:
            yield b"".join(begun)

    def _parts(self) -> Iterator[bytes]:
        """The body as it comes, without its framing (RFC 9112, 6.3)."""
        length = self.fields.get(b"content-length", b"")
        if self.fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            while size := self._chunk_size():
                yield from self._take(size)
                if self._until_newline(2):
                    raise self._exchange.not_understood()
            while self._until_newline(_LONGEST_FRAMING):
                pass
        elif length:
            if not length.isdigit():
                raise self._exchange.not_understood()
            yield from self._take(int(length))
        else:
            while data := self._rest or self._exchange.read():
                self._rest = b""
                yield data

    def _chunk_size(self) -> int:
        digits = self._until_newline(_LONGEST_FRAMING).partition(b";")[0].strip()
        try:
            # int() takes underscores and signs as well.
            return int(digits, 16) if digits.isalnum() and len(digits) <= _MOST_DIGITS else int("")
        except ValueError:
            raise self._exchange.not_understood() from None

    def _take(self, size: int) -> Iterator[bytes]:
        while size:
            data = self._rest or self._more()
            self._rest = data[size:]
            size -= len(data) - len(self._rest)
            yield data[: len(data) - len(self._rest)]

    def _until_newline(self, most: int) -> bytes:
        """A line of the framing, without its end."""
        while b"\n" not in self._rest:
            if len(self._rest) > most:
                raise self._exchange.not_understood()
            self._rest += self._more()
        line, _, self._rest = self._rest.partition(b"\n")
        return line.removesuffix(b"\r")

    def _more(self) -> bytes:
        data = self._exchange.read()
        if not data:
            raise ControlError(
                f"cannot read the whole answer of corepilot at {escaped(self._exchange.path)}: "
                "the connection was lost; it may have ended, or have failed at this: see its log"
            )
        return data

    def close(self) -> None:
        """Close the connection, which ends what the server does for it. Idempotent."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
