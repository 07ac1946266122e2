"""A real OpenTelemetry Collector for the tests, which writes down what it receives."""

import json
import socket
from pathlib import Path
from typing import Any

from go_programs import COLLECTOR
from servers.process import Opened, Process, becomes_ready, free_port


class Collector(Process, Opened):
    """One collector with an OTLP receiver over HTTP on 127.0.0.1.

    Args:
        directory: Where its configuration and what it receives are.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__("the collector")
        self.port = free_port()
        self.received = directory / "received.jsonl"
        self._log = directory / "collector.log"
        settings = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "exporters": {"file": {"path": str(self.received), "flush_interval": "100ms"}},
            "service": {
                "pipelines": {
                    signal: {"receivers": ["otlp"], "exporters": ["file"]} for signal in ("metrics", "traces")
                },
            },
        }
        self._config = directory / "collector.yaml"
        self._config.write_text(json.dumps(settings))  # JSON is YAML

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """See `Opened`."""
        self.launch([str(COLLECTOR.binary()), "--config", str(self._config)], self._log)
        if not becomes_ready(lambda: self.runs, self._listens):
            raise RuntimeError(f"cannot start the collector:\n{self._log.read_text()}")

    def close(self) -> None:
        """End it as a person would, so that it writes down what it has."""
        self.terminate()

    def requests(self, kind: str) -> list[dict[str, Any]]:
        """What it has received so far: `resourceMetrics` or `resourceSpans`."""
        if not self.received.exists():
            return []
        lines = self.received.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [one for request in found for one in request.get(kind, ())]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
