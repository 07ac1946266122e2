"""A whole corepilot beside a ZooKeeper that is away, stands still, loses its data, or elects another leader."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.zookeeper import Ensemble, ZooKeeperServer
from zookeeper_client import witness

HOST = "host-a"

_FIND = """
import json
from kazoo.exceptions import NoNodeError
for kind in ("services", "critical"):
    try:
        told = json.loads(client.get("PREFIX/" + kind + "/app/app-host-a")[0])
        break
    except NoNodeError:
        pass
"""


@pytest.fixture
def prefix() -> str:
    return f"/t{os.urandom(4).hex()}"


def text(hosts: str, prefix: str, *, address: str = "192.0.2.7", ttl: int = 10) -> str:
    """A job with a service, a job that beats, and a watch on the service whose events are noted."""
    jobs = f"""{{name: "app", instance: "{HOST}", exec: "sleep 1000", port: 8000, interfaces: "static:{address}",
            health: {{exec: {shell("note check")}, interval: 1, ttl: {ttl}}}}},
        {{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}"""
    for event in ("changed", "healthy", "unhealthy"):
        watched = f'when: {{source: "watch.app", each: "{event}"}}'
        jobs += f', {{name: "{event}", exec: {shell(f"note {event}")}, {watched}}}'
    discovery = f'discovery: {{backend: "zookeeper", hosts: "{hosts}", prefix: "{prefix}"}}'
    watches = 'watches: [{name: "app", interval: 1}],'
    return config(jobs, watches).replace("consul: false", discovery)


def record_of(hosts: str, prefix: str) -> Any:
    """What the witness finds: None if there is nothing."""
    return witness(hosts, _FIND.replace("PREFIX", prefix))


def status(hosts: str, prefix: str) -> str:
    found = record_of(hosts, prefix)
    return found["status"] if found else "none"


def passing_at(hosts: str, prefix: str) -> str:
    found = record_of(hosts, prefix)
    return str(found["host"]) if found and found["status"] == "passing" else ""


def goes_on(record: Record) -> None:
    record.until("beat", record.count("beat") + 3)
    assert record.corepilot.client("ping").returncode == 0


def heard(record: Record) -> list[str]:
    return [word for word in record.words if word not in {"beat", "check"}]


def test_a_store_that_is_away_at_the_start_is_registered_with_when_it_comes(
    tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str
) -> None:
    zookeeper.kill()
    with Corepilot(text(zookeeper.hosts, prefix), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        pid = corepilot.job("app")["pid"]
        zookeeper.start()
        record.until("healthy", deadline_s=20)
        assert status(zookeeper.hosts, prefix) == "passing"
        assert heard(record).count("unhealthy") == 0
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
    assert record_of(zookeeper.hosts, prefix) is None


def test_a_store_that_stands_still_changes_nothing_and_is_used_again(
    tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str
) -> None:
    with Corepilot(text(zookeeper.hosts, prefix), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        before, pid = heard(record), corepilot.job("app")["pid"]
        zookeeper.pause()
        eventually(lambda: not corepilot.status()["watches"][0]["connected"])
        goes_on(record)
        zookeeper.resume()
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        eventually(lambda: corepilot.status()["watches"][0]["connected"])
        eventually(lambda: status(zookeeper.hosts, prefix) == "passing")
        assert set(heard(record)) == set(before)
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_store_that_has_lost_its_data_gets_it_back(tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str) -> None:
    with Corepilot(text(zookeeper.hosts, prefix), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pid = corepilot.job("app")["pid"]
        zookeeper.forget()
        eventually(lambda: status(zookeeper.hosts, prefix) == "passing")
        eventually(lambda: corepilot.status()["watches"][0]["passing"] == 1)
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_the_death_of_a_leader_is_no_event(tmp_path: Path, ensemble: Ensemble, prefix: str) -> None:
    with Corepilot(text(ensemble.hosts, prefix), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        before, pid = heard(record), corepilot.job("app")["pid"]
        leader = ensemble.leader()
        assert leader is not None
        leader.kill()
        eventually(lambda: ensemble.leader() is not None)
        record.until("check", record.count("check") + 2)
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        eventually(lambda: corepilot.status()["watches"][0]["connected"])
        assert status(ensemble.hosts, prefix) == "passing"
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_supervisor_that_stood_still_for_longer_than_its_ttl_is_passing_again(
    tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str
) -> None:
    with Corepilot(text(zookeeper.hosts, prefix, ttl=2), tmp_path) as corepilot:
        eventually(lambda: status(zookeeper.hosts, prefix) == "passing")
        supervisor = corepilot.status()["pid"]
        os.kill(supervisor, signal.SIGSTOP)
        try:
            eventually(lambda: record_of(zookeeper.hosts, prefix) is None)
        finally:
            os.kill(supervisor, signal.SIGCONT)
        eventually(lambda: status(zookeeper.hosts, prefix) == "passing")
        assert corepilot.stop() == 0


def test_what_a_killed_corepilot_left_is_replaced_by_its_successor_or_goes(
    tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str
) -> None:
    for address in ("192.0.2.7", "192.0.2.8"):
        with Corepilot(text(zookeeper.hosts, prefix, address=address, ttl=3), tmp_path) as corepilot:
            eventually(lambda: passing_at(zookeeper.hosts, prefix) == address)  # noqa: B023  - asked at once
            os.kill(corepilot.supervisor, signal.SIGKILL)
            assert corepilot.wait() == 70
    eventually(lambda: record_of(zookeeper.hosts, prefix) is None)


def test_two_of_one_name_do_not_keep_each_other_alive(tmp_path: Path, zookeeper: ZooKeeperServer, prefix: str) -> None:
    hosts, folders = zookeeper.hosts, [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with Corepilot(text(hosts, prefix, address="192.0.2.7", ttl=2), folders[0]) as first:
        eventually(lambda: passing_at(hosts, prefix) == "192.0.2.7")
        with Corepilot(text(hosts, prefix, address="192.0.2.8", ttl=2), folders[1]) as second:
            first.until("another client has registered it since, for 192.0.2.8:8000")
            assert passing_at(hosts, prefix) == "192.0.2.8"
            os.kill(second.supervisor, signal.SIGKILL)
            assert second.wait() == 70
        eventually(lambda: passing_at(hosts, prefix) == "192.0.2.7")
        assert first.stop() == 0
