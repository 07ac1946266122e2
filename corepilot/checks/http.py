"""The check `http`: a request, and what its answer has to be."""

from time import monotonic
from typing import Any

from corepilot.checks.check import Check, CheckContext, CheckFailed
from corepilot.checks.connection import Connection
from corepilot.checks.exchange import AnswerError, exchange
from corepilot.checks.tls import contexts_of, reason_of
from corepilot.http.connecting import connect
from corepilot.http.origin import parse_origin
from corepilot.http.resolve import numeric

BODY_MAX = 1024 * 1024
"""Bytes of an answer that are read. A longer one counts as no answer."""

_SHOWN = 200


class HttpCheck(Check):
    """Every question is a connection of its own: one that was open before tells nothing of new clients."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        super().__init__(options, context)
        origin, path = options.place
        self._origin = parse_origin(origin or _own(context))
        tls = options.tls
        secure = self._origin.scheme == "https"
        self._tls = contexts_of(tls) if secure else None
        self._address = numeric(self._origin.host, self._origin.port) if self._origin.scheme == "http" else None
        self._method = options.method.upper()
        self._request = _request(self._method, path, self._origin.authority, options.headers)
        self._what = f"cannot {self._method} {self._origin.text}{path.partition('?')[0]}"
        self._ranges = [_range(one) for one in options.status]
        self._body = options.body.encode()

    def ask(self, deadline_s: float) -> str:
        """See Check."""
        try:
            sock = self._connection(deadline_s)
            try:
                if isinstance(sock, Connection):
                    sock.connect()
                answer = exchange(sock, self._request, body_max=BODY_MAX, without_body=self._method == "HEAD")
            finally:
                sock.close()
        except OSError as error:
            raise CheckFailed(f"{self._what}: {reason_of(error)}") from error
        except AnswerError as error:
            raise CheckFailed(f"{self._what}: {error}") from error
        said = f"{answer.status} {answer.body[:_SHOWN].decode('utf-8', 'replace')}".strip()
        if not any(first <= answer.status <= last for first, last in self._ranges):
            raise CheckFailed(f"the answer is {said}")
        if self._body not in answer.body:
            raise CheckFailed(f"the answer does not hold {self.options.body!r}: {said}")
        return said

    def _connection(self, deadline_s: float) -> Any:
        if self._address is not None:
            return Connection(self._address)
        return connect(self._origin, self._tls, monotonic() + deadline_s)


def _request(method: str, path: str, authority: str, headers: tuple[str, ...]) -> bytes:
    """The bytes of a request. What is configured wins over what is sent by itself, such as Host."""
    fields = {"host": f"Host: {authority}", "user-agent": "User-Agent: corepilot"}
    fields["accept-encoding"] = "Accept-Encoding: identity"
    if method in {"POST", "PUT", "PATCH"}:
        fields["content-length"] = "Content-Length: 0"
    given = []
    for one in headers:
        name, _, value = one.partition(":")
        fields.pop(name.strip().lower(), None)
        given.append(f"{name.strip()}: {value.strip()}")
    lines = [f"{method} {path} HTTP/1.1", *fields.values(), "Connection: close", *given]
    return "\r\n".join([*lines, "", ""]).encode()


def _own(context: CheckContext) -> str:
    """The job's own address and port."""
    address = context.address or "127.0.0.1"
    shown = f"[{address}]" if ":" in address else address
    return f"http://{shown}:{context.port or 80}"


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
