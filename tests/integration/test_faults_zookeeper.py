"""A whole corepilot beside three ZooKeepers that elect another leader."""

from pathlib import Path

from catalogs import ZooKeeperCatalog, heard, heard_first
from eventually import eventually
from recording import Record
from running import Corepilot
from servers.zookeeper import Ensemble


def test_the_death_of_a_leader_is_no_event(tmp_path: Path, ensemble: Ensemble) -> None:
    catalog = ZooKeeperCatalog(ensemble)
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        record = Record(corepilot)
        before, pid = heard_first(record), corepilot.job("app")["pid"]
        leader = ensemble.leader()
        assert leader is not None
        leader.kill()
        eventually(lambda: ensemble.leader() is not None)
        record.until("check", record.count("check") + 2)
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        eventually(lambda: corepilot.status()["watches"][0]["connected"])
        assert catalog.passing
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
