"""Jobs that end at once, let go of their output, or cannot be started, and a stop in the middle of everything."""

import os
import signal
from functools import partial
from pathlib import Path

from eventually import eventually
from recording import Record, config, shell
from running import Corepilot

LASTS = '{name: "lasts", exec: "sleep 1000"}'
HARMLESS = {"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "WINCH"}
DEADLY = [number for number in signal.Signals if number.name[3:] not in HARMLESS and number < signal.SIGRTMIN]


def pipes(pid: int) -> list[str]:
    """The pipes that a process has open."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith("pipe:")]


def test_no_status_is_lost_or_mixed_up_when_hundreds_of_jobs_end_at_once(tmp_path: Path) -> None:
    scripts = {f"exit {code}": code for code in range(256)} | {f"kill -{n:d} $$": 128 + n for n in DEADLY}
    jobs = ", ".join(f'{{name: "{script}", exec: ["sh", "-c", "{script}"]}}' for script in scripts)
    with Corepilot(config(f"{LASTS}, {jobs}"), tmp_path) as corepilot:
        corepilot.until_ready()

        def statuses() -> dict[str, int]:
            states = [job for job in corepilot.status()["jobs"] if job["state"] == "complete"]
            return {job["name"]: job["last_status"] for job in states}

        eventually(lambda: len(statuses()) == len(scripts), message="the end of every job")
        assert statuses() == scripts


def test_a_job_that_closes_its_output_runs_on_and_its_pipe_is_let_go(tmp_path: Path) -> None:
    script = "while ! test -e %(dir)s/close; do sleep 0.05; done; exec >&- 2>&-; note closed; exec sleep 1000"
    with Corepilot(config(f'{{name: "quiet", exec: {shell(script)}}}'), tmp_path) as corepilot:
        corepilot.until_ready()
        before = len(pipes(corepilot.supervisor))
        (tmp_path / "close").touch()
        Record(corepilot).until("closed")
        eventually(lambda: len(pipes(corepilot.supervisor)) == before - 1, message="the pipe is closed")
        assert corepilot.job("quiet")["state"] == "running"


def test_every_reason_why_a_program_cannot_be_started_is_told_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    for name, content in {"no-format": b"\0\1\2\3", "no-interpreter": b"#!/no/such/shell\n", "busy": b""}.items():
        (tmp_path / name).write_bytes(content or Path("/bin/true").read_bytes())
        (tmp_path / name).chmod(0o755)
    reasons = {
        "not-there": f"no such file: {tmp_path}/not-there",
        "not-executable": "is not executable for this user; chmod +x it, or look at its folders' rights",
        "no-format": "Exec format error",
        "no-interpreter": "No such file or directory",
        "busy": "Text file busy",
        "too-long": "Argument list too long",
    }
    commands = {name: f'"%(dir)s/{name}"' for name in reasons} | {"too-long": f'["true", "{"x" * 140_000}"]'}
    jobs = ", ".join(f'{{name: "{name}", exec: {command}, restarts: 2}}' for name, command in commands.items())
    with (tmp_path / "busy").open("ab"), Corepilot(config(f"{LASTS}, {jobs}"), tmp_path) as corepilot:
        corepilot.until_ready()
        for name, reason in reasons.items():
            eventually(partial(_has_failed, corepilot, name), message=name)
            lines = [line for line in corepilot.lines if f" {name}: " in line]
            starts = [line for line in lines if "cannot start" in line]
            assert len(starts) == 3, lines
            assert all(line.endswith(reason) or f"{reason} (" in line for line in starts), lines
        # That of the job that lasts, and the one that signals wake the supervisor by.
        assert len(set(pipes(corepilot.supervisor))) == 2


def _has_failed(corepilot: Corepilot, name: str) -> bool:
    job = corepilot.job(name)
    return job["state"] == "complete" and job["last_status"] in {126, 127}


def test_a_stop_ends_every_kind_of_command_that_is_under_way(tmp_path: Path) -> None:
    def stuck(word: str) -> str:
        return "exec: " + shell(f"trap '' TERM; note {word}; while :; do sleep 0.05; done")

    soon = 'stopTimeout: "300ms"'
    jobs = f"""
        {{name: "app", {soon}, {stuck("main")}, health: {{{stuck("check")}, interval: 1, ttl: 5, timeout: "1h"}}}},
        {{name: "periodic", {soon}, {stuck("periodic")}, when: {{interval: "10ms"}}, timeout: "1h"}},
        {{name: "before", {soon}, {stuck("before")}, when: {{source: "app", once: "stopping"}}}},
        {{name: "after", {soon}, {stuck("after")}, when: {{source: "app", once: "stopped"}}}}
    """
    with Corepilot(config(jobs, "stopTimeout: -1,"), tmp_path) as corepilot:
        record = Record(corepilot)
        for word in ("main", "check", "periodic"):
            record.until(word)
        assert corepilot.stop() == 0
        assert {"before", "after"} <= set(record.words)
