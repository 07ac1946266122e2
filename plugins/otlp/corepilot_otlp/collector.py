"""The collector: requests to it, and what its answers mean.

See https://opentelemetry.io/docs/specs/otlp/#otlphttp-response.
"""

from collections.abc import Sequence

from google.protobuf.message import Message

from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpError
from corepilot.http.tls import TlsOptions
from corepilot_otlp.encoding import Encoding

_AGAIN = frozenset((408, 429, 502, 503, 504))
_ANSWER_BYTES = 64 * 1024


class RefusedError(OSError):
    """The collector does not take what was sent, and would not take it later."""


class Collector:
    """Sends requests to one collector.

    Args:
        origin: Scheme, host and port.
        path: What its paths begin with.
        encoding: How requests are written.
        headers: Sent with every request.
        tls: For https.
        timeout_s: How long one request may take.
    """

    def __init__(
        self,
        origin: str,
        path: str,
        encoding: Encoding,
        *,
        headers: Sequence[tuple[str, str]],
        tls: TlsOptions,
        timeout_s: float,
    ) -> None:
        self._path, self._encoding, self._timeout_s = path, encoding, timeout_s
        limits = ClientLimits(idle_connections=1, connections=2, idle_s=90)
        self._client = Client(origin, tls=tls, headers=[*headers, *encoding.headers], limits=limits)

    def send(self, signal: str, request: Message, answer: Message) -> None:
        """Send one request. Switches greenlets.

        Args:
            signal: "metrics" or "traces".
            request: What to send.
            answer: Filled in from the collector's answer.

        Raises:
            RefusedError: it is not taken.
            OSError: it could not be sent; later it may.
        """
        path = f"{self._path}/v1/{signal}"
        body = self._encoding.write(request)
        try:
            found = self._client.request(
                "POST", path, body, deadline_s=self._timeout_s, max_body_bytes=_ANSWER_BYTES, idempotent=False
            )
        except HttpError as error:
            raise OSError(str(error)) from error
        if found.status in _AGAIN:
            raise OSError(f"{path}: status {found.status}")
        if not 200 <= found.status < 300:
            raise RefusedError(f"{path}: status {found.status}, and sending it again would not help")
        self._encoding.read(found.body, answer)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
