"""What a telemetry endpoint says."""

import http.client
import json
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


class Endpoint:
    """The telemetry endpoint at 127.0.0.1:`port`."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, content type and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()

    def up(self) -> bool:
        try:
            return self.ask("/status")[0] == 200
        except OSError:
            return False

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("/status")[2])
        return found

    def samples(self) -> dict[str, float]:
        """Every sample under its name and labels, as they are written.

        prometheus_client's parser must understand the text; its names are not used: it adds `_total` to counters.
        """
        text = self.ask("/metrics")[2]
        assert list(text_string_to_metric_families(text))
        pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in pairs}

    def types(self) -> dict[str, str]:
        """The type of every family."""
        lines = [line.split() for line in self.ask("/metrics")[2].splitlines() if line.startswith("# TYPE")]
        return {words[2]: words[3] for words in lines}
