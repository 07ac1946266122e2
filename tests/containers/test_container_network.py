"""Containers with addresses of their own on one network, which find each other by a server there."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from containers.container import Container
from containers.network import SERVER, Network, consul, etcd
from eventually import eventually

CATALOGS = {
    "consul": (consul, f'consul: "{SERVER}:8500"'),
    "etcd": (etcd, f'discovery: {{backend: "etcd", endpoints: ["http://{SERVER}:2379"]}}'),
}
WEB = """{%s, jobs: [{name: "web", exec: ["python3", "-I", "-m", "http.server", "8000"], port: 8000,
          health: {http: "/", interval: 1, ttl: 3}}]}"""
FRONT = """{%s,
  watches: [{name: "web", interval: 1}],
  jobs: [
    {name: "main", exec: "sleep 1000"},
    {name: "on-healthy", exec: "echo web-is-there", when: {source: "watch.web", each: "healthy"}},
    {name: "on-unhealthy", exec: "echo web-is-gone", when: {source: "watch.web", each: "unhealthy"}},
  ],
}"""
# The address is that of `eth0`, which is the container's own, and it can be reached.
ASK = "import sys, urllib.request as u; print(u.urlopen(f'http://{sys.argv[1]}:8000/', timeout=10).status)"


@pytest.mark.parametrize("name", CATALOGS)
def test_containers_find_each_other_over_the_network(tmp_path: Path, name: str) -> None:
    made: Callable[[Path], Network] = CATALOGS[name][0]
    catalog = CATALOGS[name][1]
    with (
        made(tmp_path) as network,
        Container(FRONT % catalog, tmp_path / "front", network=network.join()) as front,
        Container(WEB % catalog, tmp_path / "one", network=network.join(), user=1000) as one,
        Container(WEB % catalog, tmp_path / "two", network=network.join()) as two,
    ):
        front.until("web-is-there")
        eventually(lambda: addresses(front) == {"10.77.0.3", "10.77.0.4"})
        for address in ("10.77.0.3", "10.77.0.4"):
            answer = front.execute("python3", "-I", "-c", ASK, address)
            assert answer.stdout == "200\n", answer.stderr
        assert one.execute("corepilot", "health", "web").returncode == 0
        one.signal(signal.SIGKILL)  # nobody takes it out: its TTL does
        eventually(lambda: addresses(front) == {"10.77.0.4"})
        assert "web-is-gone" not in front.output
        assert two.stop() == 0
        front.until("web-is-gone")
        assert addresses(front) == set()
        assert front.stop() == 0


def addresses(front: Container) -> set[str]:
    """Of the instances that pass."""
    answer = front.execute("corepilot", "instances", "web", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    return {one["address"] for one in json.loads(answer.stdout) if one["status"] == "passing"}
