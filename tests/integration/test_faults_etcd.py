"""A whole corepilot beside an etcd that is away, stands still, loses its data, or remembers what is no longer true."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.etcd import EtcdServer

HOST = "host-a"
KEY = f"/corepilot/services/app/app-{HOST}"


def text(etcd: EtcdServer, *, address: str = "192.0.2.7", ttl: int = 10, more: str = "") -> str:
    """A job with a service, a job that beats, and a watch on the service whose events are noted."""
    jobs = f"""{{name: "app", instance: "{HOST}", exec: "sleep 1000", port: 8000, interfaces: "static:{address}",
            health: {{exec: {shell("note check")}, interval: 1, ttl: {ttl}}}}},
        {{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}"""
    for event in ("changed", "healthy", "unhealthy"):
        watched = f'when: {{source: "watch.app", each: "{event}"}}'
        jobs += f', {{name: "{event}", exec: {shell(f"note {event}")}, {watched}}}'
    discovery = f'discovery: {{backend: "etcd", endpoints: {json.dumps(etcd.endpoints)}, timeout: "500ms"}}'
    watches = 'watches: [{name: "app", interval: 1}],'
    return config(jobs, watches + more).replace("consul: false", discovery)


def record_of(etcd: EtcdServer) -> Any:
    found = etcd.ctl("get", "--print-value-only", KEY)
    return json.loads(found) if found else None


def status(etcd: EtcdServer) -> str:
    found = record_of(etcd)
    return found["status"] if found else "none"


def passing_at(etcd: EtcdServer) -> str:
    found = record_of(etcd)
    return str(found["address"]) if found and found["status"] == "passing" else ""


def goes_on(record: Record) -> None:
    record.until("beat", record.count("beat") + 3)
    assert record.corepilot.client("ping").returncode == 0


def heard(record: Record) -> list[str]:
    return [word for word in record.words if word not in {"beat", "check"}]


def test_a_store_that_is_away_at_the_start_is_registered_with_when_it_comes(tmp_path: Path, etcd: EtcdServer) -> None:
    etcd.kill()
    with Corepilot(text(etcd), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        pid = corepilot.job("app")["pid"]
        etcd.start()
        eventually(lambda: status(etcd) == "passing", 20)
        record.until("healthy", deadline_s=20)
        assert heard(record).count("unhealthy") == 0
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
    assert record_of(etcd) is None


def test_a_store_that_stands_still_changes_nothing_and_is_used_again(tmp_path: Path, etcd: EtcdServer) -> None:
    with Corepilot(text(etcd), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        before, pid = heard(record), corepilot.job("app")["pid"]
        etcd.pause()
        eventually(lambda: not corepilot.status()["watches"][0]["connected"])
        goes_on(record)
        etcd.resume()
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        eventually(lambda: corepilot.status()["watches"][0]["connected"])
        assert status(etcd) == "passing"
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_store_that_has_lost_its_data_gets_it_back(tmp_path: Path, etcd: EtcdServer) -> None:
    with Corepilot(text(etcd), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pid = corepilot.job("app")["pid"]
        etcd.wipe()
        eventually(lambda: status(etcd) == "passing")
        eventually(lambda: corepilot.status()["watches"][0]["passing"] == 1)
        assert etcd.ctl("get", "--prefix", "--keys-only", "/corepilot/services/").split() == [KEY]
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_lease_that_was_revoked_is_made_again(tmp_path: Path, etcd: EtcdServer) -> None:
    with Corepilot(text(etcd), tmp_path) as corepilot:
        for _ in range(3):
            eventually(lambda: status(etcd) == "passing")
            (lease,) = etcd.ctl("lease", "list").split()[3:]
            etcd.ctl("lease", "revoke", lease)
        eventually(lambda: status(etcd) == "passing")
        assert len(etcd.ctl("lease", "list").split()[3:]) == 1
        assert corepilot.stop() == 0


def test_a_supervisor_that_stood_still_for_longer_than_its_ttl_is_passing_again(
    tmp_path: Path, etcd: EtcdServer
) -> None:
    with Corepilot(text(etcd, ttl=2), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pids = corepilot.supervisor, corepilot.job("app")["pid"]
        os.kill(pids[0], signal.SIGSTOP)
        eventually(lambda: status(etcd) == "none")
        os.kill(pids[0], signal.SIGCONT)
        eventually(lambda: status(etcd) == "passing")
        goes_on(record)
        assert (corepilot.supervisor, corepilot.job("app")["pid"]) == pids
        assert corepilot.stop() == 0


def test_what_a_killed_corepilot_left_is_replaced_by_its_successor_or_goes(tmp_path: Path, etcd: EtcdServer) -> None:
    with Corepilot(text(etcd, address="192.0.2.7", ttl=3), tmp_path) as corepilot:
        eventually(lambda: status(etcd) == "passing")
        os.kill(corepilot.supervisor, signal.SIGKILL)
        assert corepilot.wait() == 70
    with Corepilot(text(etcd, address="192.0.2.8", ttl=3), tmp_path) as corepilot:
        eventually(lambda: passing_at(etcd) == "192.0.2.8")
        os.kill(corepilot.supervisor, signal.SIGKILL)
        assert corepilot.wait() == 70
    eventually(lambda: status(etcd) == "none")


def test_two_of_one_name_do_not_keep_each_other_alive(tmp_path: Path, etcd: EtcdServer) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with Corepilot(text(etcd, address="192.0.2.7", ttl=2), folders[0]) as first:
        eventually(lambda: status(etcd) == "passing")
        with Corepilot(text(etcd, address="192.0.2.8", ttl=2), folders[1]) as second:
            first.until("another client has registered it since, for 192.0.2.8:8000")
            assert record_of(etcd)["address"] == "192.0.2.8"
            os.kill(second.supervisor, signal.SIGKILL)
            assert second.wait() == 70
        eventually(lambda: passing_at(etcd) == "192.0.2.7")
        assert first.stop() == 0
    assert record_of(etcd) is None


def test_a_stop_does_not_wait_for_a_store_that_stands_still(tmp_path: Path, etcd: EtcdServer) -> None:
    with Corepilot(text(etcd, ttl=2), tmp_path) as corepilot:
        eventually(lambda: status(etcd) == "passing")
        etcd.pause()
        assert corepilot.stop() == 0
    etcd.resume()
    eventually(lambda: status(etcd) == "none", message="its lease has ended")


def test_the_death_of_a_leader_is_no_event(tmp_path: Path) -> None:
    with EtcdServer(3) as cluster, Corepilot(text(cluster, ttl=10), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        before, pid = heard(record), corepilot.job("app")["pid"]
        for _ in range(2):
            cluster.leader().kill()
            record.until("check", record.count("check") + 3)
            eventually(lambda: corepilot.status()["services"][0]["in_sync"])
            eventually(lambda: corepilot.status()["watches"][0]["connected"])
            assert status(cluster) == "passing"
            cluster.start()
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
