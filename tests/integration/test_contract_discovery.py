"""What a Consul agent sees of a running corepilot (ContainerPilot contract, section 7; maintenance of 4.5)."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import Record, config, shell
from running import Corepilot
from servers.consul import ConsulServer

HOST = socket.gethostname()
ID = f"app-{HOST}"
CHECK = f"service:{ID}"


def service(
    more: str = "", *, name: str = "app", check: str = '["test", "-e", "%(dir)s/healthy"]', ttl: int = 5
) -> str:
    return f"""{{name: "{name}", exec: "sleep 1000", port: 8000, interfaces: "static:192.0.2.7", {more}
        health: {{exec: {check}, interval: 1, ttl: {ttl}}}}}"""


def text(consul: ConsulServer, jobs: str, more: str = "") -> str:
    return config(jobs, more).replace("consul: false", f'consul: "{consul.address}"')


def services(consul: ConsulServer) -> dict[str, Any]:
    found: dict[str, Any] = consul.get("/v1/agent/services")
    return found


def status(consul: ConsulServer, check: str = CHECK) -> str:
    found = consul.get("/v1/agent/checks").get(check)
    return found["Status"] if found else "none"


def test_the_life_of_a_registration(tmp_path: Path, consul: ConsulServer) -> None:
    more = """tags: ["one", "two"], consul: {enableTagOverride: true, deregisterCriticalServiceAfter: "10m"},"""
    with Corepilot(text(consul, service(more)), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("app")["health"] == "unhealthy")
        assert services(consul) == {}, "nothing is registered before the first pass"
        (tmp_path / "healthy").touch()
        eventually(lambda: status(consul) == "passing")
        (found,) = services(consul).values()
        assert (found["ID"], found["Service"], found["Port"], found["Address"]) == (ID, "app", 8000, "192.0.2.7")
        assert found["Tags"] == ["one", "two"]
        assert found["EnableTagOverride"] is True
        check = consul.get("/v1/agent/checks")[CHECK]
        assert check["Notes"] == "TTL for app set by containerpilot"
        eventually(lambda: consul.get("/v1/agent/checks")[CHECK]["Output"] == "ok")
        assert check["Type"] == "ttl"
        # A failing check is critical at once, and passes again with the next pass.
        (tmp_path / "healthy").unlink()
        eventually(lambda: status(consul) == "critical", 3)
        (tmp_path / "healthy").touch()
        eventually(lambda: status(consul) == "passing", 3)
        # Maintenance takes it out; afterwards it comes back.
        corepilot.client("maintenance", "enable")
        eventually(lambda: services(consul) == {})
        corepilot.client("maintenance", "disable")
        eventually(lambda: status(consul) == "passing")
        # Somebody takes it out: the next heartbeat puts it back.
        consul.put(f"/v1/agent/service/deregister/{ID}")
        eventually(lambda: status(consul) == "passing")
        assert corepilot.stop() == 0
        assert services(consul) == {}


def test_an_agent_that_lost_everything_gets_it_back(tmp_path: Path, consul: ConsulServer) -> None:
    with Corepilot(text(consul, service(check='"true"', ttl=20)), tmp_path) as corepilot:
        eventually(lambda: status(consul) == "passing")
        consul.restart()
        eventually(lambda: status(consul) == "passing", 15)
        assert corepilot.stop() == 0


@pytest.mark.parametrize("initial", ["passing", "warning", "critical"])
def test_an_initial_status_registers_at_once_even_if_the_job_never_starts(
    tmp_path: Path, consul: ConsulServer, initial: str
) -> None:
    more = f'initial_status: "{initial}", when: {{source: "nobody", once: "healthy"}},'
    waiting = service(more, ttl=60) + ', {name: "stay", exec: "sleep 1000"}'
    with Corepilot(text(consul, waiting), tmp_path) as corepilot:
        eventually(lambda: status(consul) == initial)
        assert corepilot.job("app")["starts"] == 0
        assert corepilot.stop() == 0
        assert services(consul) == {}


def test_heartbeats_without_a_check_and_a_job_that_ends(tmp_path: Path, consul: ConsulServer) -> None:
    jobs = f"""
        {{name: "beat", exec: "sleep 1000", port: 1, interfaces: "static:192.0.2.8", health: {{interval: 1, ttl: 3}}}},
        {{name: "no-exec", port: 2, interfaces: "static:192.0.2.8", health: {{interval: 1, ttl: 3}}}},
        {{name: "short", exec: "sleep 2.5", port: 3, interfaces: "static:192.0.2.8", health: {{interval: 1, ttl: 3}}}},
        {{name: "gone", exec: {shell("note gone")}, when: {{source: "short", once: "stopped"}}}},
    """
    with Corepilot(text(consul, jobs), tmp_path) as corepilot:
        names = [f"{name}-{HOST}" for name in ("beat", "no-exec", "short")]
        eventually(lambda: [status(consul, f"service:{one}") for one in names] == ["passing"] * 3)
        Record(corepilot).until("gone")
        eventually(lambda: sorted(services(consul)) == sorted(names[:2]))
        assert corepilot.stop() == 0


def test_a_reload_registers_what_the_new_file_says(tmp_path: Path, consul: ConsulServer) -> None:
    with Corepilot(text(consul, service(check='"true"')), tmp_path) as corepilot:
        eventually(lambda: status(consul) == "passing")
        corepilot.configure(
            text(consul, service('tags: ["new"],', check='"true"') + "," + service(name="more", check='"true"'))
        )
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: set(services(consul)) == {ID, f"more-{HOST}"})
        eventually(lambda: services(consul)[ID]["Tags"] == ["new"])
        assert corepilot.stop() == 0
        assert services(consul) == {}


# ----------------------------------------------------------------------------------------------------------- watches
def put(
    consul: ConsulServer, name: str, port: int, number: int = 1, tags: tuple[str, ...] = (), *, ok: bool = True
) -> None:
    body = {
        "ID": f"{name}-{number}", "Name": name, "Port": port, "Address": "192.0.2.9", "Tags": list(tags),
        "Check": {"TTL": "600s"},
    }  # fmt: skip
    consul.put("/v1/agent/service/register", body)
    # An agent that knows the id keeps the status the check had.
    state = "passing" if ok else "critical"
    consul.put(f"/v1/agent/check/update/service:{name}-{number}", {"Status": state})


def test_the_events_of_watches(tmp_path: Path, consul: ConsulServer) -> None:
    words = ("changed", "healthy", "unhealthy")
    jobs = ", ".join(
        f"""{{name: "{watch}-{word}", exec: {shell(f"note {watch}-{word}")},
            when: {{source: "watch.{watch}", each: "{word}"}}}}"""
        for watch in ("db", "other")
        for word in words
    )
    more = 'watches: [{name: "db", interval: 1, tag: "blue"}, {name: "other", interval: 1}],'
    with Corepilot(text(consul, jobs, more), tmp_path) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        put(consul, "other", 1)
        record.until("other-healthy")
        # Absent at the start is no event; the wrong tag is nobody; a critical instance is nobody.
        put(consul, "db", 1, tags=("green",))
        put(consul, "db", 2, 2, tags=("blue",), ok=False)
        put(consul, "other", 2)
        record.until("other-changed", 2)
        record.until("other-healthy", 2)
        assert [word for word in record.words if word.startswith("db")] == []
        put(consul, "db", 2, 2, tags=("blue",))
        record.until("db-healthy")
        record.until("db-changed")  # another job's word: either may be the first
        put(consul, "db", 2, 2, tags=("blue", "more"))  # tags alone are no change
        put(consul, "db", 3, 3, tags=("blue",))
        record.until("db-healthy", 2)
        record.until("db-changed", 2)
        found = json.loads(corepilot.client("instances", "db", "-o", "json").stdout)
        assert sorted(one["port"] for one in found) == [2, 3]
        for number in (2, 3):
            consul.put(f"/v1/agent/service/deregister/db-{number}")
        record.until("db-unhealthy")
        record.until("db-changed", 3)
        db = [word.removeprefix("db-") for word in record.words if word.startswith("db")]
        assert sorted(db[:2]) == sorted(db[2:4]) == ["changed", "healthy"]
        assert db.count("unhealthy") == 1
        assert db.count("changed") in {3, 4}  # one of two may be seen gone first
        assert corepilot.stop() == 0


def test_two_watches_of_one_name_are_apart(tmp_path: Path, consul: ConsulServer) -> None:
    put(consul, "db", 1, 1, tags=("blue",))
    put(consul, "db", 2, 2, tags=("green",))
    jobs = f"""{{name: "c", exec: {shell("note changed")}, when: {{source: "watch.db", each: "changed"}}}},
        {{name: "beat", exec: {shell("note beat")}, when: {{interval: "250ms"}}}}"""
    more = 'watches: [{name: "db", interval: 1, tag: "blue"}, {name: "db", interval: 1, tag: "green"}],'
    with Corepilot(text(consul, jobs, more), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("changed", 2)
        record.until("beat", record.count("beat") + 12)
        assert record.count("changed") == 2
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
