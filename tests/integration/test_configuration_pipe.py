"""A configuration that comes through a pipe, as ContainerPilot reads it (its contract, section 1.2)."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from running import Corepilot, cli

from corepilot.testing.running import COMMAND

OLD = [sys.executable, "-I", "-m", "corepilot.cli.containerpilot"]
TEXT = '{ consul: false, control: { socket: "%s/control.socket" }, jobs: [{ name: "a", exec: "echo it runs" }] }'


def through(words: list[str], text: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command with a pipe at the descriptor that `{}` in its words stands for."""
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    try:
        return subprocess.run(
            [word.format(read_end) for word in words],
            pass_fds=[read_end],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    finally:
        os.close(read_end)


@pytest.mark.parametrize(
    "words",
    [[*COMMAND, "run", "-c", "/dev/fd/{}"], [*COMMAND, "--config=/dev/fd/{}"], [*OLD, "-config=/proc/self/fd/{}"]],
)
def test_it_runs_what_a_shell_makes_of_a_command(tmp_path: Path, words: list[str]) -> None:
    answer = through(words, TEXT % tmp_path, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "it runs" in answer.stdout


def test_check_and_clients_read_it_too(tmp_path: Path) -> None:
    assert ": ok (1 job, " in through([*COMMAND, "check", "/dev/fd/{}"], TEXT % tmp_path, tmp_path).stdout
    answer = through([*COMMAND, "ping", "-c", "/dev/fd/{}"], TEXT % tmp_path, tmp_path)
    assert f"no socket at {tmp_path}/control.socket" in answer.stderr


def test_it_runs_what_comes_on_standard_input(tmp_path: Path) -> None:
    answer = subprocess.run(
        [*COMMAND, "run", "-c", "/dev/stdin"],
        input=TEXT % tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "it runs" in answer.stdout


class Fed(Corepilot):
    """One whose configuration is a FIFO."""

    def configure(self, config: str) -> None:
        if not self.file.exists():
            os.mkfifo(self.file)
        self.feeding = threading.Thread(target=super().configure, args=(config,))
        self.feeding.start()


def test_a_reload_judges_what_is_written_then(tmp_path: Path) -> None:
    job = '{ name: "a", exec: ["sh", "-c", "echo NAME; sleep 1000"] }'
    text = f'{{ control: {{ socket: "%(dir)s/control.socket" }}, jobs: [{job}] }}'
    with Fed(text.replace("NAME", "one"), tmp_path) as corepilot:
        corepilot.until("one")
        corepilot.until_ready()
        corepilot.feeding.join()
        corepilot.configure("{ jobs: 5 }")
        assert corepilot.client("reload").returncode == 1
        corepilot.feeding.join()
        corepilot.configure(text.replace("NAME", "two"))
        assert corepilot.client("reload").returncode == 0
        corepilot.until("two")
        corepilot.feeding.join()


def test_a_fifo_that_nobody_writes_ends_in_an_error_or_by_a_stop(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    answer = cli("ping", "-c", str(tmp_path / "fifo"))
    assert answer.returncode == 1
    assert "it is a pipe, and not all of it was written within 2 s" in answer.stderr
    waiting = subprocess.Popen([*COMMAND, "run", "-c", str(tmp_path / "fifo")], stderr=subprocess.PIPE)
    try:
        with (tmp_path / "fifo").open("wb"):  # it waits now
            waiting.send_signal(signal.SIGTERM)
            assert waiting.wait(20) == 0
    finally:
        waiting.kill()
        waiting.communicate()
