"""One call of the client: its deadline, and what its failures are called."""

from types import TracebackType
from typing import Self

import h11
from gevent import Timeout

from corepilot.http.errors import (
    HttpConnectError,
    HttpError,
    HttpProtocolError,
    HttpTimeoutError,
    HttpTooLargeError,
)

_LONGEST_REASON = 120


class Call:
    """A `with` block under one deadline that lets out `HttpError`s, and whatever is not ours: kill, others' timeouts.

    Args:
        origin: Named in errors.
        method: Named in errors.
        target: Named in errors without its query.
        deadline_s: How long the block may take.

    Attributes:
        connecting: True while the server cannot have seen anything of the request.
    """

    def __init__(self, origin: str, method: str, target: str, deadline_s: float) -> None:
        self.connecting = True
        self._where = (origin, method, target)
        self._deadline_s = deadline_s
        self._timeout = Timeout(deadline_s)

    def __enter__(self) -> Self:
        self._timeout.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        timeout = self._timeout
        del self._timeout  # its traceback holds this call: both would wait for the garbage collector
        timeout.close()
        if error is None or isinstance(error, HttpError):
            return
        if error is timeout:
            raise self._timed_out() from None
        if isinstance(error, h11.LocalProtocolError):
            # h11 quotes the value, which may be a token: neither its text nor the chain goes on.
            raise HttpProtocolError(
                *self._where, "the path, or a header, holds a character that HTTP does not allow"
            ) from None
        if isinstance(error, h11.RemoteProtocolError):
            raise HttpProtocolError(*self._where, _reason(error)) from error
        if isinstance(error, OSError):
            raise self._lost(error) from error

    def check_length(self, length: int, limit: int) -> None:
        """Refuse an answer of more than `limit` bytes.

        Raises:
            HttpTooLargeError: `length` is larger.
        """
        if length > limit:
            raise HttpTooLargeError(*self._where, f"the answer is longer than {limit} bytes")

    def _timed_out(self) -> HttpTimeoutError:
        what = "no connection" if self.connecting else "no complete answer"
        return HttpTimeoutError(*self._where, f"{what} within {self._deadline_s:g} s")

    def _lost(self, error: OSError) -> HttpError:
        # An ssl.SSLCertVerificationError says what is wrong with the certificate there; ssl is not imported for it.
        reason = getattr(error, "verify_message", None) or error.strerror or str(error) or type(error).__name__
        if error.filename:
            reason = f"{reason}: {error.filename}"
        if not self.connecting:
            return HttpProtocolError(*self._where, f"the connection was lost: {reason}")
        if isinstance(error, TimeoutError) and error.errno is None:
            return self._timed_out()
        return HttpConnectError(*self._where, reason)


def _reason(error: h11.RemoteProtocolError) -> str:
    if "incomplete" in str(error) or str(error).startswith("peer "):
        return "the connection was closed in the middle of the answer"
    return f"the answer is not HTTP: {_brief(error)}"


def _brief(error: Exception) -> str:
    # What follows the colon in h11's texts is a piece of the answer.
    return str(error).partition(":")[0][:_LONGEST_REASON]
