"""What `docker stop` and `docker kill` send to PID 1, and what a process in the container can send to it."""

import signal
from pathlib import Path

import pytest
from containers.container import Container
from eventually import eventually

POLITE = '{name: "polite", exec: ["sh", "-c", "trap \'echo bye; exit 3\' TERM; echo up; while :; do sleep 0.05; done"]}'
DEAF = '{name: "deaf", exec: ["sh", "-c", "trap \'\' TERM; echo up; sleep 1000"]}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_graceful_and_ends_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    with Container(f"{{jobs: [{POLITE}]}}", tmp_path) as container:
        container.until("up")
        container.signal(number)
        assert container.wait() == 0
        assert "bye" in container.output
        assert container.lines[-1].endswith(f"{number.name}; no process had to be killed")


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGWINCH, 37])
def test_the_stop_signals_of_base_images_are_a_stop(tmp_path: Path, number: int) -> None:
    """STOPSIGNAL of nginx, php-fpm, httpd and systemd; 37 is what a runtime takes SIGRTMIN+3 for."""
    with Container(f"{{jobs: [{POLITE}]}}", tmp_path) as container:
        container.until("up")
        container.signal(number)
        assert container.wait() == 0
        assert "bye" in container.output
        assert "Greenlet" not in container.output


def test_a_stop_signal_of_the_images_own_is_named_in_the_configuration(tmp_path: Path) -> None:
    """STOPSIGNAL SIGUSR1 of haproxy, which reopens the log otherwise."""
    with Container(f'{{stopSignals: ["SIGUSR1"], jobs: [{POLITE}]}}', tmp_path) as container:
        container.until("up")
        assert container.stop(signal.SIGUSR1) == 0
        assert "bye" in container.output


def test_the_grace_period_of_the_engine(tmp_path: Path) -> None:
    with Container(f"{{stopTimeout: 1, jobs: [{DEAF}]}}", tmp_path / "1") as container:
        container.until("up")
        assert container.stop(grace_s=20) == 0
        assert container.lines[-1].endswith("killed: deaf")
    with Container(f"{{stopTimeout: 1000, jobs: [{DEAF}]}}", tmp_path / "2") as container:
        container.until("up")
        assert container.stop(grace_s=0.2) == 137


def test_a_process_in_the_container_ends_it_by_name(tmp_path: Path) -> None:
    with Container(f"{{jobs: [{POLITE}]}}", tmp_path) as container:
        container.until("up")
        assert container.execute("pkill", "-TERM", "corepilot").returncode == 0
        assert container.wait() == 0
        assert "bye" in container.output
        assert container.lines[-1].endswith("SIGTERM; no process had to be killed")


def test_a_job_that_ignores_term_is_killed_at_stop_timeout_and_named(tmp_path: Path) -> None:
    with Container(f"{{stopTimeout: 1, jobs: [{DEAF}, {POLITE}]}}", tmp_path) as container:
        container.until("up", count=2)
        assert container.stop() == 0
        assert "raise stopTimeout" in container.output
        assert container.lines[-1].endswith("killed: deaf")


def test_a_second_stop_ends_the_waiting(tmp_path: Path) -> None:
    with Container(f"{{stopTimeout: 1000, jobs: [{DEAF}]}}", tmp_path) as container:
        container.until("up")
        container.signal(signal.SIGTERM)
        container.until("stopping: SIGTERM")
        assert container.stop() == 0
        assert container.lines[-1].endswith("killed: deaf")


def test_a_storm_of_signals_and_one_stop(tmp_path: Path) -> None:
    script = "for _ in $(seq 1000); do kill -HUP 1; kill -USR1 1; kill -USR2 1; done; kill -TERM 1"
    with Container(f"{{jobs: [{POLITE}]}}", tmp_path) as container:
        container.until("up")
        container.execute("sh", "-c", script)
        assert container.wait() == 0
        assert container.output.count("stopping: SIGTERM") == 1
        assert container.output.count("bye") == 1
        assert "Traceback" not in container.output


def test_a_wrapped_command_gets_the_signal(tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done"
    with Container("", tmp_path, args=["corepilot", "--", "sh", "-c", script]) as container:
        container.until("up")
        assert container.stop() == 9
        assert container.lines == ["up", "bye"]


def test_hup_and_usr2_start_jobs_from_outside_and_from_inside(tmp_path: Path) -> None:
    jobs = """
        {name: "main", exec: ["sh", "-c", "echo up; exec sleep 1000"]},
        {name: "on-hup", exec: "echo hup-ran", when: {source: "SIGHUP"}},
        {name: "on-usr2", exec: "echo usr2-ran", when: {source: "SIGUSR2"}},
    """
    with Container(f"{{jobs: [{jobs}]}}", tmp_path) as container:
        container.until("up")
        for number, text in ((signal.SIGHUP, "hup-ran"), (signal.SIGUSR2, "usr2-ran")):
            container.signal(number)
            container.until(text)
            assert container.execute("kill", f"-{number}", "1").returncode == 0
            container.until(text, count=2)
        assert container.stop() == 0


def test_usr1_opens_the_log_file_again(tmp_path: Path) -> None:
    jobs = '{name: "main", exec: "sleep 1000"}, {name: "on-hup", exec: "echo hup-ran", when: {source: "SIGHUP"}}'
    with Container(f'{{logging: {{output: "/var/log/app.log"}}, jobs: [{jobs}]}}', tmp_path) as container:
        log = container.root / "var" / "log" / "app.log"
        eventually(lambda: log.exists() and "runs /etc/corepilot.json5" in log.read_text())
        log.rename(log.with_suffix(".1"))
        container.signal(signal.SIGUSR1)
        eventually(log.exists, message="a new file")
        container.signal(signal.SIGHUP)
        eventually(lambda: "hup-ran" in log.read_text())
        assert "hup-ran" not in log.with_suffix(".1").read_text()
        assert container.stop() == 0
        assert container.output == ""


def test_kill_and_stop_from_inside_do_nothing_to_pid_1(tmp_path: Path) -> None:
    """The kernel's rule for a PID namespace, pid_namespaces(7). From outside SIGKILL works."""
    with Container(f"{{jobs: [{POLITE}]}}", tmp_path) as container:
        container.until("up")
        for name in ("KILL", "STOP", "SEGV"):
            assert container.execute("kill", f"-{name}", "1").returncode == 0
        assert container.execute("corepilot", "ping").returncode == 0
        assert "bye" not in container.output
        container.signal(signal.SIGKILL)
        assert container.wait() == 137


def test_a_storm_of_stops_is_one_stop(tmp_path: Path) -> None:
    with Container(f"{{stopTimeout: 1000, jobs: [{DEAF}]}}", tmp_path) as container:
        container.until("up")
        script = "while kill -TERM 1; do kill -HUP 1; kill -USR1 1; kill -USR2 1; done 2>/dev/null"
        container.execute("sh", "-c", script)
        assert container.wait() == 0
        assert container.output.count("stopping: SIGTERM") == 1
        assert "killed: deaf" in container.output
        assert "Traceback" not in container.output
