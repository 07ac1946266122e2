"""The plugins of a bundle with what they talk to: a service is registered in every kind of catalog, and seen there."""

from pathlib import Path

import pytest
from bundles import bundle
from eventually import eventually
from running import Corepilot
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import ZooKeeperServer

CONFIG = """{
  discovery: {%s},
  control: {socket: "%%(dir)s/control.socket"},
  telemetry: {port: 0, interfaces: ["static:127.0.0.1"]},
  jobs: [{
    name: "web", exec: "sleep 1000", port: 80, interfaces: ["static:127.0.0.1"], instance: "a",
    health: {exec: "true", interval: 1, ttl: 5},
  }],
  watches: [%s],
}"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_service_is_in_every_catalog(
    consul: ConsulServer, etcd: EtcdServer, zookeeper: ZooKeeperServer, tmp_path: Path
) -> None:
    catalogs = {
        "embedded": 'path: "%(dir)s/catalog"',
        "consul": f'address: "{consul.address}"',
        "etcd": f'endpoints: ["{etcd.endpoints[0]}"]',
        "zookeeper": f'hosts: "{zookeeper.hosts}"',
    }
    discovery = ", ".join(f'{name}: {{backend: "{name}", {options}}}' for name, options in catalogs.items())
    watches = ", ".join(f'{{name: "in-{name}", service: "web", catalog: "{name}", interval: 1}}' for name in catalogs)
    command = [str(bundle() / "corepilot" / "bin" / "corepilot")]
    with Corepilot(CONFIG % (discovery, watches), tmp_path, command=command) as corepilot:
        corepilot.until_ready()

        def healthy() -> dict[str, int]:
            return {one["name"]: one["passing"] for one in corepilot.status()["watches"]}

        eventually(lambda: healthy() == {f"in-{name}": 1 for name in catalogs})
        assert corepilot.stop() == 0
        assert "Traceback" not in corepilot.output
