"""The catalogs that have a server, alike for the tests that hurt it under a whole corepilot."""

import json
import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from recording import Record, config, shell
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import Ensemble, ZooKeeperServer
from zookeeper_client import witness

HOST = "host-a"
ID = f"app-{HOST}"
Held = list[tuple[str, str]]


class Catalog(ABC):
    """A catalog with a service `app`, which is asked without corepilot's clients.

    Attributes:
        fixture: The name of the fixture that gives its server.
        expires: Whether what nobody reports on is taken out; else it turns critical.
        silence_is_noticed: Whether a watch ends when its server stands still for a while; else it waits on.
        pause_ends_sessions: Whether a server that stood still may have forgotten what it held.
        taken_over: What is said when somebody else has registered the same id, at 192.0.2.8:8000.
    """

    fixture: ClassVar[str]
    expires: ClassVar[bool] = True
    silence_is_noticed: ClassVar[bool] = True
    pause_ends_sessions: ClassVar[bool] = False
    taken_over: ClassVar[str] = "another client has registered it since, for 192.0.2.8:8000"

    def __init__(self, server: Any) -> None:
        self.server = server

    @property
    @abstractmethod
    def discovery(self) -> str:
        """The part of a configuration that names it."""

    @abstractmethod
    def held(self) -> Held:
        """The status and the address of each instance of `app` that it holds."""

    @abstractmethod
    def lose_everything(self) -> None:
        """Start the server again, without its data."""

    @property
    def passing(self) -> list[str]:
        """The addresses of those that pass."""
        return [address for status, address in self.held() if status == "passing"]

    def text(self, *, address: str = "192.0.2.7", ttl: int = 10) -> str:
        """A job with a service, a job that beats, and a watch on the service whose events are noted."""
        jobs = f"""{{name: "app", instance: "{HOST}", exec: "sleep 1000", port: 8000, interfaces: "static:{address}",
                health: {{exec: {shell("note check")}, interval: 1, ttl: {ttl}}}}},
            {{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}"""
        for event in ("changed", "healthy", "unhealthy"):
            watched = f'when: {{source: "watch.app", each: "{event}"}}'
            jobs += f', {{name: "{event}", exec: {shell(f"note {event}")}, {watched}}}'
        return config(jobs, 'watches: [{name: "app", interval: 1}],').replace("consul: false", self.discovery)


class ConsulCatalog(Catalog):
    """Consul."""

    fixture = "consul"
    expires = False
    silence_is_noticed = False
    taken_over = "the agent holds 192.0.2.8:8000 under this id, and not 192.0.2.7:8000"
    server: ConsulServer

    @property
    def discovery(self) -> str:
        """See `Catalog`."""
        return f'consul: "{self.server.address}"'

    def held(self) -> Held:
        """See `Catalog`."""
        found = []
        for one in self.server.get("/v1/health/service/app"):
            status = next(check["Status"] for check in one["Checks"] if check["CheckID"] == f"service:{ID}")
            found.append((status, one["Service"]["Address"]))
        return found

    def lose_everything(self) -> None:
        """See `Catalog`."""
        self.server.restart()


class EtcdCatalog(Catalog):
    """etcd."""

    fixture = "etcd"
    server: EtcdServer

    @property
    def discovery(self) -> str:
        """See `Catalog`."""
        return f'discovery: {{backend: "etcd", endpoints: {json.dumps(self.server.endpoints)}, timeout: "500ms"}}'

    def held(self) -> Held:
        """See `Catalog`."""
        lines = self.server.ctl("get", "--prefix", "--print-value-only", "/corepilot/services/app/").splitlines()
        return [(one["status"], one["address"]) for one in map(json.loads, filter(None, lines))]

    def lose_everything(self) -> None:
        """See `Catalog`."""
        self.server.wipe()


class ZooKeeperCatalog(Catalog):
    """ZooKeeper, under a prefix of its own."""

    fixture = "zookeeper"
    pause_ends_sessions = True
    server: ZooKeeperServer | Ensemble

    def __init__(self, server: ZooKeeperServer | Ensemble) -> None:
        super().__init__(server)
        self._prefix = f"/t{os.urandom(4).hex()}"

    @property
    def discovery(self) -> str:
        """See `Catalog`."""
        return f'discovery: {{backend: "zookeeper", hosts: "{self.server.hosts}", prefix: "{self._prefix}"}}'

    def held(self) -> Held:
        """See `Catalog`."""
        found = witness(self.server.hosts, _FIND.replace("PREFIX", self._prefix))
        return [(one["status"], one["host"]) for one in found]

    def lose_everything(self) -> None:
        """See `Catalog`."""
        assert isinstance(self.server, ZooKeeperServer)
        self.server.forget()


_FIND = """
import json
from kazoo.exceptions import NoNodeError
told = []
for kind in ("services", "critical"):
    path = "PREFIX/" + kind + "/app"
    try:
        told += [json.loads(client.get(path + "/" + name)[0]) for name in client.get_children(path)]
    except NoNodeError:
        pass
"""

CATALOGS = (ConsulCatalog, EtcdCatalog, ZooKeeperCatalog)


def heard(record: Record) -> list[str]:
    """The events of the watch."""
    return [word for word in record.words if word not in {"beat", "check"}]


def heard_first(record: Record) -> list[str]:
    """The events of the watch when it has found the service: two, which two processes write down in either order."""
    record.until("changed")
    record.until("healthy")
    return heard(record)
