"""Several catalogs at once: a move from one to another without a gap, reading in one what is registered in another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.etcd import EtcdServer

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


@contextmanager
def looked_for(*paths: Path) -> Iterator[set[tuple[str, ...]]]:
    """What somebody finds who looks in some of these catalogs, at any moment within the block."""
    found: set[tuple[str, ...]] = set()
    over, looked = threading.Event(), threading.Event()

    def look() -> None:
        try:
            while not over.is_set():
                found.add(max(seen(path) for path in paths))
                looked.set()
        finally:
            gevent.get_hub().destroy(destroy_loop=True)  # this thread's own

    looking = threading.Thread(target=look)
    looking.start()
    assert looked.wait(30)
    try:
        yield found
    finally:
        over.set()
        looking.join()


def test_a_team_moves_from_one_catalog_to_another_without_a_gap(tmp_path: Path) -> None:
    with Corepilot(catalogs("old"), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: seen(tmp_path / "old") == ("passing",))
        pid = corepilot.job("web")["pid"]
        with looked_for(tmp_path / "old", tmp_path / "new") as found:
            corepilot.configure(catalogs("old", "new"))
            assert "catalog new: added" in corepilot.client("reload").stdout
            corepilot.until("reloading: catalog new added")
            eventually(lambda: seen(tmp_path / "new") == ("passing",))
            assert seen(tmp_path / "old") == ("passing",)
            corepilot.configure(catalogs("new"))
            assert "catalog old: removed" in corepilot.client("reload").stdout
            corepilot.until("reloading: catalog old removed")
            eventually(lambda: seen(tmp_path / "old") == ())
            assert seen(tmp_path / "new") == ("passing",)
        assert found == {("passing",)}
        assert corepilot.job("web")["pid"] == pid
        assert [one["name"] for one in corepilot.status()["catalogs"]] == ["new"]
        assert corepilot.stop() == 0
    assert seen(tmp_path / "new") == ()


def test_another_prefix_is_another_place(etcd: EtcdServer, tmp_path: Path) -> None:
    def below(prefix: str) -> str:
        etcd_at = f'{{backend: "etcd", endpoints: ["{etcd.endpoints[0]}"], prefix: "{prefix}"}}'
        return config(JOB % "", f"discovery: {etcd_at}, ").replace("consul: false, ", "")

    def registered(prefix: str) -> int:
        return etcd.ctl("get", "--prefix", "--keys-only", f"{prefix}/services/").count("/web-a")

    with Corepilot(below("/first"), tmp_path) as corepilot:
        eventually(lambda: registered("/first"))
        corepilot.configure(below("/second"))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: registered("/second"))
        eventually(lambda: not registered("/first"), 4)  # its lease would take five seconds
        assert "below /second" in corepilot.client("status").stdout
        assert corepilot.stop() == 0


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


WATCHED = (
    'watches: [{name: "web", interval: 1, atStart: true}, {name: "k", key: "k", atStart: true%s}], '
    'locks: [{name: "l", ttl: "30s"%s}],'
)
REACTING = (
    f", {{name: 'saw', exec: {shell('note changed')}, when: {{source: 'watch.web', each: 'changed'}}}}, "
    '{name: "locked", exec: "sleep 1000", lock: "l"}'
)


def moving(names: dict[str, str], more: str = "", option: str = "", job: str = "") -> str:
    """Catalogs by name, each in a directory, with a watch, a lock, and jobs that they start."""
    said = ", ".join([f'{name}: {{backend: "embedded", path: "%(dir)s/{at}"{option}}}' for name, at in names.items()])
    jobs = JOB % job + REACTING
    return config(jobs, f"discovery: {{{said}}}, {WATCHED % (more, more)}").replace("consul: false, ", "")


def test_a_catalog_may_get_another_name_while_others_are_added(tmp_path: Path) -> None:
    with Corepilot(moving({"one": "one"}, job=', catalogs: ["one"]'), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        record.until("changed")
        eventually(lambda: corepilot.job("locked")["state"] == "running")
        before, lock = corepilot.status()["jobs"], corepilot.status()["locks"][0]["token"]
        renamed = moving({"old": "one", "one": "two"}, more=', catalog: "old"', job=', catalogs: ["old"]')
        corepilot.configure(renamed)
        with looked_for(tmp_path / "one") as found:
            assert 'name: "one" -> "old"' in corepilot.client("plan").stdout
            assert corepilot.client("reload").returncode == 0
            eventually(lambda: [one["connected"] for one in corepilot.status()["catalogs"]] == [True, True])
            eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        assert found == {("passing",)}
        assert [one["name"] for one in corepilot.status()["catalogs"]] == ["old", "one"]
        assert [one["pid"] for one in corepilot.status()["jobs"]] == [one["pid"] for one in before]
        assert corepilot.status()["locks"][0]["token"] == lock
        assert corepilot.output.count("Service registered") == 1
        corepilot.configure(renamed.replace('catalogs: ["old"]', 'catalogs: ["one"]'))
        with looked_for(tmp_path / "one", tmp_path / "two") as found:
            assert corepilot.client("reload").returncode == 0
            eventually(lambda: seen(tmp_path / "one") == ())
        assert found == {("passing",)}
        assert record.words == ["changed"]
        assert corepilot.stop() == 0
    assert seen(tmp_path / "two") == ()


def test_a_move_in_one_step_registers_before_it_deregisters(tmp_path: Path) -> None:
    with Corepilot(moving({"old": "one"}), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        record.until("changed")
        corepilot.configure(moving({"new": "two"}))
        with looked_for(tmp_path / "one", tmp_path / "two") as found:
            assert corepilot.client("reload").returncode == 0
            eventually(lambda: seen(tmp_path / "one") == ())
        assert found == {("passing",)}
        assert corepilot.stop() == 0


def test_another_option_of_the_same_store_takes_nothing_out(tmp_path: Path) -> None:
    with Corepilot(moving({"one": "one"}), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        record.until("changed")
        with looked_for(tmp_path / "one") as found:
            corepilot.configure(moving({"other": "one"}, option=", shared: true"))
            assert "catalog other: added" in corepilot.client("reload").stdout
            eventually(lambda: corepilot.status()["services"][0]["in_sync"])
            eventually(lambda: corepilot.status()["watches"][0]["connected"])
            corepilot.configure(moving({"other": "one"}, option=", shared: false"))
            assert "options.shared: a value -> another value" in corepilot.client("plan").stdout
            assert "catalog other: changed" in corepilot.client("reload").stdout
            eventually(lambda: corepilot.status()["services"][0]["in_sync"])
            eventually(lambda: corepilot.status()["watches"][0]["connected"])
        assert found == {("passing",)}
        assert record.words == ["changed"]
        assert "a bug in" not in corepilot.output
        assert corepilot.stop() == 0


def test_a_catalog_that_refuses_everything_is_not_connected(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("a file in the place of a directory")
    watch = 'watches: [{name: "web", interval: 1, atStart: true}],'
    with Corepilot(catalogs("good", "bad", more=watch), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: seen(tmp_path / "good") == ("passing",))

        def refused() -> bool:
            return [(one["connected"], one["refused"]) for one in corepilot.status()["catalogs"]] == [
                (True, False),
                (False, True),
            ]

        eventually(refused)
        said = corepilot.client("status").stdout
        assert f"bad: embedded at {tmp_path}/bad (refuses what it is asked)" in said
        rows = [line for line in said.splitlines() if line.startswith("web-a ")]
        assert [row.split()[3:5] for row in rows] == [["good", "yes"], ["bad", "no"]]
        assert rows[0].split()[5:] == ["-"]
        assert f"cannot register web-a in the catalog {tmp_path}/bad" in rows[1]
        (row,) = [line for line in said.splitlines() if line.startswith("web ") and "cannot" in line]
        assert str(tmp_path / "bad") in row
        assert corepilot.stop() == 0
