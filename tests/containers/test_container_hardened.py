"""A hardened container: read-only root, no capabilities and no way to any, and only a tmpfs on /tmp to write to."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from containers.container import Container

# Root's default place for the catalog is in /run, which cannot be written here; other users' is in /tmp.
CATALOGS = {1000: '"embedded"', 0: '{backend: "embedded", path: "/tmp/catalog"}'}
JOBS = """
  {name: "app", exec: ["sh", "-c", "grep -E 'Uid|CapBnd|NoNewPrivs' /proc/self/status; exec sleep 1000"], port: 80,
   interfaces: "static:192.0.2.1", health: {exec: ["sh", "-c", "echo checked"], interval: 1, ttl: 5}},
  {name: "on-healthy", exec: "echo app-is-healthy", when: {source: "watch.app", once: "healthy"}},
"""


def hardened(configuration: str, directory: Path, user: int, args: Sequence[str] = ("corepilot",)) -> Container:
    return Container(
        configuration, directory, args=args, user=user, capabilities=(), readonly=True, no_new_privileges=True
    )


@pytest.mark.parametrize("user", [1000, 0])
def test_jobs_checks_catalog_and_clients_work(tmp_path: Path, user: int) -> None:
    text = f'{{discovery: {CATALOGS[user]}, watches: [{{name: "app", interval: 1}}], jobs: [{JOBS}]}}'
    with hardened(text, tmp_path, user) as container:
        container.until("app-is-healthy")
        facts = [line.split()[3:5] for line in container.lines if line.split()[1] == "app"]
        assert facts == [["Uid:", str(user)], ["CapBnd:", "0" * 16], ["NoNewPrivs:", "1"]]
        status = container.status()
        assert status["socket"] == f"/tmp/corepilot-{user}/control.socket"
        assert [(one["address"].startswith("/tmp/"), one["mode"]) for one in status["catalogs"]] == [(True, "push")]
        assert [(service["status"], service["in_sync"]) for service in status["services"]] == [("passing", True)]
        app = next(job for job in status["jobs"] if job["name"] == "app")
        assert (app["state"], app["health"]) == ("running", "healthy")
        (instance,) = json.loads(container.execute("corepilot", "instances", "app", "-o", "json").stdout)
        assert (instance["id"], instance["address"]) == (f"app-{container.id}", "192.0.2.1")
        answer = container.execute("corepilot", "shutdown")
        assert answer.returncode in {0, 137}, answer.stderr  # the kernel ends it with the container, if that is quicker
        assert answer.stdout in {"corepilot is stopping\n", ""}
        assert answer.stdout or answer.returncode == 137
        assert container.wait() == 0
        assert container.lines[-1].endswith("no process had to be killed")


def test_without_a_network_a_service_is_on_loopback(tmp_path: Path) -> None:
    text = '{discovery: "embedded", jobs: [{name: "app", exec: "sleep 1000", port: 80, health: {interval: 1, ttl: 5}}]}'
    with hardened(text, tmp_path, 1000) as container:
        container.until("this machine has no network, so the service is at 127.0.0.1")
        container.until(lambda: [one["address"] for one in container.status()["services"]] == ["127.0.0.1"])
        assert container.stop() == 0


def test_without_a_place_for_a_socket_it_runs_if_none_is_wanted(tmp_path: Path) -> None:
    jobs = 'jobs: [{name: "app", exec: ["sh", "-c", "echo up; exec sleep 1000"]}]'
    with Container(f"{{{jobs}}}", tmp_path / "1", user=1000, readonly=True, tmp=False) as container:
        assert container.wait() == 1
        assert "Read-only file system" in container.output
        assert container.output.endswith("or control: false for none\n")
        assert container.output.count("\n") == 1
    with Container(f"{{control: false, {jobs}}}", tmp_path / "2", user=1000, readonly=True, tmp=False) as container:
        container.until("socket none")
        container.until("up")
        assert container.execute("touch", "/tmp/x").returncode == 1
        answer = container.execute("corepilot", "health")
        assert answer.returncode == 1
        assert "/etc/corepilot.json5 has control: false" in answer.stderr
        assert container.stop() == 0


def test_another_user_in_the_container_finds_the_socket_or_is_told_where(tmp_path: Path) -> None:
    jobs = '{jobs: [{name: "app", exec: ["sh", "-c", "echo up; exec sleep 1000"]}]}'
    with Container(jobs, tmp_path / "1", user=1000) as container:
        container.until("up")
        for user in (None, 1000, 0):
            answer = container.execute("corepilot", "ping", user=user)
            assert (answer.returncode, answer.stdout) == (0, "ok\n"), (user, answer.stderr)
        answer = container.execute("corepilot", "ping", user=1001)
        assert answer.returncode == 1
        assert answer.stderr.count("\n") == 1
        assert answer.stderr.endswith(
            "uid 1000 may have one at /tmp/corepilot-1000/control.socket: run this as that user, or as root\n"
        )
    with hardened(jobs, tmp_path / "2", 1000) as container:
        container.until("up")
        answer = container.execute("corepilot", "ping", user=0)  # which has no way around the directory's mode
        assert answer.returncode == 1
        assert "no permission to use /tmp/corepilot-1000/control.socket" in answer.stderr
        assert "run this as the user corepilot runs as (uid 1000)\n" in answer.stderr
    with Container(jobs, tmp_path / "3") as container:
        container.until("up")
        answer = container.execute("corepilot", "ping", user=1000)
        assert answer.returncode == 1
        assert "run this as the user corepilot runs as (uid 0), or as root\n" in answer.stderr


def test_the_container_is_as_hard_as_it_says(tmp_path: Path) -> None:
    """A control for the test above."""
    with hardened('{jobs: [{name: "app", exec: "sleep 1000"}]}', tmp_path, 0) as container:
        for path in ("/x", "/etc/x", "/run/x", "/var/x", "/usr/x"):
            answer = container.execute("touch", path)
            assert "Read-only file system" in answer.stderr, path
        assert container.execute("touch", "/tmp/x").returncode == 0
        assert "Operation not permitted" in container.execute("chown", "1000", "/tmp/x").stderr
        assert "Operation not permitted" in container.execute("unshare", "--user", "true").stderr


def test_a_reload_and_a_crash(tmp_path: Path) -> None:
    with hardened(
        '{jobs: [{name: "app", exec: ["sh", "-c", "echo up; exec sleep 1000"]}]}', tmp_path, 1000
    ) as container:
        container.until("up")
        assert container.execute("corepilot", "reload", "--all").returncode == 0
        container.until("up", count=2)
        assert container.execute("kill", "-KILL", str(container.children()[0])).returncode == 0
        assert container.wait() == 70


def test_a_wrapped_command(tmp_path: Path) -> None:
    with hardened("", tmp_path, 1000, args=["corepilot", "--", "sh", "-c", "id -u; exit 5"]) as container:
        assert (container.wait(), container.output) == (5, "1000\n")
