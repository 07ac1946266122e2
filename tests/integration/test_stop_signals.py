"""Which signals ask for a stop: of PID 1, and by `stopSignals`; and that one request in two ways is one (F6, F12)."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from eventually import eventually
from recording import config
from running import PIDNS, Corepilot, cli

RTMIN_3 = 37
_SCRIPT = "trap 'sleep 0.3; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
POLITE = f'{{name: "polite", exec: ["sh", "-c", "{_SCRIPT}"]}}'
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGWINCH, RTMIN_3])
def test_pid_1_stops_at_what_images_name_as_stop_signal(tmp_path: Path, number: int) -> None:
    with Corepilot(config(POLITE), tmp_path, prefix=PIDNS) as corepilot:
        corepilot.until("up\n")
        corepilot.signal(number)
        assert corepilot.wait() == 0
        name = {RTMIN_3: "SIGRTMIN+3"}.get(number) or signal.Signals(number).name
        assert f"stopping: {name}" in corepilot.output
        assert "bye" in corepilot.output
        assert "Greenlet" not in corepilot.output


def test_another_process_than_pid_1_goes_on(tmp_path: Path) -> None:
    jobs = f'{POLITE}, {{name: "hup", exec: "echo ran", when: {{source: "SIGHUP"}}}}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        corepilot.until_ready()
        for number in (signal.SIGWINCH, RTMIN_3, signal.SIGHUP):
            corepilot.signal(number)
        corepilot.until("ran\n")
        assert corepilot.stop() == 0
        assert "stopping: SIGTERM" in corepilot.output


@pytest.mark.parametrize("prefix", [(), PIDNS], ids=["child", "pid1"])
def test_further_signals_can_be_named_and_named_anew(tmp_path: Path, prefix: list[str]) -> None:
    log = 'logging: {output: "%(dir)s/log"},'
    with Corepilot(config(POLITE, f'stopSignals: ["RTMIN+5"], {log}'), tmp_path, prefix=prefix) as corepilot:
        corepilot.until_ready()
        corepilot.configure(config(POLITE, f'stopSignals: ["usr1", "SIGUSR1", 12], {log}'))
        assert corepilot.client("reload").returncode == 0
        corepilot.signal(signal.SIGRTMIN + 5)  # has no meaning any more
        corepilot.signal(signal.SIGUSR1)
        assert corepilot.wait() == 0
        assert "stopping: SIGUSR1" in (tmp_path / "log").read_text()


def test_a_stop_by_a_named_signal_is_the_guards_too(tmp_path: Path) -> None:
    """A supervisor that stands still is not waited for, as with SIGTERM."""
    with Corepilot(config('{name: "a", exec: "sleep 1000"}', 'stopSignals: ["USR2"],'), tmp_path) as corepilot:
        corepilot.until_ready()
        os.kill(corepilot.supervisor, signal.SIGSTOP)
        corepilot.signal(signal.SIGUSR2)
        assert corepilot.wait() == 70
        assert "did not begin to stop within" in corepilot.output
        assert "of SIGUSR2" in corepilot.output


def test_what_cannot_ask_for_a_stop_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    jobs = '{name: "hup", exec: "true", when: {source: "SIGHUP"}}'
    file.write_text(f'{{stopSignals: ["KILL", "NONE", "HUP", "CHLD", "PWR"], jobs: [{jobs}]}}')
    answer = cli("check", str(file))
    assert answer.returncode == 1
    for text in (
        "cannot use stopSignals[0]: SIGKILL cannot ask for a stop",
        "cannot use stopSignals[1]: 'NONE' is no signal",
        "cannot use stopSignals[2]: SIGHUP starts jobs[0], and can mean one thing only",
        "cannot use stopSignals[3]: SIGCHLD cannot ask for a stop",
    ):
        assert text in answer.stdout + answer.stderr
    assert "stopSignals[4]" not in answer.stdout + answer.stderr


def test_stacks_can_be_looked_at_while_everything_goes_on(tmp_path: Path) -> None:
    with Corepilot(config(POLITE), tmp_path, prefix=PIDNS) as corepilot:
        corepilot.until_ready()
        shown = corepilot.client("debug", "stacks")
        assert shown.returncode == 0
        assert "Greenlet" in shown.stdout
        assert "corepilot/supervisor/app.py" in shown.stdout
        wrong = corepilot.client("debug", "stack")
        assert (wrong.returncode, wrong.stderr) == (
            2,
            "corepilot: cannot show 'stack': it is stacks; did you mean 'stacks'?\n",
        )
        assert corepilot.stop() == 0


def names(pid: int) -> list[str]:
    """The names of a process and of its descendants."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        found.append(Path(f"/proc/{pid}/comm").read_text().strip())
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += names(int(child))
    return found


@pytest.mark.parametrize("name", ["corepilot", "containerpilot"])
def test_pkill_ends_everything_once_and_in_order(tmp_path: Path, name: str) -> None:
    """It reaches guard and supervisor, and a second SIGTERM would mean: at once (F6)."""
    file, out = tmp_path / "c.json5", tmp_path / "out"
    jobs = f"""{POLITE}, {{name: "end", exec: ["sh", "-c", "pkill -TERM {name}; sleep 1000"],
        when: {{source: "SIGHUP"}}}}"""
    file.write_text(config(jobs).replace("%(dir)s", str(tmp_path)))
    words = {"corepilot": ["run", "-c"], "containerpilot": ["-config"]}[name]
    with out.open("wb") as output:
        process = subprocess.Popen([*PIDNS, str(PROGRAMS / name), *words, str(file)], stdout=output, stderr=output)
    try:
        eventually(lambda: "up\n" in out.read_text() and " runs " in out.read_text(), message="the start")
        assert names(process.pid).count(name) == 2
        os.kill(int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]), signal.SIGHUP)
        assert process.wait(30) == 0
        assert "bye" in out.read_text()
        assert "no process had to be killed" in out.read_text()
    finally:
        process.kill()
        process.wait()


def test_pidof_and_ps_find_the_guard_as_pid_1_and_the_supervisor(tmp_path: Path) -> None:
    """They look at the command line, of which each has a copy."""
    job = '{name: "a", exec: ["sh", "-c", "echo pids $(pidof corepilot); sleep 1000"]}'
    with Corepilot(config(job), tmp_path, prefix=PIDNS) as corepilot:
        corepilot.until_ready()
        eventually(lambda: re.search(r"pids \d+ 1$", corepilot.output, re.MULTILINE), message="guard and supervisor")
        for pid in corepilot.guard, corepilot.supervisor:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            assert line[:2] == [b"corepilot", b"run"]
            assert line[-1].endswith(b".json5")
            assert b"PATH=" in Path(f"/proc/{pid}/environ").read_bytes()  # it follows the line in memory
        assert corepilot.stop() == 0


def test_a_loader_is_called_as_the_others_are(tmp_path: Path) -> None:
    """The first one is forked, the others are started anew."""
    slow = "{{ range $i, $x := loop 300000 }}{{ end }}"
    with Corepilot(config(POLITE), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.configure(f"{slow} {config(POLITE)}")
        with subprocess.Popen([str(PROGRAMS / "corepilot"), "reload", "--socket", str(corepilot.socket)]) as reload:
            eventually(lambda: names(corepilot.guard).count("corepilot") == 3, message="the loader's name")
            reload.wait(30)
        assert corepilot.stop() == 0


def test_a_terminal_that_gets_another_size_stops_nothing(tmp_path: Path) -> None:
    """The kernel sends SIGWINCH then, which is no request."""
    file = tmp_path / "c.json5"
    file.write_text(config(POLITE, 'logging: {output: "%(dir)s/log"},').replace("%(dir)s", str(tmp_path)))
    log = tmp_path / "log"
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", *PIDNS, str(PROGRAMS / "corepilot"), "run", "-c", str(file)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        os.close(theirs)
        eventually(lambda: log.exists() and " runs " in log.read_text(), message="the start")
        init = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        for rows in (30, 40, 50):
            termios.tcsetwinsize(ours, (rows, 80))
        assert cli("ping", "--socket", str(tmp_path / "control.socket")).returncode == 0
        assert "stopping" not in log.read_text()
        os.kill(init, signal.SIGWINCH)
        assert process.wait(30) == 0
        assert "stopping: SIGWINCH" in log.read_text()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
