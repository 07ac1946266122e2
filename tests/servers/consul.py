"""A real Consul agent for the tests, with ways to hurt it."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventually import eventually
from servers.consul_build import consul_binary

__all__ = ["ConsulServer", "consul_binary", "free_port"]

READY_DEADLINE_S = 30
STOP_DEADLINE_S = 10
START_TRIES = 5


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now; somebody else may still take it first.

    It is below those that the kernel gives away, to the tests of another worker too, and to every connection.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ConsulServer:
    """One Consul agent in development mode on 127.0.0.1: one server, everything in memory.

    Every port is its own, so that several run side by side. Use it as a context manager, or call `start()`
    and `stop()`. A restart is a restart with the data lost: development mode keeps nothing.

    Args:
        config: more of the agent's configuration, as in a JSON configuration file (ACLs, TLS, …).
        token: sent with the readiness question, for agents with ACLs on.
    """

    def __init__(self, config: Mapping[str, Any] | None = None, token: str = "") -> None:
        self.port = 0
        self.output = ""
        self._config = dict(config or {})
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: list[int] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT` of the HTTP interface."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The agent's process, 0 while it is stopped."""
        return self._process.pid if self._process else 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it has a leader and answers; on the ports of before after a `stop()`.

        Raises:
            RuntimeError: it does not come up.
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="consul-server-")
            (Path(self._folder.name) / "config.json").write_text(json.dumps(self._config))
        fixed = bool(self._ports)
        for _ in range(START_TRIES):
            if not fixed:
                self._ports = [free_port() for _ in range(4)]
                self.port = self._ports[0]
            self._spawn(Path(self._folder.name))
            if self._wait_ready():
                return
            self.stop()
        log = (Path(self._folder.name) / "log").read_text(errors="replace")
        raise RuntimeError(f"cannot start consul on {self.address}:\n{log[-4000:]}")

    def _spawn(self, folder: Path) -> None:
        http_port, server, lan, wan = self._ports
        command = [
            *("setpriv", "--pdeathsig", "KILL"),  # it ends with the test run, even when that is killed
            *(str(consul_binary()), "agent", "-bind=127.0.0.1", "-client=127.0.0.1", *self._role(folder)),
            *("-log-level=warn", f"-http-port={http_port}", f"-server-port={server}"),
            *(f"-serf-lan-port={lan}", f"-serf-wan-port={wan}"),
            *("-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", f"-config-file={folder / 'config.json'}"),
        ]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
            )

    def _role(self, _folder: Path) -> list[str]:
        """What the agent is: a server for itself."""
        return ["-dev", "-node=test"]

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self._leads():
                return True
            time.sleep(0.02)  # the pause between two questions; the deadline bounds the wait
        return False

    def _leads(self) -> bool:
        """Whether there is a leader and the agent itself is in the catalog: from then on writes stick."""
        try:
            return bool(self.get("/v1/status/leader")) and bool(self.get("/v1/catalog/nodes"))
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def stop(self) -> None:
        """End it, whatever state it is in, and wait for that. Nothing to do when it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def kill(self) -> None:
        """End it at once, as a crash would: `kill -9`."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(STOP_DEADLINE_S)

    def restart(self) -> None:
        """Stop it and start it again on the same ports, with all its data lost."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and are not answered. Returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", message="the agent stands still")

    def resume(self) -> None:
        """SIGCONT: it goes on where it was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its folder; afterwards it starts on other ports."""
        self.stop()
        self._ports = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

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
