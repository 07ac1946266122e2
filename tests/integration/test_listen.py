"""Listening sockets that jobs are handed, as sd_listen_fds(3) says: from before their start, over their restarts."""

import os
import re
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest
from eventually import eventually
from recording import config
from running import Corepilot, descriptors, descriptors_at_rest

SERVER = """
import os, socket, sys
names = os.environ["LISTEN_FDNAMES"].split(":")
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_PID"]
assert len(names) == int(os.environ["LISTEN_FDS"])
print("serving", *names, flush=True)
listening = socket.socket(fileno=3)
while True:
    connected, _ = listening.accept()
    try:
        connected.sendall(("%s %s" % (os.environ.get("COREPILOT_REPLICA", ""), os.getpid())).encode())
    except BrokenPipeError:
        pass  # somebody has only looked whether we listen
    connected.close()
"""


@pytest.fixture
def port() -> int:
    """A port that is free; some other program may take it, though none does."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        free: int = taken.getsockname()[1]
    return free


def serving(listen: str, directory: Path, more: str = "") -> str:
    (directory / "server.py").write_text(SERVER)
    return config(f'{{name: "web", exec: ["python3", "-I", "%(dir)s/server.py"], listen: {listen}, {more}}}')


def ask(address: tuple[str, int] | str) -> str:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.settimeout(30)
        asking.connect(address)
        return asking.recv(100).decode()


def test_connections_wait_while_the_job_is_restarted(tmp_path: Path, port: int) -> None:
    with Corepilot(serving(f'["127.0.0.1:{port}"]', tmp_path), tmp_path) as corepilot:
        corepilot.until("serving web")
        assert ask(("127.0.0.1", port)) == f" {corepilot.job('web')['pid']}"
        opened = descriptors_at_rest(corepilot.supervisor)
        assert corepilot.client("stop", "web").returncode == 0
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.settimeout(30)
            assert corepilot.client("start", "web").returncode == 0
            assert waiting.recv(100).decode() == f" {corepilot.job('web')['pid']}"
        eventually(lambda: descriptors(corepilot.supervisor) == opened)
        assert corepilot.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.1", port))


def test_the_first_socket_is_standard_input_for_programs_that_expect_it_there(tmp_path: Path, port: int) -> None:
    text = serving(f'["127.0.0.1:{port}", "%(dir)s/other"]', tmp_path, 'stdin: "socket"')
    (tmp_path / "server.py").write_text(SERVER.replace("fileno=3", "fileno=0"))
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until("serving web web")
        assert ask(("127.0.0.1", port)) == f" {corepilot.job('web')['pid']}"
        assert corepilot.stop() == 0


def test_a_path_belongs_to_whoever_it_is_given_to(tmp_path: Path) -> None:
    listen = '{address: "%(dir)s/app.sock", mode: "0600", owner: "nobody"}'
    with Corepilot(serving(listen, tmp_path), tmp_path) as corepilot:
        corepilot.until("serving web")
        path = tmp_path / "app.sock"
        assert (path.owner(), path.group(), stat.S_IMODE(path.stat().st_mode)) == ("nobody", "nogroup", 0o600)
        corepilot.configure(serving(listen.replace('"nobody"', '"12345:23456"'), tmp_path))
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: (path.stat().st_uid, path.stat().st_gid) == (12345, 23456))
        other = listen.replace("app.sock", "other.sock").replace('"nobody"', '"no-such-user"')
        corepilot.configure(serving(other, tmp_path))
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert "other.sock: there is no user no-such-user here" in refused.stderr
        assert not (tmp_path / "other.sock").exists()
        assert corepilot.stop() == 0


def test_a_low_port_for_another_user_and_a_path_with_a_mode(tmp_path: Path, port: int) -> None:
    listen = f'[{{address: "%(dir)s/app.sock", name: "app", mode: "0660"}}, {{address: "*:{port}", backlog: 5}}]'
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    with Corepilot(serving(listen, tmp_path, 'user: "nobody"'), tmp_path) as corepilot:
        corepilot.until("serving app web")
        path = tmp_path / "app.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        shown = corepilot.job("web")
        assert (shown["user"], shown["listen"]) == ("nobody", [str(path), f"*:{port}"])
        assert ask(str(path)) == f" {shown['pid']}"
        with socket.create_connection(("127.0.0.1", port)):
            pass
        assert corepilot.stop() == 0
        assert not path.exists()


def test_replicas_share_their_sockets(tmp_path: Path, port: int) -> None:
    with Corepilot(serving(f'"127.0.0.1:{port}"', tmp_path, "replicas: 3"), tmp_path) as corepilot:
        corepilot.until("serving", count=3)
        answers = {ask(("127.0.0.1", port)).split()[0] for _ in range(30)}
        assert answers <= {"1", "2", "3"}
        assert corepilot.stop() == 0


def test_a_reload_keeps_what_stays_and_closes_what_goes(tmp_path: Path, port: int) -> None:
    both = f'["127.0.0.1:{port}", "%(dir)s/app.sock"]'
    with Corepilot(serving(both, tmp_path), tmp_path) as corepilot:
        corepilot.until("serving web web")
        opened = descriptors_at_rest(corepilot.supervisor)
        corepilot.configure(serving(f'["127.0.0.1:{port}"]', tmp_path))
        assert "web: restarted" in corepilot.client("reload").stdout
        assert not (tmp_path / "app.sock").exists()
        assert ask(("127.0.0.1", port)) == f" {corepilot.job('web')['pid']}"
        eventually(lambda: descriptors(corepilot.supervisor) == opened - 1)
        corepilot.configure(config('{name: "other", exec: "sleep 1000"}'))
        assert corepilot.client("reload").returncode == 0
        with pytest.raises(ConnectionRefusedError):
            ask(("127.0.0.1", port))
        eventually(lambda: descriptors(corepilot.supervisor) == opened - 2)
        assert corepilot.stop() == 0


def test_an_address_that_cannot_be_had_refuses_the_reload_and_the_start(tmp_path: Path, port: int) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with Corepilot(config('{name: "other", exec: "sleep 1000"}'), tmp_path) as corepilot:
            corepilot.until_ready()
            opened, before = descriptors_at_rest(corepilot.supervisor), corepilot.job("other")["pid"]
            corepilot.configure(serving(f'["%(dir)s/app.sock", "127.0.0.1:{port}"]', tmp_path))
            answer = corepilot.client("reload")
            assert answer.returncode != 0
            assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in answer.stderr
            assert f"jobs[0].listen ({corepilot.file}:1:" in answer.stderr
            assert (corepilot.job("other")["pid"], (tmp_path / "app.sock").exists()) == (before, False)
            eventually(lambda: descriptors(corepilot.supervisor) == opened)
            assert corepilot.stop() == 0
        with Corepilot(serving(f'"127.0.0.1:{port}"', tmp_path), tmp_path) as corepilot:
            assert corepilot.wait() == 1
            assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in corepilot.output
            assert "serving" not in corepilot.output


def test_a_path_on_which_nobody_listens_is_replaced_and_one_with_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with closing(socket.socket(socket.AF_UNIX)) as old:
        old.bind(str(path))
    with Corepilot(serving('"%(dir)s/app.sock"', tmp_path), tmp_path) as corepilot:
        corepilot.until("serving")
        assert ask(str(path))
        with Corepilot(serving(f'"{path}"', tmp_path).replace("control.socket", "c2"), tmp_path) as second:
            assert second.wait() == 1
            assert "Address already in use" in second.output
        assert ask(str(path))
        assert corepilot.stop() == 0
    path.write_text("a file")
    with Corepilot(serving('"%(dir)s/app.sock"', tmp_path), tmp_path) as corepilot:
        assert corepilot.wait() == 1
        assert f"cannot listen at {path}: what is there is no socket; remove it, or name" in corepilot.output
    assert path.read_text() == "a file"


def test_a_job_gets_no_descriptor_but_its_sockets_however_many_corepilot_has(tmp_path: Path) -> None:
    names = ", ".join(f'"%(dir)s/{number}.sock"' for number in range(20))
    show = "ls /proc/$$/fd; echo done; exec sleep 1000"
    text = config(f'{{name: "a", exec: ["sh", "-c", "{show}"], listen: [{names}], limits: {{nofile: 64}}}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" done")
        opened = [line.split()[-1] for line in corepilot.lines if re.search(r" a \d+ \d+$", line)]
        assert sorted(map(int, opened)) == list(range(23))
        assert corepilot.stop() == 0
    assert [name for name in os.listdir(tmp_path) if name.endswith(".sock")] == []


def test_a_job_with_sockets_says_on_the_next_descriptor_that_it_is_ready(tmp_path: Path) -> None:
    script = "ls /proc/$$/fd; echo >&4; exec sleep 1000"
    job = f'{{name: "a", exec: ["sh", "-c", "{script}"], listen: "%(dir)s/a.sock", ready: {{fd: 4}}}}'
    after = '{name: "b", exec: "echo b-runs", when: {source: "a", once: "ready"}}'
    with Corepilot(config(f"{job}, {after}"), tmp_path) as corepilot:
        corepilot.until("b-runs")
        opened = [line.split()[-1] for line in corepilot.lines if re.search(r" a \d+ \d+$", line)]
        assert opened == ["0", "1", "2", "3", "4"]
        assert corepilot.stop() == 0
