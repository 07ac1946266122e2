"""Several catalogs at once: a move from one to another without a gap, reading in one what is registered in another."""

import threading
from pathlib import Path

import gevent
from eventually import eventually
from recording import config
from running import Corepilot

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.plugin import Options
from corepilot.model.service import Query

JOB = (
    '{name: "web", exec: "sleep 1000", port: 80, interfaces: ["static:127.0.0.1"], instance: "a", '
    'health: {exec: "true", interval: 1, ttl: 5}%s}'
)


def catalogs(*names: str, more: str = "", job: str = "") -> str:
    said = ", ".join([f'{name}: {{backend: "embedded", path: "%(dir)s/{name}"}}' for name in names])
    return config(JOB % job, f"discovery: {{{said}}}, {more}").replace("consul: false, ", "")


def seen(path: Path) -> tuple[str, ...]:
    backend = EmbeddedBackend(Options(path=str(path)), BackendContext(lambda *_: None))
    try:
        return tuple([one.status for one in backend.instances(Query("web"))])
    finally:
        backend.close()


def test_a_team_moves_from_one_catalog_to_another_without_a_gap(tmp_path: Path) -> None:
    seen_in_one: set[tuple[str, ...]] = set()
    moved = threading.Event()

    def look() -> None:
        """Whoever asks either of the two, at any moment, finds it."""
        try:
            while not moved.is_set():
                seen_in_one.add(max(seen(tmp_path / "old"), seen(tmp_path / "new")))
        finally:
            gevent.get_hub().destroy(destroy_loop=True)  # this thread's own

    with Corepilot(catalogs("old"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: seen(tmp_path / "old") == ("passing",))
        pid = corepilot.job("web")["pid"]
        looking = threading.Thread(target=look)
        looking.start()
        try:
            corepilot.configure(catalogs("old", "new"))
            assert "catalog new: added" in corepilot.client("reload").stdout
            eventually(lambda: seen(tmp_path / "new") == ("passing",))
            assert seen(tmp_path / "old") == ("passing",)
            corepilot.configure(catalogs("new"))
            assert "catalog old: removed" in corepilot.client("reload").stdout
            eventually(lambda: seen(tmp_path / "old") == ())
            assert seen(tmp_path / "new") == ("passing",)
        finally:
            moved.set()
            looking.join()
        assert seen_in_one == {("passing",)}
        assert corepilot.job("web")["pid"] == pid
        assert [one["name"] for one in corepilot.status()["catalogs"]] == ["new"]
        assert corepilot.stop() == 0
    assert seen(tmp_path / "new") == ()


def test_a_job_registers_where_it_says_and_a_watch_looks_in_all(tmp_path: Path) -> None:
    watch = 'watches: [{name: "web", interval: 1, atStart: true}, {name: "there", service: "web", catalog: "two"}],'
    with Corepilot(catalogs("one", "two", more=watch, job=', catalogs: ["one"]'), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: seen(tmp_path / "one") == ("passing",))
        assert seen(tmp_path / "two") == ()

        def watched() -> dict[str, int]:
            return {one["name"]: one["passing"] for one in corepilot.status()["watches"] if one["connected"]}

        eventually(lambda: watched() == {"web": 1, "there": 0})
        assert corepilot.client("instances", "web").stdout.count("127.0.0.1") == 1
        corepilot.configure(catalogs("one", "two", more=watch, job=', catalogs: ["two"]'))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: (seen(tmp_path / "one"), seen(tmp_path / "two")) == ((), ("passing",)))
        eventually(lambda: watched() == {"web": 1, "there": 1})
        assert corepilot.stop() == 0


def test_another_option_of_the_same_store_takes_nothing_out(tmp_path: Path) -> None:
    with Corepilot(catalogs("one"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: seen(tmp_path / "one") == ("passing",))
        other = catalogs("one").replace('path: "%(dir)s/one"', 'path: "%(dir)s/one", shared: true')
        corepilot.configure(other)
        assert "catalog one: changed" in corepilot.client("reload").stdout
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        assert seen(tmp_path / "one") == ("passing",)
        assert corepilot.stop() == 0
