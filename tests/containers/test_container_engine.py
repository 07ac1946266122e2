"""What a container engine does with a container: it asks for its health, starts it again, and bounds it."""

import signal
from pathlib import Path
from typing import Literal

from containers.container import Container
from eventually import eventually
from running import cli

WEB = """{name: "web", exec: "sleep 1000", health: {exec: ["sh", "-c", "echo asked; test -e /run/well"], interval: 1,
          ttl: 5}}"""
MAIN = '{name: "main", exec: ["sh", "-c", "echo up; exec sleep 1000"]}'
NOT_FATAL = {"STOP", "TSTP", "TTIN", "TTOU", "CHLD", "CONT", "URG", "WINCH"}
# Forks until it may not, and again when it may.
BOMB = """
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(0.05)
    except OSError:
        print("no more", flush=True)
        time.sleep(1)
"""


class HealthCheck:
    """`HEALTHCHECK CMD ["corepilot", "health"]` as Docker keeps it, moby's daemon/health.go; each `probe` is one.

    Attributes:
        status: As `docker ps` has it.
        said: What the last probe said.
    """

    def __init__(self, container: Container, retries: int = 2) -> None:
        self._container, self._retries, self._failing = container, retries, 0
        self.status: Literal["starting", "healthy", "unhealthy"] = "starting"
        self.said = ""

    def probe(self, *, in_start_period: bool = False) -> str:
        answer = self._container.execute("corepilot", "health")
        assert answer.returncode in {0, 1}, "2 is reserved, and others are not defined"
        self.said = answer.stdout + answer.stderr
        if answer.returncode == 0:
            self.status, self._failing = "healthy", 0
        elif not (in_start_period and self.status == "starting"):
            self._failing += 1
            if self._failing >= self._retries:
                self.status = "unhealthy"
        return self.status


def test_the_states_of_a_health_check(tmp_path: Path) -> None:
    with Container(f"{{jobs: [{WEB}]}}", tmp_path) as container:
        health = HealthCheck(container)
        container.until("asked")
        assert [health.probe(in_start_period=True) for _ in range(3)] == ["starting"] * 3
        eventually(lambda: health.probe(in_start_period=True) and "web is unhealthy: asked" in health.said)
        assert health.status == "starting"
        container.execute("touch", "/run/well")
        eventually(lambda: health.probe() == "healthy")
        assert health.said == "ok\n"
        container.execute("rm", "/run/well")
        eventually(lambda: health.probe() == "unhealthy")
        assert health.said.startswith("not ready: job web is unhealthy: ")
        assert container.execute("corepilot", "health", "--live").returncode == 0
        container.execute("touch", "/run/well")
        eventually(lambda: health.probe() == "healthy")
        (supervisor,) = container.children()
        assert container.execute("kill", "-STOP", str(supervisor)).returncode == 0
        assert health.probe() == "healthy", "one failure is none yet"
        assert "busy or stopped" in health.said
        assert container.execute("kill", "-CONT", str(supervisor)).returncode == 0
        eventually(lambda: health.probe() == "healthy")
        assert container.stop() == 0


def test_a_container_that_wraps_a_command_is_well_as_long_as_it_runs(tmp_path: Path) -> None:
    with Container("", tmp_path / "1", args=["corepilot", "--", "sh", "-c", "echo up; exec sleep 1000"]) as container:
        container.until("up")
        for words in ([], ["--live"]):
            answer = container.execute("corepilot", "health", *words)
            assert (answer.returncode, answer.stdout) == (0, "ok: the container wraps one command\n"), answer.stderr
        assert container.execute("corepilot", "health", "app").returncode == 1
        assert container.execute("corepilot", "ping").returncode == 1
        assert container.stop() == 128 + signal.SIGTERM
    with Container("", tmp_path / "2", args=["sh", "-c", "echo up; sleep 1000; echo corepilot --"]) as container:
        container.until("up")
        assert container.execute("corepilot", "health").returncode == 1, "PID 1 is something else"


def test_a_container_that_is_started_again_as_it_was_left(tmp_path: Path) -> None:
    """`--restart on-failure:2`: an engine starts it again in the file system of before, a stale socket included."""
    log = "/var/log/runs"
    script = f"echo run >>{log}; echo run $(grep -c . {log}); test $(grep -c . {log}) -gt 1 || exit 7"
    app = f'{{name: "app", exec: ["sh", "-c", "{script}; exec sleep 1000"], exitOn: "failure"}}'
    container = Container(f'{{control: {{socket: "/var/log/control.socket"}}, jobs: [{app}, {MAIN}]}}', tmp_path)
    statuses: list[int] = []
    for run in (1, 2, 3):
        with container:
            container.until(f"run {run}")
            if run > 1:
                eventually(lambda: container.execute("corepilot", "ping").stdout == "ok\n")
                if run == 2:
                    freeze_supervisor(container)
                container.signal(signal.SIGKILL if run == 2 else signal.SIGTERM)
            statuses.append(container.wait())
            assert "Traceback" not in container.output
        assert (container.root / "var" / "log" / "control.socket").exists() == (run == 2)
    assert statuses == [7, 137, 0]


def freeze_supervisor(container: Container) -> None:
    """Let it tidy up nothing when PID 1 is killed: it may notice that before the kernel kills it as well."""
    (supervisor,) = container.children()
    assert container.execute("kill", "-STOP", str(supervisor)).returncode == 0
    eventually(lambda: container.states()[supervisor] == "T")


def test_every_status_and_signal_of_a_job_is_the_one_that_is_told(tmp_path: Path) -> None:
    exits = {f"exit-{number}": (f"exit {number}", number) for number in range(256)}
    signals = {
        f"signal-{one.name[3:]}": (f"kill -{one} $$", 128 + one)
        for one in signal.Signals
        if one.name[3:] not in NOT_FATAL and one < 32
    }
    wanted = {**exits, **signals}
    jobs = [f'{{name: "{name}", exec: ["sh", "-c", "{script}"]}}' for name, (script, _) in wanted.items()]
    with Container(f"{{jobs: [{MAIN}, {', '.join(jobs)}]}}", tmp_path) as container:
        container.until("up")
        told: dict[str, int | None] = {}

        def all_told() -> bool:
            told.update({job["name"]: job["last_status"] for job in container.status()["jobs"]})
            return None not in [told[name] for name in wanted]

        eventually(all_told, message="a status of each")
        assert {name: told[name] for name in wanted} == {name: status for name, (_, status) in wanted.items()}
        some = [script for script, _ in wanted.values()][::16]
        script = "; ".join([f"corepilot -- sh -c '{one}'; echo $?" for one in some])
        answer = container.execute("sh", "-c", script)
        assert [int(line) for line in answer.stdout.split()] == [status for _, status in wanted.values()][::16]


def test_a_fork_bomb_under_a_limit_of_processes(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "bomb.py").write_text(BOMB)
    bomb = '{name: "bomb", exec: ["python3", "-I", "/program/bomb.py"]}'
    with Container(
        f'{{stopTimeout: 2, jobs: [{MAIN}, {bomb}, {{name: "late", exec: "echo late", when: {{interval: 1}}}}]}}',
        tmp_path / "container", pids_max=100, read_only={tmp_path / "program": "/program"},
    ) as container:  # fmt: skip
        container.until("no more", count=20)
        # From outside: in the container there is no room for one more process.
        socket = f"/proc/{container.pid}/root/run/containerpilot.socket"
        answer = cli("health", "main", "bomb", "--socket", socket)
        assert (answer.returncode, answer.stdout) == (0, "ok\n"), answer.stderr
        assert container.stop() == 0
        assert "Traceback" not in container.output
        assert "killed: bomb" in container.lines[-1] or "no process had to be killed" in container.lines[-1]
