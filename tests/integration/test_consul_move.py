"""A move away from a real Consul agent: the short form `consul` becomes one entry of a map, under another name."""

from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.consul import ConsulServer
from servers.etcd import EtcdServer

JOB = (
    '{name: "web", exec: "sleep 1000", port: 80, interfaces: ["static:127.0.0.1"], instance: "a", '
    'health: {exec: "true", interval: 1, ttl: 10}}'
)
SAW = ", ".join(
    [
        f"{{name: 'saw-{event}', exec: {shell('note ' + event)}, when: {{source: 'watch.web', each: '{event}'}}}}"
        for event in ("changed", "unhealthy")
    ]
)


def text(catalogs: str, jobs: str) -> str:
    watch = 'watches: [{name: "web", interval: 1, atStart: true}],'
    return config(jobs, f"{catalogs}, {watch}").replace("consul: false, ", "")


def test_nobody_who_watches_sees_anything(consul: ConsulServer, etcd: EtcdServer, tmp_path: Path) -> None:
    short = f'consul: "{consul.address}"'
    same = f'discovery: {{consul: {{address: "{consul.address}"}}}}'
    other = f'{{backend: "etcd", endpoints: ["{etcd.endpoints[0]}"]}}'
    renamed = f'discovery: {{old: {{backend: "consul", address: "http://{consul.address}"}}, etcd: {other}}}'
    for name in ("mover", "watcher"):
        (tmp_path / name).mkdir()
    with (
        Corepilot(text(short, f"{JOB}, {SAW}"), tmp_path / "mover") as mover,
        Corepilot(text(short, f'{{name: "up", exec: "sleep 1000"}}, {SAW}'), tmp_path / "watcher") as watcher,
    ):
        records = [Record(one) for one in (mover, watcher)]
        for record in records:
            record.until("changed")
        mover.configure(text(same, f"{JOB}, {SAW}"))
        assert "catalog" not in mover.client("plan").stdout
        assert mover.client("reload").returncode == 0
        mover.configure(text(renamed, f"{JOB}, {SAW}"))
        assert mover.client("reload").returncode == 0
        eventually(lambda: [one["in_sync"] for one in mover.status()["services"]] == [True, True])
        eventually(lambda: mover.status()["watches"][0]["connected"])
        mover.configure(text(f"discovery: {{etcd: {other}}}", f"{JOB}, {SAW}"))
        watching = text(f'discovery: {{old: {{backend: "consul", address: "{consul.address}"}}, etcd: {other}}}', SAW)
        watcher.configure(watching)
        assert watcher.client("reload").returncode == 0
        eventually(lambda: watcher.status()["watches"][0]["connected"])
        assert mover.client("reload").returncode == 0
        eventually(lambda: "web-a" not in consul.get("/v1/agent/services"))
        eventually(lambda: watcher.status()["watches"][0]["passing"] == 1)
        for record in records:
            assert record.words == ["changed"], record.corepilot.output
            assert "a bug in" not in record.corepilot.output
        assert watcher.stop() == mover.stop() == 0
