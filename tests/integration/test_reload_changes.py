"""A reload changes only what changed: the rest keeps its processes, its registration and its memory."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import Record, config, shell
from running import Corepilot, alive


def pids(corepilot: Corepilot) -> dict[str, int | None]:
    return {job["name"]: job["pid"] for job in corepilot.status()["jobs"]}


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_only_the_changed_job_is_restarted_and_the_client_waits_for_it(tmp_path: Path) -> None:
    first = '{name: "a", exec: "sleep 1001"}, {name: "b", exec: "sleep 1002"}, {name: "c", exec: "sleep 1003"}'
    with Corepilot(config(first), tmp_path) as corepilot:
        corepilot.until_ready()
        before = pids(corepilot)
        corepilot.configure(config(first.replace("1002", "1022").replace('"c"', '"d"')))
        answer = corepilot.client("reload", "-o", "json")
        after = pids(corepilot)  # at once: the client has waited
        assert answer.returncode == 0, answer.stderr
        assert after["a"] == before["a"]
        assert after.keys() == {"a", "b", "d"}
        assert after["b"] not in {None, before["b"]}
        assert not alive(before["b"] or 0)
        assert not alive(before["c"] or 0)
        *changes, result = lines(answer)
        assert {(one["name"], one["kind"]) for one in changes} == {("b", "restarted"), ("d", "added"), ("c", "removed")}
        assert result["result"] == "done"
        assert corepilot.stop() == 0


def test_reactions_and_services_change_without_a_restart(tmp_path: Path) -> None:
    def text(more: str) -> str:
        job = f'{{name: "web", exec: "sleep 1000", port: 80, interfaces: ["static:127.0.0.1"], {more}}}'
        return config(job, 'discovery: {backend: "embedded", path: "%(dir)s/catalog"},').replace("consul: false, ", "")

    check = 'health: {exec: "true", interval: 1, ttl: 5}'
    with Corepilot(text(check), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: [one["in_sync"] for one in corepilot.status()["services"]] == [True])
        before = corepilot.job("web")
        corepilot.configure(text(f'{check}, tags: ["new"], restarts: 3, stopTimeout: 2'))
        assert "web: updated" in corepilot.client("reload").stdout
        after = corepilot.job("web")
        assert (after["pid"], after["starts"], after["health"]) == (before["pid"], 1, "healthy")
        record = next((tmp_path / "catalog").rglob("web-*"))
        eventually(lambda: '"new"' in record.read_text())
        corepilot.configure(text(f'{check}, tags: ["new"], restarts: 3, stopTimeout: 2'))
        assert "nothing has changed" in corepilot.client("reload").stdout + corepilot.output
        assert corepilot.job("web")["pid"] == before["pid"]
        assert corepilot.stop() == 0


def test_a_new_job_hears_what_holds_and_no_old_edge(tmp_path: Path) -> None:
    old = f'{{name: "done", exec: {shell("note done")}}}, {{name: "stay", exec: "sleep 1000"}}'
    new = ", ".join(
        f'{{name: "{name}", exec: {shell(f"note {name}")}, when: {{source: "{source}", {kind}: "{code}"}}}}'
        for name, source, kind, code in (
            ("once", "done", "once", "exitSuccess"),
            ("each", "done", "each", "exitSuccess"),
            ("stopped", "done", "once", "stopped"),
            ("stopping", "done", "once", "stopping"),
            ("maintained", "global", "once", "enterMaintenance"),
        )
    )
    with Corepilot(config(old), tmp_path) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        eventually(lambda: corepilot.job("done")["state"] == "complete")
        assert corepilot.client("maintenance", "enable").returncode == 0
        corepilot.configure(config(f"{old}, {new}"))
        assert corepilot.client("reload").returncode == 0
        record.until("maintained")
        record.until("stopped")
        assert sorted(record.words) == ["done", "each", "maintained", "once", "stopped"]
        assert corepilot.status()["maintenance"] is True
        assert corepilot.stop() == 0


def test_what_was_stopped_by_hand_and_maintenance_survive_all_but_a_reload_of_everything(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: "sleep 1001"}, {name: "b", exec: "sleep 1002"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("stop", "a").returncode == 0
        assert corepilot.client("maintenance", "enable").returncode == 0
        before = pids(corepilot)
        corepilot.configure(config(jobs.replace("1001", "1011")))
        assert corepilot.client("reload").returncode == 0
        assert corepilot.client("reload", "--all").returncode == 0
        assert corepilot.job("a")["state"] == "stopped"
        assert corepilot.job("b")["pid"] not in {None, before["b"]}
        assert corepilot.job("b")["health"] == "maintenance"
        assert corepilot.client("start", "a").returncode == 0
        command = Path(f"/proc/{corepilot.job('a')['pid']}/cmdline").read_bytes()
        assert command == b"sleep\x001011\x00"  # under the configuration of now
        assert corepilot.client("stop", "a").returncode == 0
        corepilot.reload_everything()
        eventually(lambda: corepilot.job("a")["state"] == "running")
        assert corepilot.job("a")["health"] == "unknown"
        assert corepilot.stop() == 0


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('telemetry: {port: PORT, interfaces: ["static:127.0.0.1"]},', "telemetry"),
        ('logging: {output: "/nowhere/at/all.log"},', "logging.output"),
        ('control: {socket: "/nowhere/at/all.socket"},', "/nowhere/at/all.socket"),
    ],
)
def test_what_cannot_be_had_refuses_the_reload_and_nothing_is_touched(tmp_path: Path, more: str, place: str) -> None:
    jobs = '{name: "a", exec: "sleep 1001"}'
    with Corepilot(config(jobs), tmp_path) as corepilot, closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        corepilot.until_ready()
        before = corepilot.job("a")
        text = config(jobs.replace("1001", "1002"), more.replace("PORT", str(taken.getsockname()[1])))
        if more.startswith("control"):
            text = text.replace('control: {socket: "%(dir)s/control.socket"}, ', "")
        corepilot.configure(text)
        answer = corepilot.client("reload")
        assert answer.returncode == 1
        assert place in answer.stderr + answer.stdout
        after = corepilot.job("a")
        assert (after["pid"], after["starts"]) == (before["pid"], before["starts"])
        assert corepilot.process.poll() is None
        assert corepilot.stop() == 0


def test_telemetry_comes_and_goes_and_metrics_that_stay_keep_their_values(tmp_path: Path) -> None:
    def text(metrics: str) -> str:
        names = ", ".join(f'{{name: "{name}", help: "h", type: "counter"}}' for name in metrics)
        telemetry = f'telemetry: {{port: 0, interfaces: ["static:127.0.0.1"], metrics: [{names}]}},' if metrics else ""
        return config('{name: "a", exec: "sleep 1001"}', telemetry)

    with Corepilot(text(""), tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("a")["pid"]
        for metrics in ("ab", "bc", "", "b"):
            corepilot.configure(text(metrics))
            assert corepilot.client("reload").returncode == 0, corepilot.output
            names = {job["name"] for job in corepilot.status()["jobs"]}
            assert ("containerpilot" in names) == bool(metrics)
            for name in "abc":
                assert (corepilot.client("metric", f"{name}=1").returncode == 0) == (name in metrics)
        assert corepilot.job("a")["pid"] == pid
        assert corepilot.stop() == 0


def test_plan_says_what_a_reload_would_do_and_does_nothing(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: "sleep 1001"}, {name: "b", exec: ["curl", "--token", "canary1"], when: {}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        before = pids(corepilot)
        nothing = corepilot.client("plan")
        assert nothing.returncode == 0, nothing.stdout + nothing.stderr
        corepilot.configure(config(jobs.replace("1001", "1002").replace("canary1", "canary2")))
        planned = corepilot.client("plan")
        assert planned.returncode == 3
        assert "1001" in planned.stdout
        assert "1002" in planned.stdout
        assert "canary" not in planned.stdout
        document = json.loads(corepilot.client("plan", "-o", "json").stdout)
        assert "canary" not in json.dumps(document)
        other = tmp_path / "other.json5"
        other.write_text(corepilot.file.read_text().replace('"a"', '"z"'))
        assert "z" in corepilot.client("plan", str(other)).stdout
        corepilot.file.write_text("{")
        assert corepilot.client("plan").returncode == 1
        assert pids(corepilot) == before
        assert corepilot.stop() == 0


def test_reloads_that_wait_are_one_and_everybody_gets_its_result(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: "sleep 1001"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        with ThreadPoolExecutor(6) as clients:
            answers = list(clients.map(lambda _: corepilot.client("reload"), range(6)))
        assert [answer.returncode for answer in answers] == [0] * 6
        assert corepilot.output.count("reloading:") <= 6
        assert corepilot.job("a")["starts"] == 1
        assert corepilot.stop() == 0


def test_a_reload_whose_job_does_not_come_up_says_so(tmp_path: Path) -> None:
    with Corepilot(config('{name: "a", exec: "sleep 1001"}, {name: "b", exec: "sleep 1"}'), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.configure(config('{name: "a", exec: "/no/such/program"}, {name: "b", exec: "sleep 1000"}'))
        answer = corepilot.client("reload")
        assert answer.returncode == 3, answer.stdout
        assert "did not come up: a" in answer.stdout + answer.stderr
        assert corepilot.job("b")["state"] == "running"
        assert corepilot.stop() == 0


def test_a_job_whose_last_run_has_succeeded_has_come_up_while_the_next_one_waits(tmp_path: Path) -> None:
    with Corepilot(config('{name: "b", exec: "sleep 1000"}'), tmp_path) as corepilot:
        corepilot.until_ready()
        poll = '{name: "poll", exec: "true", restarts: {delay: "1m", maxDelay: "1m"}}'
        corepilot.configure(config(f'{{name: "b", exec: "sleep 1000"}}, {poll}'))
        answer = corepilot.client("reload")
        assert (answer.returncode, answer.stderr) == (0, "")
        eventually(lambda: corepilot.job("poll")["state"] == "backoff")
        assert corepilot.stop() == 0


def test_a_stop_during_a_reload_takes_as_long_as_without_it(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "app", exec: {shell("trap 'note term; exit 0' TERM; note up; while :; do sleep 0.02; done")}}},
        {{name: "pre", exec: {shell("sleep 2; note pre")}, when: {{source: "app", once: "stopping"}}}},
        {{name: "post", exec: {shell("note post")}, when: {{source: "app", once: "stopped"}}}}
    """
    with Corepilot(config(jobs, "stopTimeout: 1,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        corepilot.until_ready()
        corepilot.reload_everything()
        corepilot.until("reloading")
        assert corepilot.stop() == 0
        assert record.words == ["up", "pre", "term", "post"]
        assert "SIGKILL" not in corepilot.output
