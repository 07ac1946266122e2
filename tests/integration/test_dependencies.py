"""Jobs that depend on others, and jobs that start one another, as real processes."""

from pathlib import Path

import pytest
from eventually import eventually
from recording import shell
from running import Corepilot

STACK = f"""{{
    discovery: false, control: {{socket: "%(dir)s/control.socket"}}, stopTimeout: 5,
    jobs: [
      {{name: "app", dependsOn: {{db: "healthy", migrate: "completed"}},
        exec: {shell("trap 'sleep 0.2; echo -app >> order; exit' TERM; echo app >> order; sleep 99 & wait")}}},
      {{name: "migrate", exec: {shell("echo migrate >> order; test -e migrated && exit 0; touch migrated; exit 9")},
        dependsOn: {{db: "healthy"}}, restarts: {{on: "failure", limit: 2, delay: "50ms"}}}},
      {{name: "db", exec: {shell("trap 'echo -db >> order; exit' TERM; echo db >> order; sleep 99 & wait")},
        health: {{exec: {shell("test -e up")}, interval: 1, ttl: 5}}}},
      {{name: "told", exec: {shell("echo told >> order")}, when: {{source: "app", once: "started"}}}},
    ],
}}"""


def test_a_stack_starts_in_order_and_stops_in_the_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    with Corepilot(STACK, tmp_path) as corepilot:
        corepilot.until("waiting for db to be healthy, migrate to be completed")
        eventually(order.exists)
        assert order.read_text().split() == ["db"]
        assert corepilot.job("app")["waits_for"] == ["db to be healthy", "migrate to be completed"]
        assert "standby (db to be healthy, migrate to be completed)" in corepilot.client("status", "app").stdout
        (tmp_path / "up").touch()
        eventually(lambda: {"app", "told"} <= set(order.read_text().split()))
        assert order.read_text().split()[:3] == ["db", "migrate", "migrate"]
        assert corepilot.client("shutdown").returncode == 0
        assert corepilot.wait() == 0
    assert order.read_text().split()[5:] == ["-app", "-db"]


def test_a_dependency_that_fails_for_good_ends_corepilot_with_its_status(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [
      { name: "app", exec: "sleep 99", dependsOn: { migrate: "completed" } },
      { name: "migrate", exec: ["sh", "-c", "exit 9"], restarts: { on: "failure", limit: 1 } } ] }"""
    with Corepilot(text, tmp_path) as corepilot:
        assert corepilot.wait() == 9
        told = "cannot start any more: it depends on migrate to be completed, which cannot come true any more"
        assert told in corepilot.output
        assert "by hand: corepilot start migrate" in corepilot.output


def test_a_program_that_is_not_there_has_not_been_started(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [
      { name: "app", exec: ["sh", "-c", "touch ran"], dependsOn: ["db"] },
      { name: "db", exec: "/no/such/program" } ] }"""
    with Corepilot(text, tmp_path) as corepilot:
        assert corepilot.wait() == 127
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("statuses", "status"), [("[0, 3]", 0), ("[0]", 3), ("[4]", 3)])
def test_the_statuses_of_a_success_decide_the_exit_status(tmp_path: Path, statuses: str, status: int) -> None:
    text = f"""{{ discovery: false, jobs: [
      {{ name: "app", exec: ["sh", "-c", "exit 3"], successStatuses: {statuses}, exitOn: "end" }},
      {{ name: "web", exec: "sleep 99" }} ] }}"""
    with Corepilot(text, tmp_path) as corepilot:
        assert corepilot.wait() == status
        assert ("exited with error" in corepilot.output) == (status != 0)


def test_a_reload_brings_a_job_that_finds_what_holds(tmp_path: Path) -> None:
    start = """{ discovery: false, control: { socket: "%(dir)s/control.socket" }, jobs: [
      { name: "db", exec: "sleep 99", health: { exec: "true", interval: 1, ttl: 5 } }"""
    with Corepilot(start + "] }", tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("wait", "db", "--for", "healthy").returncode == 0
        corepilot.configure(start + ', { name: "app", exec: "sleep 99", dependsOn: { db: "healthy" } } ] }')
        assert "app" in corepilot.client("plan", str(corepilot.file)).stdout
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: corepilot.job("app")["state"] == "running")
        pid = corepilot.job("app")["pid"]
        corepilot.configure(start + ', { name: "app", exec: "sleep 99", dependsOn: ["db"] } ] }')
        plan = corepilot.client("plan", str(corepilot.file)).stdout
        assert "depends_on" in plan
        assert "keeps its process" in plan
        assert corepilot.client("reload").returncode == 0
        assert corepilot.job("app")["pid"] == pid


def test_a_bound_job_is_ended_with_its_dependency_and_begins_again(tmp_path: Path) -> None:
    text = """{ discovery: false, control: { socket: "%(dir)s/control.socket" }, jobs: [
      { name: "app", exec: "sleep 99", bindsTo: ["db"] },
      { name: "db", exec: "sleep 98", restarts: { on: "failure" } } ] }"""
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("app")["state"] == "running")
        before = corepilot.job("app")["pid"]
        assert corepilot.client("signal", "KILL", "db").returncode == 0
        corepilot.until("ending the job: db is no longer started")
        eventually(lambda: corepilot.job("app")["pid"] not in {before, None})
        assert corepilot.client("stop", "db").returncode == 0
        eventually(lambda: corepilot.job("app")["state"] == "standby")
        assert corepilot.client("start", "db").returncode == 0
        eventually(lambda: corepilot.job("app")["state"] == "running")


def test_two_jobs_that_start_one_another_do_not_spin(tmp_path: Path) -> None:
    text = """{ discovery: false, control: { socket: "%(dir)s/control.socket" }, jobs: [
      { name: "first", exec: "true" },
      { name: "ping", exec: "true", when: { source: "pong", each: "exitSuccess" } },
      { name: "pong", exec: "true", when: { source: "ping", each: "exitSuccess" } },
      { name: "pong", exec: "true", when: { source: "first", once: "exitSuccess" } },
      { name: "tick", exec: "echo tick", when: { interval: "100ms" } } ] }"""
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until("tick", count=20)
        before = corepilot.job("ping")["starts"], corepilot.output.count("tick")
        corepilot.until("tick", count=before[1] + 20)
        starts, ticks = corepilot.job("ping")["starts"] - before[0], corepilot.output.count("tick") - before[1]
        assert 0 < starts <= ticks + 5, "more than the ten a second that the clock of another job shows"
