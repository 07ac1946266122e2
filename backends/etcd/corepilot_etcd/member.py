"""One member of the cluster: requests to it, and streams from it, with their failures as backend errors."""

import json
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from corepilot.errors import BackendError, BackendTimeoutError, BackendUnavailableError
from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpConnectError, HttpError, HttpTimeoutError, HttpTooLargeError
from corepilot.http.failures import unreachable
from corepilot.http.retry_after import RetryAfter
from corepilot.http.stream import BodyStream
from corepilot.http.tls import TlsOptions
from corepilot_etcd.encoding import Message, revision_of
from corepilot_etcd.refusals import error_of

ANSWER_MAX = 8 * 1024 * 1024
"""Bytes of one answer, or of one message of a stream."""

KEEP_ALIVE = "/v3/lease/keepalive"
"""A stream in gRPC: the gateway sends its first message, as it stands in a stream."""

SILENCE_S = 24 * 3600.0
"""How long the connection of a stream may bring nothing: whether the member lives is asked beside it."""

# Every watch holds a connection all the time, and heartbeats must find one beside them.
_LIMITS = ClientLimits(connections=4096)


class NotSentError(BackendUnavailableError):
    """No connection: the member has not seen the request."""


class TooLongError(BackendUnavailableError):
    """The answer is longer than `ANSWER_MAX`."""


class Member:
    """A client of one member. Creating it does no I/O.

    Args:
        origin: Where it is.
        tls: For https.

    Attributes:
        origin: Where it is, for people.
        answered_at: When anything came from it last, on the monotonic clock; 0 for never.
        streams: Those that are open.
    """

    def __init__(self, origin: str, tls: TlsOptions) -> None:
        self._client = Client(origin, tls=tls, limits=_LIMITS)
        self.origin = self._client.origin
        self.answered_at = 0.0
        self._closed = False
        self._retry_after = RetryAfter()
        self.streams: set[MessageStream] = set()

    def ask(
        self,
        path: str,
        message: Mapping[str, Any],
        headers: Sequence[tuple[str, str]],
        *,
        deadline_s: float,
        repeatable: bool,
        secret: str,
    ) -> Message:
        """Send a message and read the whole answer.

        Raises:
            NotSentError: the member has not seen it.
            BackendError: it may have acted on it, unless it refused.
        """
        self._require_open()
        body = json.dumps(message).encode()
        try:
            answer = self._client.request(
                "POST",
                path,
                body,
                headers,
                deadline_s=deadline_s,
                max_body_bytes=ANSWER_MAX,
                idempotent=repeatable,
            )
        except HttpError as error:
            raise _translated(error) from error
        self.answered_at = monotonic()
        self._retry_after.heard(answer.status, answer.headers.get("Retry-After", ""))
        return self._read(path, answer.status, answer.body, secret)

    def open(
        self,
        path: str,
        message: Mapping[str, Any],
        headers: Sequence[tuple[str, str]],
        *,
        deadline_s: float,
        secret: str,
    ) -> "MessageStream":
        """Send a message that is answered by a stream of them.

        Raises:
            BackendError: there is no stream.
        """
        self._require_open()
        body = json.dumps(message).encode()
        try:
            stream = self._client.stream("POST", path, body, headers, deadline_s=deadline_s, idle_s=SILENCE_S)
        except HttpError as error:
            raise _translated(error) from error
        self.answered_at = monotonic()
        self._retry_after.heard(stream.status, stream.headers.get("Retry-After", ""))
        if stream.status != 200:
            try:
                text = stream.read()
            except HttpError as error:
                raise _translated(error) from error
            finally:
                stream.close()
            self._read(path, stream.status, text, secret)
            raise self.nonsense(path, f"its status is {stream.status}")
        if self._closed:
            stream.close()
            self._require_open()
        return MessageStream(self, path, stream)

    def nonsense(self, path: str, reason: str) -> BackendUnavailableError:
        """The error for an answer that is not etcd's: something in between may be to blame, and may go away again."""
        return BackendUnavailableError(
            f"cannot read the answer of {self.origin}: {reason}; check that an etcd listens there [POST {path}]"
        )

    def close(self) -> None:
        """Close the connections and end the streams; nothing can be asked any more. Idempotent, does not wait."""
        self._closed = True
        for stream in tuple(self.streams):
            stream.end()
        self._client.close()

    def _require_open(self) -> None:
        if self._closed:
            raise BackendUnavailableError(f"cannot use etcd at {self.origin}: this client of it was closed")
        if pause_s := self._retry_after.left_s:  # etcd asks for none; what stands before it may
            raise NotSentError(f"cannot use etcd at {self.origin} yet: it asked for a pause", retry_after_s=pause_s)

    def _read(self, path: str, status: int, text: bytes, secret: str) -> Message:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            if status == 200:
                raise self.nonsense(path, f"it is not JSON ({type(error).__name__})") from None
            body = None
        if status != 200:
            failure = error_of(f"use etcd at {self.origin}", status, body, secret, path=path)
            if isinstance(failure, BackendUnavailableError):
                failure.retry_after_s = self._retry_after.left_s
            raise failure
        if not isinstance(body, dict):
            raise self.nonsense(path, "it is not an object")
        self._require_header(path, body.get("result") if path == KEEP_ALIVE else body)
        return body

    def _require_header(self, path: str, message: Any) -> None:
        try:
            revision_of(message)
        except ValueError as error:
            raise self.nonsense(path, str(error)) from None


class MessageStream(Iterator[Message]):
    """The messages of an answer that goes on: one JSON object a line. One greenlet may read at a time.

    Args:
        member: Where it comes from.
        path: What was asked for.
        body: The answer.
    """

    def __init__(self, member: Member, path: str, body: BodyStream) -> None:
        self._member, self._path, self._body = member, path, body
        self._pieces: list[bytes] = []
        self._length = 0
        self._lines: list[bytes] = []
        self._reason: BackendError | None = None
        member.streams.add(self)

    def __next__(self) -> Message:
        """Wait for the next message.

        Raises:
            BackendError: the stream is over, whoever ended it. It never just ends.
        """
        while not self._lines:
            self._take()
        line = self._lines.pop()
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            self.end()
            raise self._member.nonsense(self._path, f"it is not JSON ({type(error).__name__})") from None
        if isinstance(message, dict) and isinstance(message.get("result"), dict):
            result: Message = message["result"]
            if not result.get("canceled"):  # the end of a watch on what was compacted has no revision
                self._require_header(result)
            return result
        self.end()
        if isinstance(message, dict) and isinstance(message.get("error"), dict):
            told = message["error"]
            status = told.get("http_code")
            where, code = f"watch etcd at {self._member.origin}", status if type(status) is int else 0
            raise error_of(where, code, told, path=self._path)
        raise self._member.nonsense(self._path, "it is no message of a stream")

    def end(self, reason: BackendError | None = None) -> None:
        """End it, for this reason. Idempotent, does not switch; whoever waits for a message gets the reason."""
        if self._reason is None:
            self._reason = reason or BackendUnavailableError(
                f"cannot watch etcd at {self._member.origin}: the stream was closed"
            )
        self._member.streams.discard(self)
        self._body.close()

    def _require_header(self, message: Message) -> None:
        try:
            revision_of(message)
        except ValueError as error:
            self.end()
            raise self._member.nonsense(self._path, str(error)) from None

    def _take(self) -> None:
        try:
            piece = next(self._body)
        except StopIteration:
            self.end(
                BackendUnavailableError(f"cannot watch etcd at {self._member.origin}: the member ended the stream")
            )
            assert self._reason is not None  # noqa: S101  - `end` has set it
            raise self._reason from None
        except HttpError as error:
            self.end(_translated(error))
            assert self._reason is not None  # noqa: S101  - as above
            raise self._reason from error
        except BaseException:
            self.end()
            raise
        self._member.answered_at = monotonic()
        first, *others = piece.split(b"\n")
        self._pieces.append(first)
        self._length += len(first)
        if self._length > ANSWER_MAX:
            self.end()
            raise TooLongError(
                f"cannot watch etcd at {self._member.origin}: a message is longer than {ANSWER_MAX} bytes"
            )
        if others:
            *whole, rest = (b"".join(self._pieces), *others)
            self._lines = [line for line in reversed(whole) if line.strip()]
            self._pieces, self._length = [rest], len(rest)


def _translated(error: HttpError) -> BackendError:
    if isinstance(error, HttpTimeoutError):
        return BackendTimeoutError(unreachable(error, "etcd"))
    if isinstance(error, HttpConnectError):
        return NotSentError(unreachable(error, "etcd"))
    if isinstance(error, HttpTooLargeError):
        return TooLongError(str(error))
    return BackendUnavailableError(unreachable(error, "etcd"))
