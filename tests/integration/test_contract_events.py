"""The order of events and the debug log's probes (ContainerPilot contract, sections 5 and 6)."""

import json
import re
import signal
from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot

DEBUG = 'logging: {level: "DEBUG"},'


def events(corepilot: Corepilot) -> list[str]:
    """All but `started` and `ready`, which ContainerPilot does not have."""
    found = re.findall(r"event: \{(.*?)\}", corepilot.output)
    return [event for event in found if not event.startswith(("Started ", "Ready "))]


def without_ticks(corepilot: Corepilot) -> list[str]:
    return [event for event in events(corepilot) if "check." not in event and not event.startswith("Status")]


def test_the_life_of_two_jobs_in_events(tmp_path: Path) -> None:
    jobs = """
        {name: "good", exec: "true"},
        {name: "bad", exec: ["sh", "-c", "exit 3"], when: {source: "good", once: "stopped"}},
        {name: "none", exec: "/no/such/program", when: {source: "bad", once: "stopped"}},
    """
    with Corepilot(config(jobs, DEBUG), tmp_path) as corepilot:
        assert corepilot.wait() == 3
        found = events(corepilot)
        assert found[:9] == [
            "Startup global", "ExitSuccess good", "Stopping good", "Stopped good", "ExitFailed bad",
            "Error bad: exit status 3", "Stopping bad", "Stopped bad", "ExitFailed none",
        ]  # fmt: skip
        assert found[9].startswith("Error none: ")
        assert found[10:] == ["Stopping none", "Stopped none"]


def test_a_stop_in_events(tmp_path: Path) -> None:
    jobs = f"""{{name: "app", exec: "sleep 1000"}},
        {{name: "pre", exec: {shell("note pre")}, when: {{source: "app", once: "stopping"}}}}"""
    with Corepilot(config(jobs, DEBUG), tmp_path) as corepilot:
        corepilot.until_ready()
        assert corepilot.stop() == 0
        assert events(corepilot) == [
            "Startup global", "Shutdown global", "Stopping app", "ExitSuccess pre", "Stopping pre", "Stopped pre",
            "ExitFailed app", "Error app: signal: terminated", "Stopped app",
        ]  # fmt: skip


def test_checks_maintenance_metrics_and_signals_in_events(tmp_path: Path) -> None:
    jobs = """
        {name: "app", exec: "sleep 1000", health: {exec: ["test", "-e", "%(dir)s/healthy"], interval: 1, ttl: 5}},
    """
    more = (
        DEBUG
        + """telemetry: {port: 0, interfaces: ["static:127.0.0.1"],
        metrics: [{name: "m", help: "h", type: "gauge"}]},"""
    )
    with Corepilot(config(jobs, more), tmp_path) as corepilot:
        corepilot.until("StatusUnhealthy app")
        failed = ["ExitFailed check.app", "Error check.app: exit status 1", "StatusUnhealthy app"]
        assert events(corepilot)[1:4] == failed
        (tmp_path / "healthy").touch()
        corepilot.until("StatusHealthy app")
        passed = ["ExitSuccess check.app", "StatusHealthy app"]
        assert events(corepilot)[-2:] == passed
        corepilot.client("maintenance", "enable")
        corepilot.client("metric", "m=1.5")
        corepilot.signal(signal.SIGHUP)
        corepilot.until("{Signal SIGHUP}")
        corepilot.client("maintenance", "disable")
        corepilot.until("{ExitMaintenance global}")
        found = without_ticks(corepilot)
        assert found == [
            "Startup global", "EnterMaintenance global", "Metric m|1.5", "Signal SIGHUP", "ExitMaintenance global",
        ]  # fmt: skip
        corepilot.reload_everything()
        eventually(lambda: events(corepilot).count("Startup global") == 2)
        assert "Shutdown global" in events(corepilot)


def test_the_other_probes_of_the_debug_log(tmp_path: Path) -> None:
    trap = "trap '' TERM; while :; do sleep 0.05; done"
    jobs = f"""
        {{name: "app", exec: {shell(trap)}, health: {{exec: "true", interval: 1, ttl: 5}}}},
        {{name: "tick", exec: "true", when: {{interval: "300ms"}}}},
        {{name: "late", exec: "true", when: {{source: "nobody", once: "healthy", timeout: "200ms"}}}},
    """
    more = DEBUG + 'consul: {address: "127.0.0.1:1", token: "s3cr3t-in-file"}, stopTimeout: 1,'
    text = config(jobs, more).replace("consul: false, ", "")
    variables = {"CONSUL_HTTP_TOKEN": "s3cr3t-in-variable", "APP_PASSWORD": "s3cr3t-of-app"}
    text = text.replace('exec: "true", when: {interval', 'exec: ["true", "{{ .APP_PASSWORD }}"], when: {interval')
    with Corepilot(text, tmp_path, environment=variables) as corepilot:
        for line in (
            "app.Run start", "check.app.Run start", "check.app.Run end", "timer: {TimerExpired app.heartbeat}",
            "timer: {TimerExpired tick.run-every}", "timer: {TimerExpired late.wait-timeout}",
            "event: {TimerExpired late}", "tick.Run end",
        ):  # fmt: skip
            corepilot.until(f" {line}\n")
        corepilot.stop()
        assert " app.Run term\n" in corepilot.output
        assert " app.Run kill\n" in corepilot.output
        shown = json.loads(corepilot.output.partition("loaded config: ")[2].partition("\n")[0])
        assert [job["name"] for job in shown["jobs"]] == ["app", "tick", "late"]
        assert "s3cr3t" not in corepilot.output


def test_info_shows_the_start_the_end_and_what_became_of_the_job(tmp_path: Path) -> None:
    with Corepilot(config('{name: "app", exec: "true"}'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        *between, last = corepilot.lines
        first = next(line for line in between if " runs " in line)
        told = [line.partition(" app: ")[2].partition(" (")[0] for line in between if line != first]
        assert told == ["started", "exited: exit status 0", "complete"]
        assert re.fullmatch(r"\S+ corepilot \S+ runs \S+: 1 job, .*", first)
        assert re.fullmatch(r"\S+ corepilot ends after \S+ s: every job has ended; no process had to be killed", last)


def test_every_subscriber_sees_one_order(tmp_path: Path) -> None:
    names = "abcdefgh"
    jobs = ", ".join(f'{{name: "{name}", exec: {shell(f"note {name}")}, when: {{source: "SIGHUP"}}}}' for name in names)
    jobs += f', {{name: "last", exec: {shell("note last")}, when: {{source: "h", each: "exitSuccess"}}}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        record = Record(corepilot)
        for count in range(1, 6):
            corepilot.signal(signal.SIGHUP)
            for name in (*names, "last"):
                record.until(name, count)
        assert len(record.words) == 45
