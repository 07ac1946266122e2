"""Reload: validated first, everything anew, nothing lost and nothing left (ContainerPilot contract, section 4.11)."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eventually import eventually
from recording import Record, config, shell
from running import Corepilot, alive, descriptors, descriptors_at_rest

RELOADS = 60
SETTLED = 20
"""Reloads after which everything has been imported, and what is bounded is full."""


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_everything_starts_anew_with_hooks_in_between(tmp_path: Path) -> None:
    trap = "trap 'note term; exit 0' TERM; note up-{{ .KIND }}; while :; do sleep 0.02; done"
    jobs = f"""
        {{name: "app", exec: {shell(trap)}}},
        {{name: "once", exec: {shell("note once")}, restarts: 1}},
        {{name: "pre", exec: {shell("note pre")}, when: {{source: "app", once: "stopping"}}}},
        {{name: "post", exec: {shell("note post")}, when: {{source: "app", once: "stopped"}}}},
    """
    with Corepilot(config(jobs), tmp_path, environment={"KIND": "first"}) as corepilot:
        record = Record(corepilot)
        corepilot.until_ready()
        record.until("once", 2)
        assert corepilot.client("env", "KIND=second").returncode == 0
        corepilot.reload_everything()
        record.until("up-second")
        record.until("once", 4)
        words = [word for word in record.words if word != "once"]
        assert words == ["up-first", "pre", "term", "post", "up-second"]
        assert corepilot.job("once")["starts"] == 2


def test_signals_do_not_reload(tmp_path: Path) -> None:
    with Corepilot(config(f'{{name: "a", exec: {shell("note up; sleep 1000")}}}'), tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("a")["pid"]
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            corepilot.signal(number)
        corepilot.client("ping")
        assert corepilot.job("a")["pid"] == pid


def test_an_old_process_that_ignores_term_is_gone_before_its_successor_starts(tmp_path: Path) -> None:
    script = "trap '' TERM; note up; while :; do sleep 0.02; done"
    with Corepilot(config(f'{{name: "a", exec: {shell(script)}}}', "stopTimeout: 1,"), tmp_path) as corepilot:
        record = Record(corepilot)
        record.until("up")
        old = eventually(lambda: corepilot.job("a")["pid"])
        corepilot.reload_everything()
        record.until("up", 2)
        assert not alive(old)
        assert "raise stopTimeout" in corepilot.output


@pytest.mark.parametrize(
    "bad",
    ["", "{", "{{ if }}", '{jobs: [{name: "a", exec: "true", restarts: -1}], consul: false}', "{consul: false, x: 1}"],
)
def test_an_invalid_file_changes_nothing(tmp_path: Path, bad: str) -> None:
    with Corepilot(config(f'{{name: "a", exec: {shell("note up; sleep 1000")}}}'), tmp_path) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("a")["pid"]
        corepilot.file.write_text(bad)
        answer = corepilot.client("reload")
        assert answer.returncode == 1
        assert str(corepilot.file) in answer.stderr
        assert corepilot.job("a")["pid"] == pid
        assert corepilot.stop() == 0


def test_a_reload_may_change_the_log_and_the_kind_of_jobs(tmp_path: Path) -> None:
    with Corepilot(config('{name: "a", exec: "sleep 1000"}'), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.configure(
            config('{name: "b", exec: "echo in-file"}, {name: "c"}', 'logging: {output: "%(dir)s/log"},')
        )
        assert corepilot.client("reload").returncode == 0
        log = tmp_path / "log"
        eventually(lambda: log.exists() and "in-file" in log.read_text())
        assert "in-file" not in corepilot.output
        corepilot.configure(config('{name: "d", exec: "true"}'))
        assert corepilot.client("reload").returncode == 0
        assert corepilot.wait() == 0  # its only job has ended


@pytest.mark.slow
def test_sixty_reloads_in_a_tight_loop(tmp_path: Path) -> None:
    jobs = ", ".join(
        f'{{name: "{name}", exec: "sleep 100{number}", health: {{exec: "true", interval: 1, ttl: 5}}}}'
        for number, name in enumerate("abc")
    )
    more = 'telemetry: {port: 0, interfaces: ["static:127.0.0.1"]}, watches: [{name: "db", interval: 1}],'
    text = config(jobs, more).replace("consul: false", 'consul: "127.0.0.1:1"')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        supervisor, guard = corepilot.supervisor, corepilot.guard
        fds, memory = 0, 0
        for number in range(RELOADS):
            assert reload(corepilot.socket), corepilot.output[-3000:]
            if number == SETTLED:
                fds = descriptors_at_rest(supervisor)
                memory = resident_kib(supervisor)
        eventually(lambda: [job["state"] for job in corepilot.status()["jobs"]][:3] == ["running"] * 3)
        assert (corepilot.supervisor, corepilot.guard) == (supervisor, guard)
        assert all(job["starts"] == 1 for job in corepilot.status()["jobs"][:3])

        def sleepers() -> list[str]:
            found = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children_of(supervisor)]
            return sorted(line.decode().split("\0")[1] for line in found if line.startswith(b"sleep"))

        eventually(lambda: sleepers() == ["1000", "1001", "1002"])
        eventually(lambda: descriptors(supervisor) <= fds + 4)
        assert resident_kib(supervisor) < memory + 3000
        assert len(children_of(guard)) == 1
        assert corepilot.stop() == 0


def test_reloads_from_many_clients_at_once(tmp_path: Path) -> None:
    jobs = '{name: "a", exec: "sleep 1001"}, {name: "b", exec: "sleep 1002", restarts: "unlimited"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        with ThreadPoolExecutor(8) as clients:
            assert all(clients.map(reload, [corepilot.socket] * 40))
        eventually(lambda: [job["state"] for job in corepilot.status()["jobs"]] == ["running"] * 2)
        assert len(children_of(corepilot.supervisor)) == 2
        assert corepilot.stop() == 0


def asked(path: Path, request: str = "GET /v1/status") -> bytes:
    """What the control socket answers, or nothing where nobody does."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        try:
            sock.connect(str(path))
            sock.sendall(f"{request} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
            while piece := sock.recv(65536):
                answer += piece
        except (FileNotFoundError, ConnectionRefusedError):
            return b""
    return answer


def reload(path: Path) -> bool:
    """POST /v3/reload over the socket, without the time a client process takes."""
    return b" 200 " in asked(path, "POST /v3/reload").split(b"\r\n")[0]


MOVABLE = '{control: {socket: "%(dir)s/{{ .PLACE }}"}, consul: false, jobs: [{name: "a", exec: "sleep 1000"}]}'


def test_the_control_socket_moves_and_somebody_answers_all_the_time(tmp_path: Path) -> None:
    old, new = tmp_path / "control.socket", tmp_path / "new.socket"
    moved, silent, asks = threading.Event(), [], []

    def ask_for_ever() -> None:
        while not moved.is_set():
            asks.append(1)
            # The old one first: where it is gone, the new one has been there before.
            if not asked(old, "GET /v1/ping") and not asked(new, "GET /v1/ping"):
                silent.append(1)

    with Corepilot(MOVABLE, tmp_path, environment={"PLACE": "control.socket"}) as corepilot:
        corepilot.until_ready()
        asking = [threading.Thread(target=ask_for_ever) for _ in range(4)]
        for thread in asking:
            thread.start()
        try:
            assert corepilot.client("env", "PLACE=new.socket").returncode == 0
            assert asked(old, "POST /v3/reload").startswith(b"HTTP/1.1 200 ")
            eventually(lambda: not old.exists())
            seen = len(asks)
            eventually(lambda: len(asks) > seen + 50)
        finally:
            moved.set()
            for thread in asking:
                thread.join()
        assert not silent
        assert f'"socket":"{new}"'.encode() in asked(new)
        assert f"the control socket is now at {new}, and no longer at {old}" in corepilot.output
        assert corepilot.stop() == 0
        assert not new.exists()


def test_what_waits_at_the_old_control_socket_is_answered_after_the_move(tmp_path: Path) -> None:
    hook = f'{{name: "hook", exec: {shell("sleep 1; note hooked")}, when: {{source: "a", once: "stopping"}}}}'
    text = MOVABLE.replace("}]}", f"}}, {hook}]}}")
    with Corepilot(text, tmp_path, environment={"PLACE": "control.socket"}) as corepilot:
        corepilot.until_ready()
        assert corepilot.client("env", "PLACE=new.socket").returncode == 0
        with ThreadPoolExecutor() as pool:
            # The second one waits for the end of the first one, and with it for the move.
            answers = list(pool.map(lambda _: asked(corepilot.socket, "POST /v3/reload"), range(2)))
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 2
        eventually(lambda: asked(tmp_path / "new.socket"))


@pytest.mark.parametrize("place", ["missing/new.socket", "directory"])
def test_a_control_socket_that_cannot_be_had_refuses_the_reload(tmp_path: Path, place: str) -> None:
    (tmp_path / "directory").mkdir()
    with Corepilot(MOVABLE, tmp_path, environment={"PLACE": "control.socket"}) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("a")["pid"]
        assert corepilot.client("env", f"PLACE={place}").returncode == 0
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert f"cannot create the control socket at {tmp_path}/{place}: " in refused.stderr
        assert corepilot.job("a")["pid"] == pid
        # With the next reload it is tried again.
        assert corepilot.client("env", "PLACE=new.socket").returncode == 0
        assert corepilot.client("reload").returncode == 0
        eventually(lambda: asked(tmp_path / "new.socket"))


def test_another_name_of_the_same_place_is_no_move(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with Corepilot(MOVABLE, tmp_path, environment={"PLACE": "control.socket"}) as corepilot:
        corepilot.until_ready()
        pid, inode = corepilot.job("a")["pid"], corepilot.socket.stat().st_ino
        assert corepilot.client("env", "PLACE=link/../link/control.socket").returncode == 0
        assert corepilot.client("reload", "--all").returncode == 0
        assert corepilot.job("a")["pid"] not in {pid, None}
        assert corepilot.socket.stat().st_ino == inode
