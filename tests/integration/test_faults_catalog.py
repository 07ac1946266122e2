"""A whole corepilot beside a Consul agent that is away, stands still, or remembers what is no longer true."""

import os
import signal
from pathlib import Path
from typing import Any

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.consul import ConsulServer

HOST = "host-a"
ID = f"app-{HOST}"


def text(consul: ConsulServer, *, address: str = "192.0.2.7", ttl: int = 10, more: str = "") -> str:
    """A job with a service, a job that beats, and a watch on the service whose events are noted."""
    jobs = f"""{{name: "app", instance: "{HOST}", exec: "sleep 1000", port: 8000, interfaces: "static:{address}",
            health: {{exec: {shell("note check")}, interval: 1, ttl: {ttl}}}}},
        {{name: "beat", exec: {shell("note beat")}, when: {{interval: "100ms"}}}}"""
    for event in ("changed", "healthy", "unhealthy"):
        watched = f'when: {{source: "watch.app", each: "{event}"}}'
        jobs += f', {{name: "{event}", exec: {shell(f"note {event}")}, {watched}}}'
    watches = 'watches: [{name: "app", interval: 1}],'
    return config(jobs, watches + more).replace("consul: false", f'consul: "{consul.address}"')


def status(consul: ConsulServer) -> str:
    found = consul.get("/v1/agent/checks").get(f"service:{ID}")
    return found["Status"] if found else "none"


def goes_on(record: Record) -> None:
    record.until("beat", record.count("beat") + 3)
    assert record.corepilot.client("ping").returncode == 0


def heard(record: Record) -> list[str]:
    return [word for word in record.words if word not in {"beat", "check"}]


def test_an_agent_that_is_away_at_the_start_is_registered_with_when_it_comes(
    tmp_path: Path, consul: ConsulServer
) -> None:
    consul.kill()
    with Corepilot(text(consul), tmp_path) as corepilot:
        record = Record(corepilot)
        goes_on(record)
        pid = corepilot.job("app")["pid"]
        consul.start()
        eventually(lambda: status(consul) == "passing", 20)
        record.until("healthy", deadline_s=20)
        assert heard(record).count("unhealthy") == 0
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_an_agent_that_stands_still_changes_nothing_and_is_used_again(tmp_path: Path, consul: ConsulServer) -> None:
    with Corepilot(text(consul), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        before, pid = heard(record), corepilot.job("app")["pid"]
        consul.pause()
        record.until("check", record.count("check") + 1)
        goes_on(record)
        consul.resume()
        eventually(lambda: corepilot.status()["services"][0]["in_sync"])
        record.until("check", record.count("check") + 1)
        assert status(consul) == "passing"
        assert heard(record) == before
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_supervisor_that_stood_still_for_longer_than_its_ttl_is_passing_again(
    tmp_path: Path, consul: ConsulServer
) -> None:
    with Corepilot(text(consul, ttl=1), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("healthy")
        pids = corepilot.supervisor, corepilot.job("app")["pid"]
        os.kill(pids[0], signal.SIGSTOP)
        eventually(lambda: status(consul) == "critical")
        os.kill(pids[0], signal.SIGCONT)
        eventually(lambda: status(consul) == "passing")
        goes_on(record)
        assert (corepilot.supervisor, corepilot.job("app")["pid"]) == pids
        assert corepilot.stop() == 0


def test_what_a_killed_corepilot_left_registered_is_replaced_by_its_successor(
    tmp_path: Path, consul: ConsulServer
) -> None:
    def addresses() -> list[Any]:
        return [one["Service"]["Address"] for one in consul.get("/v1/health/service/app?passing=1")]

    with Corepilot(text(consul, address="192.0.2.7"), tmp_path) as corepilot:
        eventually(lambda: addresses() == ["192.0.2.7"])
        os.kill(corepilot.supervisor, signal.SIGKILL)
        assert corepilot.wait() == 70
    assert addresses() == ["192.0.2.7"], "nobody has taken it out"
    with Corepilot(text(consul, address="192.0.2.8"), tmp_path) as corepilot:
        eventually(lambda: addresses() == ["192.0.2.8"])
        assert corepilot.stop() == 0
    assert addresses() == []


def test_two_of_one_name_do_not_keep_each_other_alive(tmp_path: Path, consul: ConsulServer) -> None:
    """hashicorp/consul#19689: one record per agent and id, whose last registration wins."""

    def passing() -> list[Any]:
        return [one["Service"]["Address"] for one in consul.get("/v1/health/service/app?passing=1")]

    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with Corepilot(text(consul, address="192.0.2.7", ttl=2), folders[0]) as first:
        eventually(lambda: passing() == ["192.0.2.7"])
        with Corepilot(text(consul, address="192.0.2.8", ttl=2), folders[1]) as second:
            first.until("the agent holds 192.0.2.8:8000 under this id, and not 192.0.2.7:8000")
            assert "give each an `instance` of its own" in first.output
            assert passing() == ["192.0.2.8"]
            os.kill(second.supervisor, signal.SIGKILL)
            assert second.wait() == 70
        # Nobody reports on the dead one: when its TTL is over, the living one has the id.
        eventually(lambda: passing() == ["192.0.2.7"])
        with Corepilot(text(consul, address="192.0.2.8"), folders[1]) as second:
            eventually(lambda: first.status()["services"][0]["last_error"])
            assert first.stop() == 0
            assert passing() == ["192.0.2.8"], "what is not ours is not taken out"
            assert second.stop() == 0
