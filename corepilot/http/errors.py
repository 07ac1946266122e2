"""What can go wrong with a request we send, cut by what the caller can do about it.

    HttpError                  the exchange failed; the connection is closed
    ├── HttpTimeoutError       the deadline passed: whether the server acted on the request is not known
    ├── HttpConnectError       no connection: the server has not seen the request
    ├── HttpProtocolError      the connection broke, or what came was not HTTP: the server may have acted
    └── HttpTooLargeError      the answer is longer than the caller allows

These are the errors of a transport. Whoever uses it (a backend, a sink) translates them at its own boundary. Messages
name the origin, the method and the path; never the query, the headers or the body, which may hold secrets.
"""

from corepilot.wording.escaping import escaped


class HttpError(Exception):
    """A request that got no usable answer. An answer with status 4xx or 5xx is an answer, not an error.

    Attributes:
        origin: Scheme, host and port, or the path of a socket.
        method: The request's method.
        path: The request's path, without the query.
        reason: What happened, in a few words.
    """

    def __init__(self, origin: str, method: str, target: str, reason: str) -> None:
        self.origin = origin
        self.method = method
        self.path = target.partition("?")[0]
        self.reason = reason
        super().__init__(escaped(f"cannot {method} {self.path} at {origin}: {reason}"))


class HttpTimeoutError(HttpError):
    """The deadline passed before the answer was complete."""


class HttpConnectError(HttpError):
    """The name does not resolve, nobody listens, or the TLS handshake failed."""


class HttpProtocolError(HttpError):
    """The connection was lost in the middle of the exchange, or one side broke the rules of HTTP."""


class HttpTooLargeError(HttpError):
    """The body of the answer is longer than the limit. Reading stopped there."""
