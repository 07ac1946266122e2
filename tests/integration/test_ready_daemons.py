"""Daemons from Debian, unmodified and as they are usually configured, are ready when corepilot says so: they answer."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Corepilot

POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/none"))
AS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.slow


def config(daemon: list[str], ready: str, use: list[str], more: str = "") -> str:
    """A daemon, and a job that uses it as soon as it is ready, and not before."""
    return (
        '{control: {socket: "%(dir)s/control.socket"}, discovery: false, stopTimeout: 10, jobs: ['
        f'{{name: "daemon", exec: {json.dumps(daemon)}, ready: {ready}, readyTimeout: "1m", {more}}},'
        f'{{name: "use", exec: {json.dumps(use)}, dependsOn: {{daemon: "ready"}}}}]}}'
    )


def serves(text: str, answer: str, directory: Path) -> None:
    """The one use, right after the daemon is ready, gets its answer; the daemon ends well when it is stopped."""
    with Corepilot(text, directory) as corepilot:
        corepilot.until(answer, deadline_s=60)
        assert corepilot.job("daemon")["ready"] is True
        assert corepilot.stop() == 0
        assert "killing" not in corepilot.output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster() -> Iterator[Path]:
    """A PostgreSQL cluster, of the user that PostgreSQL runs as: root it refuses."""
    made = Path(tempfile.mkdtemp(prefix="corepilot-postgres-", dir="/tmp"))
    user = pwd.getpwnam("postgres") if AS_ROOT else pwd.getpwuid(os.geteuid())
    os.chown(made, user.pw_uid, user.pw_gid)
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if AS_ROOT else []
    initdb = [str(POSTGRES / "initdb"), "-D", str(made / "data"), "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run([*become, *initdb], check=True, capture_output=True, timeout=120, cwd="/")
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize(
    "ready", ['{log: "database system is ready to accept connections"}', "{notify: true}", "{check: true}"]
)
def test_postgresql(tmp_path: Path, cluster: Path, ready: str) -> None:
    daemon = [str(POSTGRES / "postgres"), "-D", str(cluster / "data"), "-k", str(cluster), "-c", "listen_addresses="]
    use = [str(POSTGRES / "psql"), "-h", str(cluster), "-U", "postgres", "-At", "-c", "select 'rows: ' || 6 * 7"]
    user = 'user: "postgres", ' if AS_ROOT else ""
    health = f'health: {{tcp: "unix://{cluster}/.s.PGSQL.5432", interval: 1, ttl: 5}}'
    serves(config(daemon, ready, use, f'{user}cwd: "/", stopSignal: "INT", {health}'), "rows: 42", tmp_path)


@pytest.mark.parametrize("ready", ['{file: "%(dir)s/nginx.pid"}', "{check: true}"])
def test_nginx(tmp_path: Path, ready: str) -> None:
    port = free_port()
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log stderr; events {{}}"
        f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};"
        'location / { return 200 "nginx answers"; } } }'
    )
    health = f'health: {{http: {{url: "http://127.0.0.1:{port}/", body: "answers"}}, interval: 1, ttl: 5}}'
    daemon, use = ["nginx", "-c", str(tmp_path / "nginx.conf")], ["curl", "-sS", f"http://127.0.0.1:{port}/"]
    serves(config(daemon, ready, use, health), "nginx answers", tmp_path)


@pytest.mark.parametrize("ready", ['{log: "[Rr]eady to accept connections"}', "{notify: true}"])
def test_redis(tmp_path: Path, ready: str) -> None:
    path = tmp_path / "redis.socket"
    daemon = ["redis-server", "--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path), "--save", ""]
    daemon += ["--supervised", "systemd"] if "notify" in ready else []
    serves(config(daemon, ready, ["redis-cli", "-s", str(path), "echo", "redis answers"]), "redis answers", tmp_path)


def test_haproxy_notifies(tmp_path: Path) -> None:
    """With a master that forks the workers, as Debian's unit of systemd starts it."""
    port = free_port()
    lines = [
        "defaults",
        "mode http",
        *[f"timeout {what} 5s" for what in ("connect", "client", "server")],
        "frontend web",
        f"bind 127.0.0.1:{port}",
        'http-request return status 200 content-type text/plain string "haproxy answers"',
    ]
    (tmp_path / "haproxy.cfg").write_text("".join(f"{line}\n" for line in lines))
    daemon, use = ["haproxy", "-Ws", "-f", str(tmp_path / "haproxy.cfg")], ["curl", "-sS", f"http://127.0.0.1:{port}/"]
    with Corepilot(config(daemon, "{notify: true}", use, "successStatuses: [0, 143]"), tmp_path) as corepilot:
        corepilot.until("haproxy answers", deadline_s=60)
        assert corepilot.job("daemon")["ready"] is True
        assert corepilot.stop() == 0
