"""Clients of a test's ZooKeeper, and a witness: kazoo as everybody uses it, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, TypeVar

from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.plugin import Options
from etcd_client import DEADLINE_S, Follower, becomes

from corepilot.discovery.backend import BackendContext

__all__ = ["Clients", "Follower", "becomes", "witness"]

T = TypeVar("T")

_WITNESS = """
import json, sys
from kazoo.client import KazooClient
from kazoo.handlers.threading import SequentialThreadingHandler
client = KazooClient(hosts=sys.argv[1], handler=SequentialThreadingHandler(), timeout=5)
client.start(20)
told = None
{code}
client.stop()
client.close()
print(json.dumps(told))
"""


class Clients:
    """Makes clients of one ensemble, and closes them.

    Attributes:
        said: What the clients have logged: level and message.
    """

    def __init__(self, hosts: str, prefix: str) -> None:
        self.hosts, self.prefix = hosts, prefix
        self.said: list[tuple[str, str]] = []
        self._made: list[ZooKeeperBackend] = []
        self._followers: list[Follower[Any]] = []

    def new(self, **options: Any) -> ZooKeeperBackend:
        """A new client, which is closed when the test ends."""
        options = {"hosts": self.hosts, "prefix": self.prefix, **options}
        context = BackendContext(log=lambda level, message: self.said.append((level, message)))
        client = ZooKeeperBackend(Options(**options), context)
        self._made.append(client)
        return client

    def follow(self, stream: Iterator[T]) -> "Follower[T]":
        """Follow a stream until the test ends."""
        follower = Follower(stream)
        self._followers.append(follower)
        return follower

    def close(self) -> None:
        """Close everything."""
        for follower in self._followers:
            follower.greenlet.kill(timeout=DEADLINE_S)
        for client in self._made:
            client.close()


def witness(hosts: str, code: str) -> Any:
    """Run code with a `client` of kazoo's, connected; returns what it has put into `told`."""
    command = [sys.executable, "-I", "-c", _WITNESS.format(code=code), hosts]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
