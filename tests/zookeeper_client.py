"""Clients of a test's ZooKeeper, and a witness: kazoo as everybody uses it, in a process of its own."""

import json
import subprocess
import sys
from typing import Any

import following
from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.plugin import Options

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


class Clients(following.Clients[ZooKeeperBackend]):
    """Makes clients of one ensemble, and closes them."""

    def __init__(self, hosts: str, prefix: str) -> None:
        super().__init__(ZooKeeperBackend, Options, hosts=hosts, prefix=prefix)
        self.hosts, self.prefix = hosts, prefix


def witness(hosts: str, code: str) -> Any:
    """Run code with a `client` of kazoo's, connected; returns what it has put into `told`."""
    command = [sys.executable, "-I", "-c", _WITNESS.format(code=code), hosts]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
