"""The answers to probes, as HTTP: `/livez` and `/readyz`, 200 or 503, and one line of text."""

from corepilot.control.api import Api, RoutedRequest, plain
from corepilot.control.operations import checked_patterns
from corepilot.http.message import Response


def live(api: Api, asked: RoutedRequest) -> Response:
    """Whether it answers; of jobs that are named, whether they run or have ended well."""
    return _answer(api, asked, "live")


def ready(api: Api, asked: RoutedRequest) -> Response:
    """Whether the container can be given work, or the jobs that are named."""
    return _answer(api, asked, "ready")


def _answer(api: Api, asked: RoutedRequest, level: str) -> Response:
    trouble = api.target.trouble(level, checked_patterns(asked.parameters.get("job", [])))
    return plain(503, f"not {level}: {trouble}") if trouble else plain(200, "ok")
