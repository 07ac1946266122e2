"""The three stores that have a server, as configurations, command lines and locations name them."""

import json
from collections.abc import Callable
from typing import NamedTuple

from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options as ConsulOptions
from corepilot_etcd.backend import EtcdBackend
from corepilot_etcd.plugin import Options as EtcdOptions
from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.plugin import Options as ZooKeeperOptions
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import ZooKeeperServer
from zookeeper_client import witness

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import context


class Store(NamedTuple):
    """A real server.

    Attributes:
        discovery: How a configuration names it.
        words: How `--discovery` names it.
        location: Where a configuration is that it keeps under a key; `{key}` stands for the key.
        client: A client of ours, for registrations.
        put: Makes a key with a client that is not ours.
        delete: Deletes one.
    """

    discovery: str
    words: str
    location: str
    client: Callable[[], Backend]
    put: Callable[[str, str], object]
    delete: Callable[[str], object]


def in_consul(server: ConsulServer) -> Store:
    return Store(
        f'{{ backend: "consul", address: "{server.address}" }}',
        f"consul:address={server.address}",
        f"consul://{server.address}/{{key}}",
        lambda: ConsulBackend(ConsulOptions(address=server.address), context()),
        lambda key, value: server.put(f"/v1/kv/{key}", value.encode()),
        lambda key: server.request("DELETE", f"/v1/kv/{key}"),
    )


def in_etcd(server: EtcdServer) -> Store:
    return Store(
        f'{{ backend: "etcd", endpoints: {json.dumps(server.endpoints)} }}',
        f"etcd:endpoints={server.endpoints[0]}",
        f"etcd://{server.endpoints[0].removeprefix('http://')}/{{key}}",
        lambda: EtcdBackend(EtcdOptions(endpoints=server.endpoints), context()),
        lambda key, value: server.ctl("put", f"/corepilot/keys/{key}", value),
        lambda key: server.ctl("del", f"/corepilot/keys/{key}"),
    )


def in_zookeeper(server: ZooKeeperServer) -> Store:
    def path(key: str) -> str:
        return f"/render/keys/{key}"

    return Store(
        f'{{ backend: "zookeeper", hosts: "{server.hosts}", prefix: "/render" }}',
        f"zookeeper:hosts={server.hosts},prefix=/render",
        f"zookeeper://{server.hosts}/{{key}}?prefix=/render",
        lambda: ZooKeeperBackend(ZooKeeperOptions(hosts=server.hosts, prefix="/render"), context()),
        # In one step: a node that is made first and written then is a key without a value in between.
        lambda key, value: witness(
            server.hosts, f"client.create({path(key)!r}, {value!r}.encode(), makepath=True) and None"
        ),
        lambda key: witness(server.hosts, f"client.delete({path(key)!r})"),
    )


STORES: dict[str, Callable[..., Store]] = {"consul": in_consul, "etcd": in_etcd, "zookeeper": in_zookeeper}
