"""A whole corepilot beside an etcd whose leases are revoked, or whose leader dies."""

from pathlib import Path

from catalogs import EtcdCatalog, heard, heard_first
from eventually import eventually
from recording import Record
from running import Corepilot
from servers.etcd import EtcdServer


def test_a_lease_that_was_revoked_is_made_again(tmp_path: Path, etcd: EtcdServer) -> None:
    catalog = EtcdCatalog(etcd)
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        for _ in range(3):
            eventually(lambda: catalog.passing)
            (lease,) = etcd.ctl("lease", "list").split()[3:]
            etcd.ctl("lease", "revoke", lease)
        eventually(lambda: catalog.passing)
        assert len(etcd.ctl("lease", "list").split()[3:]) == 1
        assert corepilot.stop() == 0


def test_the_death_of_a_leader_is_no_event(tmp_path: Path) -> None:
    with EtcdServer(3) as cluster, Corepilot(EtcdCatalog(cluster).text(), tmp_path) as corepilot:
        record = Record(corepilot)
        before, pid = heard_first(record), corepilot.job("app")["pid"]
        for _ in range(2):
            cluster.leader().kill()
            record.until("check", record.count("check") + 3)
            eventually(lambda: corepilot.status()["services"][0]["in_sync"])
            eventually(lambda: corepilot.status()["watches"][0]["connected"])
            assert EtcdCatalog(cluster).passing
            cluster.start()
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
