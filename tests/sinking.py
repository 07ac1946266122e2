"""What sinks are given, for tests that use one by itself."""

from collections.abc import Mapping
from typing import Any

from corepilot.telemetry.metrics import Metrics
from corepilot.telemetry.sink import SinkContext


def context_with(metrics: Metrics, log: list[str] | None = None, **more: Any) -> SinkContext:
    """A context; what the sink logs goes to `log`."""

    def write(level: str, message: str) -> None:
        if log is not None:
            log.append(f"{level}: {message}")

    def status() -> Mapping[str, Any]:
        return {"uptime_s": 10.0, "jobs": [], "watches": []}

    return SinkContext(metrics, status, write, (), "1.2", "web-1", **more)
