"""A real Consul agent for the tests, with ways to hurt it."""

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from go_programs import CONSUL
from servers.process import Server, free_port


class ConsulServer(Server):
    """One Consul agent in development mode on 127.0.0.1: one server, everything in memory.

    A restart is a restart with the data lost: development mode keeps nothing.

    Args:
        config: more of the agent's configuration, as in a JSON configuration file (ACLs, TLS, …).
        token: sent with the readiness question, for agents with ACLs on.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, token: str = "") -> None:
        super().__init__("Consul")
        self._config = dict(config or {})
        self._token = token
        self._ports: list[int] = []

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT` of the HTTP interface."""
        return f"127.0.0.1:{self.port}"

    def choose_ports(self) -> None:
        """Its own, and those for servers, for the LAN and for the WAN."""
        self._ports = [free_port() for _ in range(4)]
        self.port = self._ports[0]

    def spawn(self) -> None:
        """Start it, and do not wait."""
        folder, (http_port, server, lan, wan) = self.folder, self._ports
        (folder / "config.json").write_text(json.dumps(self._config))
        command = [
            *(str(CONSUL.binary()), "agent", "-bind=127.0.0.1", "-client=127.0.0.1", *self._role(folder)),
            *("-log-level=warn", f"-http-port={http_port}", f"-server-port={server}"),
            *(f"-serf-lan-port={lan}", f"-serf-wan-port={wan}"),
            *("-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", f"-config-file={folder / 'config.json'}"),
        ]
        self.launch(command, folder / "log")

    def _role(self, _folder: Path) -> list[str]:
        """What the agent is: a server for itself."""
        return ["-dev", "-node=test"]

    def serves(self) -> bool:
        """Whether there is a leader and the agent itself is in the catalog: from then on writes stick."""
        try:
            return bool(self.get("/v1/status/leader")) and bool(self.get("/v1/catalog/nodes"))
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def restart(self) -> None:
        """Start it again on the same ports, with all its data lost."""
        self.kill()
        self.start()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the HTTP interface, as a witness that shares no code with ours.

        Args:
            method: `GET`, `PUT`, ….
            path: such as `/v1/health/service/hello?passing=1`.
            body: sent as JSON when it is not None; bytes are sent as they are.

        Returns:
            The answer, parsed; None when it is empty.

        Raises:
            OSError: no connection, or a status other than 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            payload = body if body is None or isinstance(body, bytes) else json.dumps(body)
            headers = {"X-Consul-Token": self._token} if self._token else {}
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"{method} {path}: {answer.status} {text.decode(errors='replace').strip()}")
        return json.loads(text) if text.strip() else None

    def get(self, path: str) -> Any:
        """`GET path`, parsed."""
        return self.request("GET", path)

    def put(self, path: str, body: Any = None) -> Any:
        """`PUT path`, with the answer parsed."""
        return self.request("PUT", path, body)

    def reset(self) -> None:
        """Remove every service, check, key and session, so that the next test finds an empty catalog."""
        for check in self.get("/v1/agent/checks"):
            self.put(f"/v1/agent/check/deregister/{check}")
        for service in self.get("/v1/agent/services"):
            self.put(f"/v1/agent/service/deregister/{service}")
        self.request("DELETE", "/v1/kv/?recurse")  # before the sessions: the end of one begins its keys' lock delay
        for session in self.get("/v1/session/list"):
            self.put(f"/v1/session/destroy/{session['ID']}")
