"""The guard on a terminal: who gets Ctrl-C, once, and job control under a real shell."""

import contextlib
import os
import pty
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import join

import pytest
from eventually import eventually
from guarding import Running, children_of, program, state

from corepilot.testing.running import COMMAND

CTRL_C = b"\x03"
CTRL_Z = b"\x1a"


class Screen:
    """The far side of a terminal: types, and reads what is shown."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._shown = ""

    def type(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def shows(self, text: str, deadline_s: float = 20) -> None:
        """Wait for a text, and forget everything up to its end."""
        deadline = time.monotonic() + deadline_s
        while text not in self._shown:
            ready, _, _ = select.select([self._descriptor], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} was not shown within {deadline_s} s, but {self._shown!r}"
            self._shown += os.read(self._descriptor, 65536).decode(errors="replace")
        self._shown = self._shown.partition(text)[2]

    def rest(self) -> str:
        """What has been read and not waited for."""
        return self._shown


@contextlib.contextmanager
def on_a_terminal(command: list[str]) -> Iterator[tuple[Running, Screen]]:
    """Run a command as the leader of a session that has a new terminal, in its foreground."""
    ours, theirs = pty.openpty()
    try:
        with Running(
            ["setsid", "--ctty", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=False,
            env={"PS1": "$ ", "TERM": "dumb"},
        ) as run:
            yield run, Screen(ours)
    finally:
        os.close(theirs)
        os.close(ours)


@contextlib.contextmanager
def in_a_shell(command: list[str]) -> Iterator[tuple[Running, Screen]]:
    """Type a command into an interactive bash."""
    with on_a_terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"]) as (run, screen):
        screen.shows("$ ")
        screen.type(join(command).encode() + b"\n")
        yield run, screen


def wrapped_recorder(*how: str) -> list[str]:
    return program("wrapper", *program("recorder", int(signal.SIGTERM), *how))


def test_ctrl_c_reaches_a_wrapped_command_once() -> None:
    with on_a_terminal(wrapped_recorder()) as (run, screen):
        recorder = int(run.announced("ready"))
        assert os.getpgid(recorder) == recorder
        screen.type(CTRL_C)
        assert run.announced("signal") == str(int(signal.SIGINT))
        run.send(signal.SIGTERM)
        assert list(run.lines()) == [f"signal {signal.SIGTERM:d}"]
        assert run.status() == 0


def test_ctrl_c_reaches_a_supervisor_once() -> None:
    with on_a_terminal(program("supervised", "records")) as (run, screen):
        run.announced("up")
        screen.type(CTRL_C)
        assert list(run.lines()) == [f"signal {signal.SIGINT:d}"]
        assert run.status() == 3


def test_ctrl_z_stops_neither_guard_nor_supervisor() -> None:
    with in_a_shell(program("supervised", "records")) as (run, screen):
        run.announced("up")
        screen.type(CTRL_Z + CTRL_C)
        assert run.announced("signal") == str(int(signal.SIGINT))
        screen.shows("$ ")
        screen.type(b"echo status $?.\n")
        screen.shows("status 3.")


def test_a_wrapped_command_reads_the_terminal() -> None:
    with in_a_shell(wrapped_recorder()) as (run, screen):
        run.announced("ready")
        screen.type(b"hello\n")
        assert run.announced("line") == "hello"


def test_the_shell_can_suspend_and_resume_a_wrapped_command() -> None:
    with in_a_shell(wrapped_recorder("stoppable")) as (run, screen):
        recorder = int(run.announced("ready"))
        for _ in range(2):
            screen.type(CTRL_Z)
            screen.shows("Stopped")
            assert state(recorder) == "T"
            screen.type(b"echo prompt $((6 * 7))\n")
            screen.shows("prompt 42")
            screen.type(b"fg\n")
            assert run.announced("signal") == str(int(signal.SIGCONT))
            screen.type(b"hello again\n")
            assert run.announced("line") == "hello again"
        screen.type(CTRL_C)
        assert run.announced("signal") == str(int(signal.SIGINT))


def test_a_wrapped_command_in_the_background_leaves_the_terminal_alone_until_fg() -> None:
    with in_a_shell(["bash", "-c", "true"]) as (run, screen):
        screen.type(join(wrapped_recorder("stoppable", "reads")).encode() + b" &\n")
        recorder = int(run.announced("ready"))
        screen.type(b"echo prompt $((6 * 7))\n")
        screen.shows("prompt 42")
        # It reads the terminal from the background, so it is stopped, and the guard stops with it. A `fg` between the
        # two would be undone by the second, as with every shell.
        wrapper = int(Path(f"/proc/{recorder}/stat").read_text().rpartition(")")[2].split()[1])
        eventually(lambda: state(wrapper) == "T", message="the guard's stop")
        screen.type(b"fg\n")
        screen.shows("wrapper.py")
        screen.type(b"hello\n")
        assert run.announced("line") == "hello"
        assert os.getpgid(recorder) == recorder


def test_the_terminal_comes_back_when_the_command_has_ended() -> None:
    """A script without job control reads on; its group would otherwise be in the background for good."""
    script = f"{join(program('wrapper', 'true'))}; read line; echo got $line."
    with in_a_shell(["sh", "-c", script]) as (_, screen):
        screen.shows("got $line.'")
        screen.type(b"it\n")
        screen.shows("got it.")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_without_a_shell_above_the_guard_does_not_stop(number: int) -> None:
    with on_a_terminal(wrapped_recorder("stoppable")) as (run, _):
        recorder = int(run.announced("ready"))
        os.kill(recorder, number)
        eventually(lambda: state(recorder) == "T")
        run.send(signal.SIGCONT)
        assert run.announced("signal") == str(int(signal.SIGCONT))
        run.send(signal.SIGTERM)
        assert run.status() == 0


def test_a_wrapped_shell_has_job_control_of_its_own() -> None:
    shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    with on_a_terminal(program("wrapper", *shell)) as (run, screen):
        screen.shows("$ ")
        screen.type(join(program("recorder", 15, "stoppable")).encode() + b"\n")
        recorder = int(run.announced("ready"))
        screen.type(CTRL_Z)
        screen.shows("Stopped")
        eventually(lambda: state(recorder) == "T")
        screen.type(b"fg\n")
        assert run.announced("signal") == str(int(signal.SIGCONT))
        screen.type(CTRL_C)
        assert run.announced("signal") == str(int(signal.SIGINT))
        os.kill(recorder, signal.SIGTERM)
        eventually(lambda: state(recorder) == "", message="the shell has collected it")
        assert len(children_of(run.pid)) == 1
        screen.type(b"exit 21\n")
        assert run.status() == 21


def test_one_ctrl_c_is_one_graceful_stop_of_every_job(tmp_path: Path) -> None:
    """The whole of corepilot on a terminal: jobs see one SIGTERM and no SIGINT, and have their time."""
    script = "trap 'echo int' INT; trap 'sleep 0.3; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    (tmp_path / "corepilot.json5").write_text(
        f'{{control: {{socket: "{tmp_path}/control.socket"}}, jobs: [{{name: "a", exec: ["sh", "-c", "{script}"]}}]}}'
    )
    with on_a_terminal([*COMMAND, "-c", str(tmp_path / "corepilot.json5")]) as (run, screen):
        screen.shows(" up")
        screen.type(CTRL_C)
        screen.shows("stopping: SIGINT")
        screen.shows(" bye")
        screen.shows("no process had to be killed")
        assert run.status() == 0
        assert "int" not in screen.rest()
