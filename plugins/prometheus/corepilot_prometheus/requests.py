"""What ContainerPilot measures of the scrapes themselves (ContainerPilot contract, section 9.2)."""

import time

from corepilot.http.message import Request, Response
from corepilot.telemetry.metrics import Family, Metrics, Series

_LABELS = ("handler",)
_HANDLER = ("prometheus",)


class Scrapes:
    """Three summaries over the answers of `/metrics`, there from the start with nothing in them.

    Args:
        metrics: Where the families go.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._duration = _summary(metrics, "http_request_duration_microseconds", "time to answer a scrape")
        self._request = _summary(metrics, "http_request_size_bytes", "size of a scrape's request, about")
        self._response = _summary(metrics, "http_response_size_bytes", "size of the answer's body")

    def answered(self, request: Request, response: Response, began_at: float) -> None:
        """Record a scrape that has been answered.

        Args:
            request: What was asked.
            response: What is sent.
            began_at: When it was received, in seconds of the monotonic clock.
        """
        headers = sum(len(name) + len(value) for name, value in request.headers.items())
        self._duration.record((time.monotonic() - began_at) * 1e6, _HANDLER)
        self._request.record(len(request.method) + len(request.path) + len(request.query) + headers, _HANDLER)
        self._response.record(len(response.body), _HANDLER)


def _summary(metrics: Metrics, name: str, help_text: str) -> Family:
    family = metrics.add(Family(name, "summary", help_text, _LABELS))
    family.series.setdefault(_HANDLER, Series())
    return family
