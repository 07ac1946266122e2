"""Real ZooKeeper servers for the tests, from Debian's package, with ways to hurt them."""

import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress

from servers.process import START_TRIES, Opened, Server, becomes_ready, free_port

_JARS = ("zookeeper", "slf4j-simple", "netty-codec", "netty-resolver", "netty-transport-native-unix-common")
CLASSPATH = ":".join(f"/usr/share/java/{name}.jar" for name in _JARS)
"""Debian's jar names what it needs beside itself, but not what its log and TLS need."""

TICK_MS = 500
"""A session lives for two ticks at least: one second, four times less than with the usual settings."""

_JAVA = (
    "-Xmx96m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dzookeeper.admin.enableServer=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class ZooKeeperServer(Server):
    """One server on 127.0.0.1, alone or as a member of an ensemble.

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
        super().__init__("ZooKeeper")
        self.secure_port = 0
        self._secure = secure
        self._config = dict(config or {})
        self._properties = dict(properties or {})
        self._member = member

    @property
    def hosts(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_hosts(self) -> str:
        """`127.0.0.1:PORT` of the port for TLS."""
        return f"127.0.0.1:{self.secure_port}"

    def choose_ports(self) -> None:
        """One for clients, and one for those with TLS."""
        self.port = free_port()
        self.secure_port = free_port() if self._secure else 0

    def spawn(self) -> None:
        """Start it, and do not wait."""
        folder = self.folder
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
            *(str(shutil.which("java")), *_JAVA, *(f"-D{name}={value}" for name, value in self._properties.items())),
            *("-cp", CLASSPATH, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / "zoo.cfg")),
        ]
        self.launch(command, folder / "log")

    def serves(self) -> bool:
        """Whether it is the only one, a leader or a follower, and listens."""
        return bool(self.mode()) and self._listens_securely()

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

    def forget(self) -> None:
        """Restart it on the same port, with all its data lost."""
        self.kill()
        shutil.rmtree(self.folder / "data")
        self.start()


class Ensemble(Opened):
    """Three servers that vote. Use it as a context manager."""

    def __init__(self) -> None:
        self.servers: list[ZooKeeperServer] = []

    @property
    def hosts(self) -> str:
        """All three, with commas."""
        return ",".join(server.hosts for server in self.servers)

    def start(self) -> None:
        """See `Opened`. On the ports and with the data of before, if there are any."""
        fresh = not self.servers
        for _ in range(START_TRIES if fresh else 1):
            if not self.servers:
                self._choose()
            for server in self.servers:
                if not server.runs:
                    server.spawn()
            if becomes_ready(lambda: all(server.runs for server in self.servers), self.serves):
                return
            log = next((server for server in self.servers if not server.runs), self.servers[0]).log
            if fresh:
                self.close()
        raise RuntimeError(f"cannot start an ensemble of ZooKeeper:\n{log}")

    def _choose(self) -> None:
        ports = [(free_port(), free_port()) for _ in range(3)]
        votes = {f"server.{n}": f"127.0.0.1:{peer}:{vote}" for n, (peer, vote) in enumerate(ports, 1)}
        self.servers = [
            ZooKeeperServer({**votes, "initLimit": "10", "syncLimit": "4"}, member=number) for number in (1, 2, 3)
        ]
        for server in self.servers:
            server.choose_ports()

    def serves(self) -> bool:
        """Whether all three do, one of them as the leader."""
        return all(server.mode() for server in self.servers) and self.leader() is not None

    def close(self) -> None:
        """End them and remove their data."""
        for server in self.servers:
            server.close()
        self.servers = []

    def leader(self) -> ZooKeeperServer | None:
        """Who leads; None while nobody does."""
        return next((server for server in self.servers if server.pid and server.mode() == "leader"), None)
