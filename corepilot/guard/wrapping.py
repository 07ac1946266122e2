"""`corepilot -- COMMAND`: run one command as an init would, and be nothing more.

The command is our child in a process group of its own, with default dispositions, nothing blocked, and
the descriptors and the environment it would have had without us. As with tini and dumb-init, its status is ours,
signals are passed on to it and orphans are collected; unlike them, what the command leaves behind is ended before we
exit, and where we are not PID 1 the command gets SIGTERM when we are killed.
"""

from __future__ import annotations

import errno
import os

from corepilot.guard.child import adopt_orphans, watch_parent
from corepilot.guard.messages import speaker
from corepilot.guard.terminal import Terminal
from corepilot.guard.tree import LEFTOVER_GRACE_S, end_tree, reap, send, wait_for
from corepilot.system import kernel
from corepilot.system.kernel import signal
from corepilot.system.programs import NOT_EXECUTABLE, ProgramError, find_program

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

_KILLED = 128
# About what this process does itself: its own faults, its writes, its terminal, its limits.
_OWN = kernel.FAULTS | {
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGXCPU,
    signal.SIGXFSZ,
}
FORWARDED = frozenset(signal.valid_signals()) - _OWN - {signal.SIGKILL, signal.SIGSTOP}
_TAKEN = FORWARDED | {signal.SIGCHLD}


def wrap(argv: Sequence[str], *, environment: Mapping[bytes, bytes] | Mapping[str, str]) -> int:
    """Run a command and wait for it and for everything it started.

    To be called once, in the main thread of a process without other threads or children. All signals stay
    blocked in this process, afterwards too: the caller exits. The messages go to stderr, one line each.

    Forwarded to the command: every signal but those about our own doing (faults, SIGCHLD, SIGPIPE, SIGTTIN,
    SIGTTOU, SIGXCPU, SIGXFSZ). Processes left over when the command ends get SIGTERM and SIGCONT, and SIGKILL
    after 1 s, or when we get a SIGTERM or SIGINT; without any, the return is immediate.

    Args:
        argv: the command and its arguments. A name without a slash is looked for in the environment's PATH
            (`corepilot.system.programs`), and a file of unknown format is run by /bin/sh, as execvp(3) does.
        environment: all of the command's environment.

    Returns:
        The command's exit status; 128+n when signal n killed it; 126 when it cannot be executed or started; 127 when
        it is not found.

    Raises:
        ValueError: argv is empty.
    """
    if not argv:
        raise ValueError("cannot run nothing: a command needs a name")
    kernel.block_signals()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited as ignored, it would make children vanish unseen
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)  # for the one moment it is let through
    say = speaker("corepilot")
    if os.getpid() != 1:
        adopt_orphans(say)
    terminal = Terminal()
    guard = os.getpid()
    try:
        reason, failure_fd = os.pipe()  # close-on-exec, both: silence means that the command runs
        pid = os.fork()
    except OSError as error:
        say(f"cannot run '{argv[0]}': {error.strerror}; is a limit on processes or descriptors reached?")
        return NOT_EXECUTABLE
    if pid == 0:
        _become(argv, environment, failure_fd, terminal, guard=guard, say=say)
    os.close(failure_fd)
    code = os.waitstatus_to_exitcode(_serve(pid, terminal))
    if terminal.hands_over:
        terminal.take_back(pid)
    failure = os.read(reason, 2048)
    if failure:
        say(failure.decode("utf-8", "replace"))
    end_tree(LEFTOVER_GRACE_S, say=say, group=pid)
    return code if code >= 0 else _KILLED - code


def _serve(command: int, terminal: Terminal) -> int:
    """Pass signals on and collect children until the command has ended; return its wait status."""
    while True:
        for pid, status in reap(os.WUNTRACED):
            if pid == command:
                if not os.WIFSTOPPED(status):
                    return status
                terminal.stopped(command, os.WSTOPSIG(status))
        number = wait_for(_TAKEN, None)
        if number == signal.SIGCONT:
            terminal.resumed(command)
        elif number in FORWARDED:
            send(command, number)


def _become(
    argv: Sequence[str],
    environment: Mapping[bytes, bytes] | Mapping[str, str],
    failure_fd: int,
    terminal: Terminal,
    *,
    guard: int,
    say: Callable[[str], None],
) -> NoReturn:
    status = NOT_EXECUTABLE
    try:
        os.setpgid(0, 0)
        if terminal.hands_over:
            terminal.give_to(os.getpid())
        kernel.reset_dispositions(to_run_python=False)
        if guard != 1:
            watch_parent(signal.SIGTERM, say)
            if os.getppid() not in {guard, 0}:  # dead already, so no signal will come; 0 is another PID namespace
                os._exit(NOT_EXECUTABLE)
        kernel.unblock_signals()
        status, cause = _execute(list(argv), _encoded(environment))
        os.write(failure_fd, f"cannot run '{argv[0]}': {cause}".encode("utf-8", "replace")[:2048])
    except BaseException as error:  # noqa: BLE001  - whatever it is, the guard's code must not run twice
        os.write(failure_fd, f"cannot run '{argv[0]}': {error}".encode("utf-8", "replace")[:2048])
    finally:
        os._exit(status)


def _encoded(environment: Mapping[bytes, bytes] | Mapping[str, str]) -> dict[bytes, bytes]:
    return {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


def _execute(argv: list[str], environment: dict[bytes, bytes]) -> tuple[int, str]:
    """Become the command, or return the status and the cause."""
    path = environment.get(b"PATH")
    try:
        file = find_program(argv[0], None if path is None else os.fsdecode(path))
    except ProgramError as error:
        return error.status, str(error)
    number = _try(file, argv, environment)
    if number == errno.ENOEXEC:  # as execvp(3): a script without a first line that names its interpreter
        _try("/bin/sh", ["/bin/sh", file, *argv[1:]], environment)
    if number in {errno.ENOENT, errno.ENOTDIR}:
        return NOT_EXECUTABLE, f"the interpreter or loader that {file} names is missing"
    return NOT_EXECUTABLE, f"{file}: {os.strerror(number)}"


def _try(file: str, argv: list[str], environment: dict[bytes, bytes]) -> int:
    try:
        os.execve(file, argv, environment)  # noqa: S606  - no shell is the point
    except OSError as error:
        return error.errno or 0
