"""A real OpenTelemetry Collector for the tests, which writes down what it receives."""

import json
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventually import eventually
from servers.consul import free_port
from servers.go_build import COLLECTOR


class Collector:
    """One collector with an OTLP receiver over HTTP on 127.0.0.1.

    Args:
        directory: Where its configuration and what it receives are.
    """

    def __init__(self, directory: Path) -> None:
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
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        command = [str(COLLECTOR.binary()), "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            eventually(self._listens, 30, "the collector")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def requests(self, kind: str) -> list[dict[str, Any]]:
        """What it has received so far: `resourceMetrics` or `resourceSpans`."""
        if not self.received.exists():
            return []
        lines = self.received.read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [one for request in found for one in request.get(kind, ())]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
