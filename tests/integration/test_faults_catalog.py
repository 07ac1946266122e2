"""A whole corepilot beside a catalog that is away, stands still, loses its data, or holds what is not true any more."""

import os
import signal
from pathlib import Path

import pytest
from catalogs import CATALOGS, Catalog, heard, heard_first
from eventually import eventually
from recording import Record, goes_on
from running import Corepilot


@pytest.fixture(params=CATALOGS, ids=lambda kind: kind.fixture)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    made: Catalog = request.param(request.getfixturevalue(request.param.fixture))
    return made


def in_order(corepilot: Corepilot) -> None:
    eventually(lambda: corepilot.status()["services"][0]["in_sync"])
    eventually(lambda: corepilot.status()["watches"][0]["connected"])


def test_a_catalog_that_is_away_at_the_start_is_registered_with_when_it_comes(tmp_path: Path, catalog: Catalog) -> None:
    catalog.server.kill()
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        pid = corepilot.job("app")["pid"]
        catalog.server.start()
        eventually(lambda: catalog.passing == ["192.0.2.7"], 20)
        record.until("healthy", deadline_s=20)
        assert heard(record).count("unhealthy") == 0
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
    assert catalog.held() == []


def test_a_catalog_that_stands_still_changes_nothing_and_is_used_again(tmp_path: Path, catalog: Catalog) -> None:
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        record = Record(corepilot)
        before, pid = heard_first(record), corepilot.job("app")["pid"]
        catalog.server.pause()
        record.until("check", record.count("check") + 1)
        if catalog.silence_is_noticed:
            eventually(lambda: not corepilot.status()["watches"][0]["connected"])
        goes_on(record)
        catalog.server.resume()
        in_order(corepilot)
        record.until("check", record.count("check") + 1)
        eventually(lambda: catalog.passing == ["192.0.2.7"])
        if catalog.pause_ends_sessions:
            # The server has ended the session meanwhile: everybody sees the instance go, and come again at once.
            # `changed` and `healthy` are two processes, and either may write first.
            eventually(lambda: [word for word in heard(record) if word != "changed"][-1] == "healthy")
            assert heard(record).count("unhealthy") <= 1
        else:
            assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_catalog_that_has_lost_its_data_gets_it_back(tmp_path: Path, catalog: Catalog) -> None:
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pid = corepilot.job("app")["pid"]
        catalog.lose_everything()
        eventually(lambda: catalog.passing == ["192.0.2.7"])
        eventually(lambda: corepilot.status()["watches"][0]["passing"] == 1)
        assert catalog.held() == [("passing", "192.0.2.7")]
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_supervisor_that_stood_still_for_longer_than_its_ttl_is_passing_again(
    tmp_path: Path, catalog: Catalog
) -> None:
    with Corepilot(catalog.text(ttl=2), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pids = corepilot.supervisor, corepilot.job("app")["pid"]
        os.kill(pids[0], signal.SIGSTOP)
        try:
            lapsed = [] if catalog.expires else [("critical", "192.0.2.7")]
            eventually(lambda: catalog.held() == lapsed)
        finally:
            os.kill(pids[0], signal.SIGCONT)
        eventually(lambda: catalog.passing == ["192.0.2.7"])
        goes_on(record)
        assert (corepilot.supervisor, corepilot.job("app")["pid"]) == pids
        assert corepilot.stop() == 0


def test_what_a_killed_corepilot_left_is_replaced_by_its_successor_or_goes(tmp_path: Path, catalog: Catalog) -> None:
    for address in ("192.0.2.7", "192.0.2.8"):
        with Corepilot(catalog.text(address=address, ttl=3), tmp_path) as corepilot:
            eventually(lambda: catalog.held() == [("passing", address)])  # noqa: B023  - asked at once
            os.kill(corepilot.supervisor, signal.SIGKILL)
            assert corepilot.wait() == 70
    if catalog.expires:
        eventually(lambda: catalog.held() == [])
        return
    assert catalog.held(), "nobody has taken it out"
    with Corepilot(catalog.text(), tmp_path) as corepilot:
        eventually(lambda: catalog.held() == [("passing", "192.0.2.7")])
        assert corepilot.stop() == 0
    assert catalog.held() == []


def test_a_stop_does_not_wait_for_a_catalog_that_stands_still(tmp_path: Path, catalog: Catalog) -> None:
    with Corepilot(catalog.text(ttl=2), tmp_path) as corepilot:
        eventually(lambda: catalog.passing)
        catalog.server.pause()
        assert corepilot.stop() == 0
        assert "did not end by the deadline" not in corepilot.output
    catalog.server.resume()
    eventually(lambda: not catalog.passing, message="its TTL is over, or it has heard of the end after all")
    if catalog.expires:
        eventually(lambda: catalog.held() == [])


def test_two_of_one_name_do_not_keep_each_other_alive(tmp_path: Path, catalog: Catalog) -> None:
    """hashicorp/consul#19689: one record per id, whose last registration wins."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with Corepilot(catalog.text(ttl=2), folders[0]) as first:
        eventually(lambda: catalog.passing == ["192.0.2.7"])
        with Corepilot(catalog.text(address="192.0.2.8", ttl=2), folders[1]) as second:
            first.until(catalog.taken_over)
            assert catalog.passing == ["192.0.2.8"]
            os.kill(second.supervisor, signal.SIGKILL)
            assert second.wait() == 70
        # Nobody reports on the dead one: when its TTL is over, the living one has the id.
        eventually(lambda: catalog.passing == ["192.0.2.7"])
        with Corepilot(catalog.text(address="192.0.2.8"), folders[1]) as second:
            eventually(lambda: first.status()["services"][0]["last_error"])
            assert "`instance`" in first.output
            assert first.stop() == 0
            assert catalog.passing == ["192.0.2.8"], "what is not ours is not taken out"
            assert second.stop() == 0
    assert catalog.held() == []
