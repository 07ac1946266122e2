"""`corepilot -- COMMAND`: statuses, signals, orphans and leftovers, as PID 1 and not, with real processes."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from guarding import Running, children_of, program, zombies_of

from corepilot.guard.wrapping import FORWARDED

CHECKOUT = str(Path(__file__).parents[2])
DROPPED_BY_DEFAULT = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
STOPPING_BY_DEFAULT = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
FATAL = sorted(set(range(1, 32)) - DROPPED_BY_DEFAULT - STOPPING_BY_DEFAULT)
both = pytest.mark.parametrize("as_pid_1", [False, True], ids=["plain", "pid1"])


def wrapper(*command: object) -> list[str]:
    return program("wrapper", *command)


def statuses(commands: list[list[str]]) -> list[int]:
    """The exit statuses of all the commands, run eight at a time."""
    found = []
    for first in range(0, len(commands), 8):
        environment = os.environ | {"COREPILOT_CHECKOUT": CHECKOUT, "ANNOUNCE": "2"}
        batch = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
            for command in commands[first : first + 8]
        ]
        found += [process.wait(30) for process in batch]
    return found


@pytest.mark.slow
def test_every_exit_code_passes_through() -> None:
    assert statuses([wrapper("sh", "-c", f"exit {code}") for code in range(256)]) == list(range(256))


@pytest.mark.slow
def test_every_exit_code_passes_through_pid_1() -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc"]
    codes = [0, 1, 2, 63, 64, 70, 125, 126, 127, 128, 137, 143, 254, 255]
    assert statuses([[*unshare, *wrapper("sh", "-c", f"exit {code}")] for code in codes]) == codes


@pytest.mark.slow
def test_every_fatal_signal_becomes_128_and_its_number() -> None:
    commands = [wrapper("sh", "-c", f"ulimit -c 0; kill -{number} $$") for number in FATAL]
    assert statuses(commands) == [128 + number for number in FATAL]


def test_signals_that_end_nothing_leave_the_status_alone() -> None:
    assert statuses([wrapper("sh", "-c", f"kill -{number} $$; exit 9") for number in DROPPED_BY_DEFAULT]) == [9] * 4


@both
def test_each_forwardable_signal_reaches_the_command_once(*, as_pid_1: bool) -> None:
    expected = sorted(FORWARDED - {signal.SIGTERM})
    with Running(wrapper(*program("recorder")), as_pid_1=as_pid_1) as run:
        run.announced("ready")
        for number in expected:
            run.send(number)
            assert run.announced("signal") == str(int(number))
        run.send(signal.SIGTERM)
        assert list(run.lines()) == [f"signal {signal.SIGTERM:d}"]
        assert run.status() == 0


def test_signals_about_the_guard_itself_are_not_forwarded() -> None:
    with Running(wrapper(*program("recorder"))) as run:
        run.announced("ready")
        for number in (signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGCHLD):
            run.send(number)
        run.send(signal.SIGTERM)
        assert list(run.lines()) == [f"signal {signal.SIGTERM:d}"]


def test_the_command_starts_with_nothing_blocked_or_ignored() -> None:
    def hostile() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM, signal.SIGRTMIN})
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP, signal.SIGTSTP, signal.SIGRTMAX):
            signal.signal(number, signal.SIG_IGN)

    look = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    with Running(look, preexec_fn=hostile, stdout=subprocess.PIPE) as control:
        assert control.process.stdout
        blocked, ignored = control.process.stdout.read().split()[1::2]
        assert int(blocked, 16)
        assert int(ignored, 16)
        control.process.stdout.close()
    with Running(wrapper(*look), preexec_fn=hostile, stdout=subprocess.PIPE) as run:
        assert run.process.stdout
        lines = run.process.stdout.read().split()
        run.process.stdout.close()
        assert lines == [b"SigBlk:", b"0" * 16, b"SigIgn:", b"0" * 16]
        assert run.status() == 0  # and SIGCHLD, inherited as ignored, has not cost us the status


def test_descriptors_and_environment_are_the_commands_own() -> None:
    odd = {"ODD": os.fsdecode(b"\xff=\xfe"), "EMPTY": ""}
    with Running(wrapper("env", "-0"), env=odd, stdout=subprocess.PIPE) as run:
        assert run.process.stdout
        given = dict(entry.split(b"=", 1) for entry in run.process.stdout.read().rstrip(b"\0").split(b"\0"))
        run.process.stdout.close()
        assert given[b"ODD"] == b"\xff=\xfe"
        assert given[b"EMPTY"] == b""
        assert run.status() == 0
    read_end, write_end = os.pipe()
    with Running(wrapper("readlink", f"/proc/self/fd/{read_end}"), pass_fds=[read_end], stdout=subprocess.PIPE) as run:
        assert run.process.stdout
        assert run.process.stdout.read().startswith(b"pipe:")
        run.process.stdout.close()
        assert run.status() == 0
    os.close(read_end)
    os.close(write_end)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    for name, text, mode in (
        ("plain", "#!/bin/sh\nexit 11\n", 0o755),
        ("bare", 'exit "$1"\n', 0o755),
        ("locked", "#!/bin/sh\nexit 11\n", 0o644),
        ("orphaned", "#!/no/such/interpreter\n", 0o755),
        ("broken", "\x7fELF\n", 0o755),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("plain", 11, ""),
        ("{}/plain", 11, ""),
        ("bare 12", 12, ""),
        ("locked", 126, "{}/locked is not executable for this user; chmod +x it, or look at its folders' rights"),
        ("{}/locked", 126, "{}/locked is not executable for this user; chmod +x it, or look at its folders' rights"),
        ("{}/folder", 126, "{}/folder is a directory"),
        ("orphaned", 126, "the interpreter or loader that {}/orphaned names is missing"),
        ("missing", 127, "not found in PATH (/no/such:{})"),
        ("{}/missing", 127, "no such file: {}/missing"),
        ("{}/plain/missing", 127, "no such file: {}/plain/missing"),
    ],
)
def test_commands_are_found_and_failures_explained(commands: Path, command: str, status: int, message: str) -> None:
    argv = command.format(commands).split()
    with Running(wrapper(*argv), env={"PATH_OF_COMMAND": f"/no/such:{commands}"}) as run:
        assert run.status() == status
        assert list(run.lines()) == []
        expected = f"corepilot: cannot run '{argv[0]}': {message.format(commands)}\n" if message else ""
        assert run.stderr() == expected


def test_an_empty_name_is_not_found() -> None:
    with Running(wrapper("")) as run:
        assert run.status() == 127
        assert "cannot run ''" in run.stderr()


def test_arguments_too_long_are_explained() -> None:
    script = f"""import sys
sys.path.insert(0, {CHECKOUT!r})
from corepilot.guard import wrap
sys.exit(wrap(["true", "x" * 200_000], environment={{"PATH": "/bin"}}))"""
    with Running([sys.executable, "-I", "-c", script]) as run:
        assert run.status() == 126
        assert run.stderr() == f"corepilot: cannot run 'true': /bin/true: {os.strerror(errno.E2BIG)}\n"


@both
@pytest.mark.slow
def test_five_thousand_orphans_leave_no_zombie(*, as_pid_1: bool) -> None:
    with Running(wrapper(*program("orphans", 5000)), as_pid_1=as_pid_1) as run:
        run.announced("done", 60)
        eventually(lambda: len(children_of(run.pid)) == 1, message="only the command is left")
        run.send(signal.SIGTERM)
        assert run.status() == 128 + signal.SIGTERM


def test_without_the_guard_orphans_stay_zombies() -> None:
    with Running(program("careless", *program("orphans", 100))) as run:
        run.announced("done")
        eventually(lambda: len(zombies_of(run.pid)) == 100)


@pytest.mark.parametrize("how", [("daemon", "ignore"), ("daemon", "ignore", "child"), ("session", "ignore", "stop")])
@both
def test_nothing_survives_the_command(how: tuple[str, ...], *, as_pid_1: bool) -> None:
    with Running(wrapper(*program("starter", 5, *how)), as_pid_1=as_pid_1) as run:
        run.announced("job")
        assert run.status() == 5
        assert run.alive() == []


def test_without_the_guard_they_do_survive() -> None:
    with Running(program("starter", 5, "daemon", "ignore")) as run:
        run.announced("job")
        assert run.status() == 5
        assert len(run.alive()) == 1


def test_leftovers_that_obey_are_asked_once_and_may_finish() -> None:
    with Running(wrapper(*program("starter", 5, "daemon", "obey"))) as run:
        pid = run.announced("job")
        assert run.announced("term") == f"{pid} 1"
        assert run.status() == 5
        assert list(run.lines()) == []


def test_a_term_shortens_the_wait_for_leftovers() -> None:
    with Running(wrapper(*program("starter", 5, "daemon", "note"))) as run:
        run.announced("term")
        run.send(signal.SIGTERM)
        assert run.status() == 5
        assert list(run.lines()) == []


WITHOUT_PROC = ["unshare", "--mount", "sh", "-c", 'umount -l /proc; exec "$@"', "-"]
WITHOUT_PROC_AS_PID_1 = [*WITHOUT_PROC[:1], "--pid", "--fork", "--kill-child", *WITHOUT_PROC[1:]]


@pytest.mark.parametrize("how", ["ignore", "obey"])
def test_without_proc_the_group_of_the_command_is_ended(how: str) -> None:
    with Running([*WITHOUT_PROC, *wrapper(*program("starter", 5, how, "child"))]) as run:
        pids = {run.announced("job"), run.announced("job")}
        terms = {f"term {pid} 1" for pid in pids} if how == "obey" else set()
        assert run.status() == 5
        assert set(run.lines()) == terms
        assert run.alive() == []
        assert run.stderr() == ""


def test_without_proc_pid_1_ends_everything() -> None:
    with Running([*WITHOUT_PROC_AS_PID_1, *wrapper(*program("starter", 5, "session", "obey"))]) as run:
        pid = run.announced("job")
        assert run.announced("term") == f"{pid} 1"
        assert run.status() == 5
        assert run.stderr() == ""


def test_without_proc_what_cannot_be_found_is_given_up() -> None:
    with Running([*WITHOUT_PROC, *wrapper(*program("starter", 5, "daemon", "ignore"))]) as run:
        run.announced("job")
        assert run.status(10) == 5
        assert run.stderr() == (
            "corepilot: cannot find the processes that are left, giving up: /proc is not mounted, or is that of "
            "another PID namespace; mount it (mount -t proc proc /proc)\n"
        )


def test_a_kernel_that_tells_of_no_parents_death_is_survived() -> None:
    _, *words = wrapper("sh", "-c", "exit 7")
    with Running(program("refused", *words)) as run:
        assert run.status() == 7
        assert run.stderr() == (
            "corepilot: cannot watch for the parent's death: prctl(1): Operation not permitted; "
            "nothing ends this process when its parent is killed\n"
        )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_death_of_the_guard_sends_the_command_a_term(number: int) -> None:
    with Running(wrapper(*program("recorder"))) as run:
        run.announced("ready")
        run.send(number)
        assert run.announced("signal") == str(int(signal.SIGTERM))
        assert run.status() == -number


def test_a_term_in_the_first_moments_ends_the_command() -> None:
    blocked: dict[str, Any] = {"preexec_fn": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})}
    with Running(wrapper("sleep", "60"), **blocked) as run:
        run.send(signal.SIGTERM)  # pending before the interpreter has begun
        assert run.status() == 128 + signal.SIGTERM


def test_a_guard_ends_at_once_and_what_it_was_about_to_write_is_written() -> None:
    program = """
import atexit, sys
atexit.register(print, "taken apart")
print("before")
from corepilot.cli.main import main
sys.exit(main())
"""
    command = [sys.executable, "-I", "-c", program, "--", "sh", "-c", "exit 7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "before\n", "")
