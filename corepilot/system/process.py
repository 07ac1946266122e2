"""Processes: the one spawn, the one reaper, and signals to groups.

gevent's libev loop calls waitpid(-1) by itself, so whoever waits beside it loses exit statuses. There is exactly one
waiter, `Reaper`, and a process is known to it in the same step in which it is spawned: an exit can neither be missed
nor come before its start. `os.posix_spawn` keeps a spawn at a tenth of a millisecond whatever our size.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from corepilot.system.kernel import signal
from corepilot.system.limits import JOB_LIMITS, SHORTAGES
from corepilot.system.programs import NOT_EXECUTABLE as NOT_EXECUTABLE  # noqa: PLC0414  - for whoever spawns
from corepilot.system.programs import NOT_FOUND, ProgramError, find_program
from corepilot.system.signal_names import Signalled

_ALL_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


LOST = 255
"""The exit status of a process whose own nobody can tell us any more."""


class SpawnError(Exception):
    """A program that could not be started. Nothing is left behind.

    Attributes:
        status: 127 for a program that is not there, 126 for any other reason.
        shortage: Whether this machine was out of descriptors, processes or memory: nothing is wrong with the program,
            and the same spawn may succeed a moment later.
    """

    def __init__(self, message: str, status: int, *, shortage: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.shortage = shortage


class Reaper:
    """Collects every child's exit status, ours and adopted ones. One for each process, before its first spawn.

    Args:
        loop: gevent's loop.
    """

    def __init__(self, loop: Any) -> None:
        self._waiting: dict[int, Callable[[int], None]] = {}
        self._missed: set[int] = set()
        self._loop = loop
        self.orphans = 0
        loop.install_sigchld()  # without it orphans that end before our first spawn stay zombies
        self._watcher = loop.child(0, ref=False)
        self._watcher.start(self._reaped)

    @property
    def alive(self) -> frozenset[int]:
        """The pids of the processes that were spawned here and have not ended."""
        return frozenset(self._waiting)

    def is_ours(self, pid: int) -> bool:
        """Whether a child was spawned here, and has not ended."""
        return pid in self._waiting

    def expect(self, pid: int, exited: Callable[[int], None]) -> None:
        """Call `exited` with the status (128+n for a signal) when this child ends. It must not raise."""
        self._waiting[pid] = exited

    def catch_again(self) -> None:
        """Have the loop's handler of SIGCHLD back, which somebody else's has replaced."""
        self._loop.reset_sigchld()
        self._loop.install_sigchld()
        os.kill(os.getpid(), signal.SIGCHLD)  # for those that have ended meanwhile

    def find_lost(self) -> int:
        """Find children whose exit somebody else has collected, with a status of `LOST`; returns how many.

        A child is lost when it is found so twice: what the loop has collected is told in its next turn.
        """
        missed = {pid for pid in self._waiting if not _collectable(pid)}
        lost, self._missed = missed & self._missed, missed - self._missed
        for pid in lost:
            self._waiting.pop(pid)(LOST)
        return len(lost)

    def close(self) -> None:
        """Stop to collect. For tests: the supervisor collects until it ends."""
        self._watcher.stop()
        self._watcher.close()

    def _reaped(self) -> None:
        exited = self._waiting.pop(self._watcher.rpid, None)
        if exited is None:
            self.orphans += 1
            return
        code = os.waitstatus_to_exitcode(self._watcher.rstatus)
        exited(code if code >= 0 else Signalled(128 - code))


def _collectable(pid: int) -> bool:
    """Whether a child is there, running or ended. Collects nothing."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def spawn(
    argv: Sequence[str],
    environment: Mapping[str, str],
    reaper: Reaper,
    exited: Callable[[int], None],
    *,
    output: int | None = None,
    errors: int | None = None,
    stdin: int | None = None,
    own: bool = False,
    inherited: Mapping[int, int] = MappingProxyType({}),
    session: bool = False,
    blocked: Collection[int] = (),
) -> int:
    """Start a program in a process group of its own, with default signals and /dev/null as stdin.

    A job has the limit of descriptors that corepilot was given, and is likelier to be killed than corepilot when memory
    runs out (`corepilot.system.limits`).

    Args:
        argv: Program and arguments. The program is looked up in the PATH of `environment` (contract, section 4.2).
        environment: All of the child's environment.
        reaper: Who waits for it.
        exited: Called once, from the hub, with the exit status (128+n for a signal).
        output: The descriptor that becomes its stdout and stderr; None to share ours.
        errors: The descriptor that becomes its stderr instead.
        stdin: The descriptor that becomes its stdin; None for /dev/null.
        own: Whether it is a process of corepilot's own, with our limits, and our stderr.
        inherited: What else it has open: our descriptor for each of its own, from 3 on.
        session: Whether it leads a session of its own, too.
        blocked: Signals that wait until it unblocks them.

    Returns:
        Its pid, which is also its process group.

    Raises:
        SpawnError: it could not be started; `exited` is not called.
    """
    try:
        program = find_program(argv[0], environment.get("PATH"))
        if own:
            pid = _spawn(
                program, argv, environment, _Files(output, errors, stdin, inherited, session, blocked), own=True
            )
        else:
            pid = _spawn_job(program, argv, environment, _Files(output, errors, stdin, inherited, session, blocked))
    except ProgramError as error:
        raise SpawnError(f"cannot start {argv[0]!r}: {error}", error.status) from None
    except OSError as error:
        raise _spawn_error(argv[0], error) from None
    except ValueError as error:  # a NUL byte in an argument or in the environment
        raise SpawnError(f"cannot start {argv[0]!r}: {error}", NOT_EXECUTABLE) from None
    reaper.expect(pid, exited)
    return pid


class _Files(NamedTuple):
    """The descriptors that a child gets; see `spawn`."""

    output: int | None
    errors: int | None
    stdin: int | None
    inherited: Mapping[int, int]
    session: bool
    blocked: Collection[int]


def _spawn(
    program: str, argv: Sequence[str], environment: Mapping[str, str], files: _Files, *, own: bool = False
) -> int:
    output, errors, stdin, inherited, session, blocked = files
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
    if stdin is not None:
        actions = [(os.POSIX_SPAWN_DUP2, stdin, 0)]
    if output is not None:
        actions.append((os.POSIX_SPAWN_DUP2, output, 1))
        if not own:
            actions.append((os.POSIX_SPAWN_DUP2, output if errors is None else errors, 2))
    copies: list[int] = []
    leading: dict[str, Any] = {"setsid": True} if session else {"setpgroup": 0}  # a session's leader leads a group, too
    try:
        for place, one in inherited.items():
            # From above all places, so that none is closed by another one that goes there.
            copies.append(fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, max(inherited) + 1))
            actions.append((os.POSIX_SPAWN_DUP2, copies[-1], place))
        return os.posix_spawn(
            program,
            list(argv),
            environment,
            file_actions=actions,
            setsigmask=blocked,
            setsigdef=_ALL_SIGNALS,
            **leading,
        )
    finally:
        for one in copies:
            os.close(one)


def _spawn_job(program: str, argv: Sequence[str], environment: Mapping[str, str], files: _Files) -> int:
    try:
        with JOB_LIMITS.of_a_job(files.output) as reachable:
            return _spawn(program, argv, environment, files._replace(output=reachable))
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.EBADF, errno.EINVAL} or not JOB_LIMITS.lowers_descriptors:
            raise
    # The limit was in the way: musl's posix_spawn opens a pipe, and a job's stdin may be above the limit.
    pid = _spawn(program, argv, environment, files)
    JOB_LIMITS.give(pid)
    return pid


def _spawn_error(name: str, error: OSError) -> SpawnError:
    missing = error.errno == errno.ENOENT  # the program is there: it was looked for
    reason = f"cannot start {name!r}: {error.strerror}" + (f" ({name} or its interpreter)" if missing else "")
    status = NOT_FOUND if missing else NOT_EXECUTABLE
    return SpawnError(reason, status, shortage=error.errno in SHORTAGES)


def spawn_with_pipes(
    argv: Sequence[str], environment: Mapping[str, str], reaper: Reaper, exited: Callable[[int], None]
) -> tuple[int, int, int]:
    """Start a process of our own that is spoken to: returns its pid, the end to write to it, the end to read from it.

    Both ends are non-blocking, and the caller's to close.

    Raises:
        SpawnError, OSError: it could not be started; nothing is open.
    """
    read_end, output = os.pipe2(os.O_CLOEXEC)
    stdin = write_end = -1
    try:
        stdin, write_end = os.pipe2(os.O_CLOEXEC)
        pid = spawn(argv, environment, reaper, exited, output=output, stdin=stdin, own=True)
    except BaseException:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
        raise
    finally:
        os.close(output)
        if stdin >= 0:
            os.close(stdin)
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    return pid, write_end, read_end


def signal_process(pid: int, number: int) -> bool:
    """Send a signal to one process; whether there was anybody to receive it."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):  # as below
        return False
    return True


def signal_group(pid: int, number: int) -> bool:
    """Send a signal to the process group that a spawned process leads; whether there was anybody to receive it."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # a set-user-ID program: nothing we may do
        return False
    return True


def describe_status(status: int) -> str:
    """An exit status in words, as ContainerPilot's error events have them: `exit status 1`, `signal: terminated`."""
    if not isinstance(status, Signalled):
        return f"exit status {status}"
    try:
        text = signal.strsignal(status - 128)
    except ValueError:
        text = None
    return f"signal: {text.lower()}" if text else f"exit status {status}"
