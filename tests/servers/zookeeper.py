"""Real ZooKeeper servers for the tests, from Debian's package, with ways to hurt them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from eventually import eventually
from servers.consul import free_port

_JARS = ("zookeeper", "slf4j-simple", "netty-codec", "netty-resolver", "netty-transport-native-unix-common")
CLASSPATH = ":".join(f"/usr/share/java/{name}.jar" for name in _JARS)
"""Debian's jar names what it needs beside itself, but not what its log and TLS need."""

TICK_MS = 500
"""A session lives for two ticks at least: one second, four times less than with the usual settings."""

READY_DEADLINE_S = 30
START_TRIES = 5
_JAVA = (
    "-Xmx96m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dzookeeper.admin.enableServer=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class ZooKeeperServer:
    """One server on 127.0.0.1, alone or as a member of an ensemble.

    Every port is its own, so that several run side by side. Use it as a context manager, or call `start()` and
    `close()`.

    Args:
        config: More of zoo.cfg.
        properties: Java's system properties.
        member: Number in the ensemble; 0 for a server alone.
        secure: Whether there is a port for TLS too.
    """

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        member: int = 0,
        *,
        secure: bool = False,
    ) -> None:
        self.port = 0
        self.secure_port = 0
        self._secure = secure
        self._config = dict(config or {})
        self._properties = dict(properties or {})
        self._member = member
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def hosts(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_hosts(self) -> str:
        """`127.0.0.1:PORT` of the port for TLS."""
        return f"127.0.0.1:{self.secure_port}"

    @property
    def pid(self) -> int:
        """The server's process, 0 while it is stopped."""
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
        """Start it and wait until it answers; on the port of before after a `kill()`.

        Raises:
            RuntimeError: it does not come up.
        """
        fixed = bool(self.port)
        for _ in range(START_TRIES):
            if not fixed:
                self.port = free_port()
                self.secure_port = free_port() if self._secure else 0
            self.spawn()
            if self.wait_ready():
                return
            self.kill()
        assert self._folder is not None
        log = (Path(self._folder.name) / "log").read_text(errors="replace")
        raise RuntimeError(f"cannot start ZooKeeper on {self.hosts}:\n{log[-4000:]}")

    def spawn(self) -> None:
        """Start it, and do not wait."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="zookeeper-server-")
        folder = Path(self._folder.name)
        (folder / "data").mkdir(exist_ok=True)
        if self._member:
            (folder / "data" / "myid").write_text(str(self._member))
        settings = {
            "tickTime": str(TICK_MS),
            "dataDir": str(folder / "data"),
            "clientPortAddress": "127.0.0.1",
            "clientPort": str(self.port),
            "maxClientCnxns": "0",
            "4lw.commands.whitelist": "*",
            **({"secureClientPort": str(self.secure_port)} if self._secure else {}),
            **self._config,
        }
        (folder / "zoo.cfg").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = [
            *("setpriv", "--pdeathsig", "KILL"),  # it ends with the test run, even when that is killed
            *(str(shutil.which("java")), *_JAVA, *(f"-D{name}={value}" for name, value in self._properties.items())),
            *("-cp", CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / "zoo.cfg")),
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

    def wait_ready(self) -> bool:
        """Wait until it serves; False if it has ended, or takes too long."""
        deadline = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            if self.mode() and self._listens_securely():
                return True
            time.sleep(0.02)  # the pause between two questions; the deadline bounds the wait
        return False

    def _listens_securely(self) -> bool:
        if self.secure_port:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.secure_port), timeout=2).close()
                return True
        return not self.secure_port

    def mode(self) -> str:
        """What it is: standalone, leader or follower; "" while it does not serve."""
        for line in self.command("srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return ""

    def command(self, word: str) -> str:
        """The answer to one of the four letter words; "" if there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(word.encode())
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
        except OSError:
            return ""
        return answer.decode(errors="replace")

    def kill(self) -> None:
        """End it at once, as a crash would: `kill -9`. Its data stay."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def forget(self) -> None:
        """Restart it on the same port, with all its data lost."""
        self.kill()
        assert self._folder is not None
        shutil.rmtree(Path(self._folder.name) / "data")
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and are not answered. Returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")

        def stopped() -> bool:
            stats = [(task / "stat").read_text() for task in tasks.iterdir()]
            return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

        eventually(stopped, message="every thread of ZooKeeper is stopped")

    def resume(self) -> None:
        """SIGCONT: it goes on where it was stopped."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its data; afterwards it starts on another port."""
        if self.pid:
            with suppress(ProcessLookupError):
                self.resume()
        self.kill()
        self.port = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class Ensemble:
    """Three servers that vote. Use it as a context manager."""

    def __init__(self) -> None:
        self.servers: list[ZooKeeperServer] = []

    @property
    def hosts(self) -> str:
        """All three, with commas."""
        return ",".join(server.hosts for server in self.servers)

    def __enter__(self) -> Self:
        ports = [(free_port(), free_port()) for _ in range(3)]
        votes = {f"server.{n}": f"127.0.0.1:{peer}:{vote}" for n, (peer, vote) in enumerate(ports, 1)}
        self.servers = [
            ZooKeeperServer({**votes, "initLimit": "10", "syncLimit": "4"}, member=number) for number in (1, 2, 3)
        ]
        for server in self.servers:
            server.port = free_port()
            server.spawn()
        eventually(lambda: self.leader() is not None, READY_DEADLINE_S, "the ensemble has a leader")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.close()

    def leader(self) -> ZooKeeperServer | None:
        """Who leads; None while nobody does."""
        return next((server for server in self.servers if server.pid and server.mode() == "leader"), None)
