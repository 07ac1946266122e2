"""A network of containers: a bridge in a namespace of its own, with a server on it. Nothing of it is seen outside."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from eventually import eventually
from go_programs import CONSUL

DEADLINE_S = 30
SERVER = "10.77.0.1"
_BRIDGE = f"ip link set lo up && ip link add br0 type bridge && ip addr add {SERVER}/24 dev br0 && ip link set br0 up"
_ANSWERS = "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=5).read()"


class Network:
    """10.77.0.0/24, with a server at .1 and containers from .2 on. Use it as a context manager.

    Args:
        command: The server, which listens on all addresses.
        ready: A URL that it answers with 200 once it serves.
        directory: Where its log is.
    """

    def __init__(self, command: Sequence[str], ready: str, directory: Path) -> None:
        self._command, self._ready, self._log = command, ready, directory / "server.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._joined = 1

    def __enter__(self) -> Self:
        try:
            self._bridge = self._namespace()
            _in(self._bridge, "sh", "-c", _BRIDGE)
            with self._log.open("wb") as log:
                self._start(["nsenter", f"--net={self._bridge}", *self._command], log.fileno())
            eventually(self._serves, DEADLINE_S, "the server on the network")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self._log.read_text(errors="replace")[-2000:])
        self._end()

    def join(self) -> str:
        """The network namespace of one more container, with `eth0` on the bridge: for `Container(network=…)`."""
        self._joined += 1
        namespace, name = self._namespace(), f"veth{self._joined}"
        pid = namespace.split("/")[2]
        _in(self._bridge, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", pid)
        _in(self._bridge, "ip", "link", "set", name, "master", "br0", "up")
        _in(namespace, "ip", "addr", "add", f"10.77.0.{self._joined}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _in(namespace, "ip", "link", "set", device, "up")
        return namespace

    def _namespace(self) -> str:
        """The path of a network namespace of its own, which lives as long as a process of ours in it."""
        process = self._start(["unshare", "--net", "sleep", "infinity"])
        path = f"/proc/{process.pid}/ns/net"
        ours = Path("/proc/self/ns/net").readlink()
        eventually(lambda: Path(path).readlink() != ours, DEADLINE_S, "a network namespace")
        return path

    def _start(self, command: Sequence[str], output: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        started = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        self._processes.append(started)
        return started

    def _serves(self) -> bool:
        with suppress(subprocess.CalledProcessError):
            _in(self._bridge, sys.executable, "-I", "-c", _ANSWERS, self._ready)
            return True
        assert self._processes[-1].poll() is None, self._log.read_text(errors="replace")
        return False

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(DEADLINE_S)


def consul(directory: Path) -> Network:
    """A network with a Consul agent."""
    agent = ["agent", "-dev", "-bind=127.0.0.1", "-client=0.0.0.0", "-log-level=warn", "-grpc-port=-1", "-dns-port=-1"]
    return Network([str(CONSUL.binary()), *agent], "http://127.0.0.1:8500/v1/catalog/nodes", directory)


def etcd(directory: Path) -> Network:
    """A network with one member of etcd."""
    command = [
        *("etcd", "--data-dir", str(directory / "data"), "--unsafe-no-fsync"),
        *("--listen-client-urls", "http://0.0.0.0:2379", "--advertise-client-urls", f"http://{SERVER}:2379"),
    ]
    return Network(command, "http://127.0.0.1:2379/health", directory)


def _in(namespace: str, *command: str) -> None:
    subprocess.run(["nsenter", f"--net={namespace}", *command], check=True, capture_output=True, timeout=DEADLINE_S)
