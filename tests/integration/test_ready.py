"""When a job is ready, by what real programs do: messages, descriptors, lines, files."""

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from running import Corepilot

NOTIFY = """
import os, socket, sys, time
def tell(text, sock=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)):
    address = os.environ["NOTIFY_SOCKET"]
    sock.sendto(text.encode(), "\\0" + address[1:] if address[0] == "@" else address)
"""


def config(ready: str, program: str = "", *, more: str = "", others: str = "") -> str:
    script = NOTIFY + program
    return (
        '{control: {socket: "%(dir)s/control.socket"}, discovery: false, stopTimeout: 2, jobs: ['
        f'{{name: "app", exec: [{sys.executable!r}, "-u", "-c", {script!r}], ready: {ready}, {more}}},'
        f'{{name: "then", exec: ["echo", "then it ran"], when: {{source: "app", once: "ready"}}}}, {others}]}}'
    ).replace("\\'", "\\u0027")


def shell(ready: str, script: str, *, more: str = "") -> str:
    return (
        '{control: {socket: "%(dir)s/control.socket"}, discovery: false, stopTimeout: 2, jobs: ['
        f'{{name: "app", exec: ["sh", "-c", {script!r}], ready: {ready}, {more}}},'
        '{name: "then", exec: ["echo", "then it ran"], when: {source: "app", once: "ready"}}]}'
    )


def app(corepilot: Corepilot) -> dict[str, Any]:
    return corepilot.job("app")


@pytest.mark.slow
def test_a_program_says_so(tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = f"""
tell("STATUS=warming up")
while not os.path.exists({str(go)!r}): time.sleep(0.01)
tell("READY=1\\nSTATUS=at work")
time.sleep(1000)
"""
    with Corepilot(config("{notify: true}", program), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: app(corepilot)["said"] == "warming up")
        assert app(corepilot)["ready"] is False
        assert "then it ran" not in corepilot.output
        assert "running (not ready)" in corepilot.client("status", "app").stdout
        go.touch()
        corepilot.until("then it ran")
        assert corepilot.client("wait", "app", "--for", "ready").returncode == 0
        assert (app(corepilot)["ready"], app(corepilot)["said"]) == (True, "at work")
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_child_of_the_program_may_say_it_in_a_session_of_its_own(tmp_path: Path) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    tell("READY=1")
    time.sleep(1000)
time.sleep(1000)
"""
    with Corepilot(config("{notify: true}", program), tmp_path) as corepilot:
        corepilot.until("then it ran")
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_nobody_else_can_say_it(tmp_path: Path) -> None:
    address = tmp_path / "address"
    program = f"""
open({str(address)!r}, "w").write(os.environ["NOTIFY_SOCKET"])
time.sleep(1000)
"""
    with Corepilot(config("{notify: true}", program), tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: address.exists() and address.read_text() != "")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"READY=1", "\0" + address.read_text()[1:])
        corepilot.until(f"a message about readiness from process {os.getpid()} is ignored")
        assert app(corepilot)["ready"] is False
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_flood_of_messages_holds_nobody_up(tmp_path: Path) -> None:
    program = """
tell("READY=1")
while True: tell("STATUS=" + "x" * 3000)
"""
    with Corepilot(config("{notify: true}", program), tmp_path) as corepilot:
        corepilot.until("then it ran")
        eventually(lambda: app(corepilot)["said"] == "x" * 256)
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_descriptors_that_come_with_a_message_are_closed(tmp_path: Path) -> None:
    """sd_notify_barrier(3) waits for that."""
    program = """
import array
tell("READY=1")
address = "\\0" + os.environ["NOTIFY_SOCKET"][1:]
read_end, write_end = os.pipe()
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write_end] * 3))]
sock.sendmsg([b"BARRIER=1"], rights, 0, address)
os.close(write_end)
print("barrier", os.read(read_end, 1), flush=True)
time.sleep(1000)
"""
    with Corepilot(config("{notify: true}", program), tmp_path) as corepilot:
        corepilot.until("barrier b''")
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_watchdog_that_is_missed_restarts_the_job(tmp_path: Path) -> None:
    program = """
assert os.environ["WATCHDOG_USEC"] == "3000000"
tell("READY=1")
for _ in range(6):
    tell("WATCHDOG=1")
    time.sleep(0.3)
print("now it hangs", flush=True)
time.sleep(1000)
"""
    text = config('{notify: true, watchdog: "3s"}', program, more="restarts: 1")
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until("now it hangs")
        assert app(corepilot)["starts"] == 1
        corepilot.until("no WATCHDOG=1 within 3 s")
        eventually(lambda: app(corepilot)["starts"] == 2 and app(corepilot)["last_status"] == 143)
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_job_that_is_not_ready_in_time_fails_even_if_it_ends_well(tmp_path: Path) -> None:
    text = shell('{file: "%(dir)s/pid"}', "trap 'exit 0' TERM; sleep 1000 & wait", more='readyTimeout: "500ms"')
    with Corepilot(text, tmp_path) as corepilot:
        assert corepilot.wait() == 143
        assert "not ready within 0.5 s; raise readyTimeout" in corepilot.output
        assert "then it ran" not in corepilot.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ready", "script"),
    [
        ('{log: "^ready for \\\\d+ clients$"}', "echo almost ready for 3; echo ready for 3 clients >&2; sleep 1000"),
        ('{log: "open for business"}', "printf 'now open for '; printf 'business\\n'; sleep 1000"),
        ('{file: "%(dir)s/pid"}', "echo $$ > %(dir)s/pid; sleep 1000"),
        ('{after: "300ms"}', "sleep 1000"),
        ("{fd: 3}", "echo >&3; exec 3>&-; sleep 1000"),
        ("{fd: 9}", "printf 'ok\\n' >&9; sleep 1000"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", ["", 'umask: "027"'])  # with a setting that needs a launcher before the program
def test_other_ways(tmp_path: Path, ready: str, script: str, more: str) -> None:
    (tmp_path / "pid").write_text("1")  # left by an earlier run
    with Corepilot(shell(ready, script, more=more), tmp_path) as corepilot:
        corepilot.until("then it ran")
        assert app(corepilot)["ready"] is True
        assert corepilot.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ready", "script"),
    [
        ('{log: "ready"}', "echo not yet; sleep 1000"),
        ('{file: "%(dir)s/pid"}', "sleep 1000"),
        ("{fd: 3}", "printf 'no newline' >&3; exec 3>&-; sleep 1000"),
        ("{notify: true}", "sleep 1000"),
    ],
)
def test_what_shows_nothing(tmp_path: Path, ready: str, script: str) -> None:
    """A file of an earlier run, a descriptor that is closed without a newline, and the like."""
    (tmp_path / "pid").write_text("1")
    with Corepilot(shell(ready, script, more='readyTimeout: "700ms"'), tmp_path) as corepilot:
        assert corepilot.wait() == 143
        assert "then it ran" not in corepilot.output


@pytest.mark.slow
def test_checks_that_pass(tmp_path: Path) -> None:
    file = shlex.quote(str(tmp_path / "up"))
    health = f'health: {{exec: ["test", "-e", {str(tmp_path / "up")!r}], interval: 1, ttl: 5}}'
    with Corepilot(shell("{check: true}", f"sleep 1.5; touch {file}; sleep 1000", more=health), tmp_path) as corepilot:
        corepilot.until("then it ran")
        assert app(corepilot)["health"] == "healthy"
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_what_systemd_gave_to_corepilot_itself_stays_there(tmp_path: Path) -> None:
    """It names a process that the jobs are not; a configuration may pass it on, at its start and after a reload."""
    outer = {
        "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": "/run/outer",
        "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "web",
    }  # fmt: skip
    names = "".join([f"${name}" for name in outer])
    health = "health: {exec: 'true', interval: 1, ttl: 5}, env: {PASSED: '{{ .NOTIFY_SOCKET }}'}"
    text = shell('{after: "0"}', f'echo "outer [{names}] passed [$PASSED]"; sleep 1000', more=health)
    with Corepilot(text, tmp_path, environment=outer) as corepilot:
        corepilot.until("outer [] passed [/run/outer]")
        assert corepilot.client("reload", "--all").returncode == 0
        eventually(lambda: corepilot.output.count("outer [] passed [/run/outer]") == 2)
        assert corepilot.stop() == 0


@pytest.mark.slow
def test_a_check_that_fails_restarts_the_job_and_a_passing_one_is_quiet(tmp_path: Path) -> None:
    script = "test -e %(dir)s/bad || exec echo fine as ever; rm %(dir)s/bad; echo it is bad"
    health = (
        f'health: {{exec: ["sh", "-c", "{script}; false"], interval: 1, ttl: 5, onUnhealthy: "restart", '
        'logging: "failures"}, restarts: 1'
    )
    text = (
        '{control: {socket: "%(dir)s/control.socket"}, discovery: false, stopTimeout: 2, jobs: ['
        f'{{name: "app", exec: ["sh", "-c", "trap \'exit 0\' TERM; sleep 1000 & wait"], {health}}}]}}'
    )
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until_ready()
        eventually(lambda: app(corepilot)["checks"][0]["output"] == "fine as ever")
        assert app(corepilot)["starts"] == 1
        (tmp_path / "bad").touch()
        corepilot.until("check.app fails: it is bad")
        eventually(lambda: app(corepilot)["starts"] == 2 and app(corepilot)["health"] == "healthy")
        assert app(corepilot)["last_status"] == 143
        assert "fine as ever" not in corepilot.output
        assert corepilot.stop() == 0
