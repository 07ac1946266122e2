"""The check `http`: a request, and what its answer has to be."""

from typing import Any

from corepilot.checks.check import Check, CheckContext, CheckFailed
from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpError
from corepilot.http.tls import TlsOptions

BODY_MAX = 1024 * 1024
"""Bytes of an answer that are read. A longer one counts as no answer."""

_SHOWN = 200


class HttpCheck(Check):
    """Every question is a connection of its own: one that was open before tells nothing of new clients."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        super().__init__(options, context)
        origin, self._path = _parts(options.url, context)
        tls = options.tls
        self._client = Client(
            origin,
            tls=TlsOptions(tls.ca, "", tls.cert, tls.key, tls.name, tls.verify),
            headers=[
                (name.strip(), value.strip()) for name, _, value in (one.partition(":") for one in options.headers)
            ],
            limits=ClientLimits(idle_connections=0),
        )
        self._ranges = [_range(one) for one in options.status]
        self._body = options.body.encode()

    def ask(self, deadline_s: float) -> str:
        """See Check."""
        try:
            answer = self._client.request(
                self.options.method.upper(), self._path, deadline_s=deadline_s, max_body_bytes=BODY_MAX
            )
        except HttpError as error:
            raise CheckFailed(str(error)) from error
        said = f"{answer.status} {answer.body[:_SHOWN].decode('utf-8', 'replace')}".strip()
        if not any(first <= answer.status <= last for first, last in self._ranges):
            raise CheckFailed(f"the answer is {said}")
        if self._body not in answer.body:
            raise CheckFailed(f"the answer does not hold {self.options.body!r}: {said}")
        return said

    def close(self) -> None:
        """See Check."""
        self._client.close()


def _parts(url: str, context: CheckContext) -> tuple[str, str]:
    """The origin and the path of a URL; a path alone belongs to the job's own address."""
    if url.startswith("/"):
        address = context.address or "127.0.0.1"
        shown = f"[{address}]" if ":" in address else address
        return f"http://{shown}:{context.port or 80}", url
    if url.startswith("unix://"):
        path, _, rest = url.removeprefix("unix://").partition(":")
        return f"unix://{path}", rest or "/"
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}", slash + path or "/"


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
