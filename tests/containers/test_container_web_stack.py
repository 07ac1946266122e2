"""examples/web-stack, unchanged: real servers as uid 1000 in a hardened container, and what befalls them.

The tests share one container; the last one ends it.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from containers.container import CHECKOUT, Container
from eventually import eventually

STACK = CHECKOUT / "examples" / "web-stack"
SERVERS = ("db", "redis", "app", "worker@1", "nginx")
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/none"))
DEADLINE_S = 60

pytestmark = pytest.mark.slow


class Stack(Container):
    """The container, and its application as its clients see it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            (STACK / "corepilot.json5").read_text(),
            directory,
            env={"APP": str(STACK), "POSTGRES": str(POSTGRES), "INTERFACE": "lo:inet"},
            user=1000,
            capabilities=(),
            readonly=True,
            no_new_privileges=True,
        )
        users = self.root / "etc" / "passwd"  # PostgreSQL refuses to serve a user without a name
        users.write_text(f"{users.read_text()}app:x:1000:1000::/tmp:/bin/sh\n")

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(job for job in self.status()["jobs"] if job["name"] == name)
        return found

    def is_up(self) -> bool:
        """Every server is ready, and every check passes."""
        jobs = {job["name"]: job for job in self.status()["jobs"]}
        return all(jobs[name]["state"] == "running" and jobs[name]["ready"] for name in (*SERVERS, "worker@2")) and all(
            jobs[name]["health"] == "healthy" for name in ("db", "redis", "app", "nginx")
        )

    def ask(self, path: str, *curl: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request to nginx; 0 without an answer."""
        answer = self.execute("curl", "-sS", "-m", "10", "-w", "%{http_code}", *curl, f"http://127.0.0.1:8080{path}")
        text, _, status = answer.stdout.rpartition("\n") if answer.returncode == 0 else ("", "", "0")
        return int(status), json.loads(text) if text.startswith("{") else {}

    def is_answered(self, path: str, answer: tuple[int, dict[str, Any]]) -> bool:
        return self.ask(path) == answer

    def kill(self, number: str, *pids: int) -> None:
        assert self.execute("kill", f"-{number}", *map(str, pids)).returncode == 0

    def logged(self, job: str) -> list[str]:
        """What a job has written, and what is said of it."""
        return [line["msg"] for line in self.records if line.get("job") == job]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The log; runc itself may write to the same place."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("web-stack") / "container") as started:
        eventually(started.is_up, DEADLINE_S, "everything is up", pause_s=0.1)
        yield started


def visited(stack: Stack) -> int:
    """A visit through nginx and gunicorn to PostgreSQL: how many there have been."""
    status, found = stack.ask("/visits")
    assert status == 200, (status, found)
    count: int = found["visits"]
    return count


def worked(stack: Stack, work: str, text: str) -> None:
    """Work goes through redis to a worker, and its result to PostgreSQL."""
    assert stack.ask(f"/work/{work}", "-d", text) == (202, {"job": work})
    done = (200, {"job": work, "length": len(text)})
    eventually(partial(stack.is_answered, f"/work/{work}", done), message=f"{work} is done", pause_s=0.05)


def test_each_part_begins_when_what_it_needs_is_there(stack: Stack) -> None:
    begun = [line["job"] for line in stack.records if line["msg"].startswith("started (pid")]
    assert [name for name in begun if name not in {"redis", "worker@1", "worker@2"}] == [
        *("cluster", "db", "migrate", "app", "nginx")
    ]
    assert stack.job("migrate")["state"] == stack.job("cluster")["state"] == "complete"
    assert "database system is ready to accept connections" in " ".join(stack.logged("db"))
    (service,) = stack.status()["services"]
    assert (service["service"], service["status"], service["in_sync"]) == ("nginx", "passing", True)


def test_requests_and_work_go_all_the_way(stack: Stack) -> None:
    assert visited(stack) + 1 == visited(stack)
    worked(stack, "greeting", "hello, world")
    answer = stack.execute("corepilot", "logs", "nginx", "-o", "json").stdout.splitlines()
    (line,) = [line for line in map(json.loads, answer) if "POST /work/greeting" in line["msg"]]
    assert json.loads(line["msg"])["status"] == 202
    assert stack.execute("grep", "-c", "POST /work/greeting", "/tmp/nginx.log").stdout == "1\n"


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_killed_comes_back_and_nothing_is_lost(stack: Stack, name: str) -> None:
    before, visits = stack.job(name), visited(stack)
    stack.kill("KILL", before["pid"])
    eventually(lambda: stack.job(name)["pid"] not in {before["pid"], None}, DEADLINE_S, f"{name} again", pause_s=0.1)
    eventually(stack.is_up, DEADLINE_S, "everything is up", pause_s=0.1)
    assert visited(stack) == visits + 1
    worked(stack, f"after-{name}", name)
    assert [line for line in stack.logged(name) if "killed" in line]


def test_work_that_a_killed_worker_had_begun_is_done(stack: Stack) -> None:
    db, names = stack.job("db")["pid"], ("begun-1", "begun-2")
    redis = ["redis-cli", "-s", "/tmp/redis.socket"]
    stack.kill("STOP", db)  # it accepts nobody, so no result can be written
    for name in names:
        assert stack.execute(*redis, "lpush", "work", json.dumps({"job": name, "text": "hello"})).returncode == 0
    eventually(lambda: stack.execute(*redis, "exists", *names).stdout == "2\n", message="both have begun", pause_s=0.05)
    killing = ("pkill", "-KILL", "-f", "worker.py")  # between two runs there may be none
    eventually(lambda: stack.execute(*killing).returncode == 0, message="a worker to kill", pause_s=0.05)
    stack.kill("CONT", db)
    for name in names:
        done = (200, {"job": name, "length": 5})
        eventually(partial(stack.is_answered, f"/work/{name}", done), DEADLINE_S, f"{name} is done", pause_s=0.1)
    eventually(stack.is_up, DEADLINE_S, "everything is up", pause_s=0.1)


def test_an_application_that_hangs_is_restarted_and_nobody_else(stack: Stack) -> None:
    before = {job["name"]: job["pid"] for job in stack.status()["jobs"]}
    stack.kill("STOP", before["app"], *stack.children(before["app"]))
    eventually(lambda: stack.job("app")["pid"] not in {before["app"], None}, DEADLINE_S, "app again", pause_s=0.1)
    eventually(stack.is_up, DEADLINE_S, "everything is up", pause_s=0.1)
    assert "ending the job: check.app.live fails: timeout after 2 s" in stack.logged("app")
    visited(stack)
    after = {job["name"]: job["pid"] for job in stack.status()["jobs"]}
    assert {name for name, pid in before.items() if after[name] != pid} == {"app"}


def test_a_reload_of_each_server_refuses_no_request(stack: Stack) -> None:
    pids = {name: stack.job(name)["pid"] for name in ("app", "nginx")}
    for name in pids:
        assert stack.execute("corepilot", "reload-job", name).returncode == 0
        visited(stack)
    assert {name: stack.job(name)["pid"] for name in pids} == pids


def test_a_stop_goes_backwards_and_the_database_is_shut_down(stack: Stack) -> None:
    assert stack.stop() == 0
    lines = stack.records
    assert lines[-1]["msg"].endswith("no process had to be killed")
    stop = [line["msg"] for line in lines].index("stopping: SIGTERM")
    told = [(line.get("job"), line["msg"]) for line in lines[stop:]]
    order = [str(name) for name, text in told if text == "exited: exit status 0"]
    assert sorted(order) == sorted((*SERVERS, "worker@2"))
    assert order.index("nginx") < order.index("app") < min(order.index("db"), order.index("redis"))
    assert max(order.index("worker@1"), order.index("worker@2")) < min(order.index("db"), order.index("redis"))
    assert told.index(("nginx", "out of the catalog; goes on for 1 s")) < told.index(("nginx", "exited: exit status 0"))
    assert [text for name, text in told if name == "db" and text.endswith("LOG:  database system is shut down")]
