"""The processes that become the guard's children: collecting their statuses, and ending all of them.

A process is signalled only while it is our own child and not yet waited for: until then its number cannot be given
to another. Descendants further down become our children when their parents die, for we are PID 1 or a child
subreaper; so the tree is ended from the top, round by round, until waitpid(2) says ECHILD.

A process group is signalled while a child of ours is in it, which keeps its number from being used again, and only
if nobody else can be in it: the child leads it, or it belongs to another session than ours, since a session
can be begun by a descendant but not joined. A group signal is one step for the kernel, and no fork slips
through it: that is what ends a fork bomb. PID 1 has a stronger one, kill(-1), and nothing outlives PID 1 anyway.
"""

from __future__ import annotations

import os
import time

from corepilot.guard.messages import describe
from corepilot.system.children import children, name_of, sees_processes
from corepilot.system.kernel import signal
from corepilot.wording.counting import counted

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REPORTED_LINES = 20
LEFTOVER_GRACE_S = 1.0  # for what outlives an orderly end: it has had its SIGTERM, or was never anybody's job
KILL_LIMIT_S = 10.0  # SIGKILL waits for a system call that cannot be interrupted, and cannot reach every user
BLIND_LIMIT_S = 0.5  # the same where /proc does not show who is left
_LOOK_S = 0.05  # an orphan of a grandchild comes to us without a SIGCHLD
_LOOK_KILLING_S = 0.01
_ENDING = (signal.SIGTERM, signal.SIGINT)
_WAKING = (*_ENDING, signal.SIGCHLD)


class Report:
    """Says what became of each process, for the first 20; then how many more there were."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.ended = 0
        self._say = say

    @property
    def wants_names(self) -> bool:
        """Whether the next process will be named."""
        return self.ended < REPORTED_LINES

    def add(self, pid: int, name: str, status: int) -> None:
        """Take note of a process that has ended."""
        if self.wants_names:
            self._say(f"process {pid} ({name}) {describe(status)}")
        self.ended += 1

    def close(self) -> None:
        """Say how many were not named, if any."""
        if self.ended > REPORTED_LINES:
            self._say(f"and {counted(self.ended - REPORTED_LINES, 'more process has', 'more processes have')} ended")


def wait_for(signals: Iterable[int], deadline: float | None) -> int:
    """Sleep until one of some blocked signals is pending, and take it.

    Args:
        signals: numbers that are blocked.
        deadline: on the monotonic clock; None for none.

    Returns:
        The signal's number; 0 at the deadline, or after an hour.
    """
    return take(signals, deadline)[0]


def take(signals: Iterable[int], deadline: float | None) -> tuple[int, int]:
    """Do as `wait_for` does; the second value says why the signal was sent (sigaction(2), si_code)."""
    timeout = 3600.0 if deadline is None else min(max(deadline - time.monotonic(), 0.0), 3600.0)
    taken = signal.sigtimedwait(signals, timeout)
    return (taken.si_signo, taken.si_code) if taken else (0, 0)


def reap(options: int = 0) -> Iterator[tuple[int, int]]:
    """Collect every child that has ended, as (pid, wait status), without waiting.

    Args:
        options: further options of waitpid(2), such as os.WUNTRACED.

    Raises:
        ChildProcessError: there are no children left at all.
    """
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG | options)
        if pid == 0:
            return
        yield pid, status


def end_tree(
    grace_s: float,
    report: Report | None = None,
    say: Callable[[str], None] | None = None,
    *,
    group: int = 0,
    sooner: Callable[[float], float] | None = None,
) -> None:
    """End all our children and their descendants, and collect their statuses. Returns at once if there are none.

    Each gets SIGTERM and SIGCONT as soon as it is our child, and SIGKILL after the grace. A SIGTERM or SIGINT of our
    own (blocked by the caller) ends the grace. What SIGKILL has not ended in 10 s is named and given up.

    Without a /proc that shows our children only the group can be reached, or, for PID 1, everything. What is left
    half a second after SIGKILL is then given up.

    Args:
        grace_s: from SIGTERM to SIGKILL, in seconds.
        report: told of each process that ends; None for nobody.
        say: told of what could not be ended.
        group: a process group that is known to be ours, for when /proc shows nothing; 0 for none.
        sooner: kills what has less time than the grace: told the time at each look, before anything is signalled,
            it returns when it has to be called again at the latest. None where there is no such thing.
    """
    deadline = time.monotonic() + grace_s
    given_up_at = deadline + _kill_limit_s()
    asked: set[int] = set()
    while True:
        try:
            _collect(asked, report)
        except ChildProcessError:
            return
        now = time.monotonic()
        if now >= given_up_at:
            if say is not None:
                say(_given_up())
            return
        if now < deadline:
            due = sooner(now) if sooner is not None else deadline
            _ask(asked, group)
            look_at = min(now + _LOOK_S, deadline, due)
        else:
            _kill(group)
            look_at = now + _LOOK_KILLING_S
        if wait_for(_WAKING, look_at) in _ENDING:
            deadline = min(deadline, time.monotonic())
            given_up_at = deadline + _kill_limit_s()


def _kill_limit_s() -> float:
    return KILL_LIMIT_S if sees_processes() or os.getpid() == 1 else BLIND_LIMIT_S


def _given_up() -> str:
    if not sees_processes():
        return (
            "cannot find the processes that are left, giving up: /proc is not mounted, or is that of another PID "
            "namespace; mount it (mount -t proc proc /proc)"
        )
    left = sorted(children())
    return f"cannot end {len(left)} processes with SIGKILL, giving up: {_some(left)}"


def _collect(asked: set[int], report: Report | None) -> None:
    while report is not None and report.wants_names:
        # Looked at before it is collected: a zombie still has its name.
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return
        name = name_of(ended.si_pid)
        report.add(ended.si_pid, name, os.waitpid(ended.si_pid, 0)[1])
        asked.discard(ended.si_pid)
    for pid, status in reap():
        asked.discard(pid)
        if report is not None:
            report.add(pid, "", status)


def _ask(asked: set[int], group: int) -> None:
    if not sees_processes():
        _ask_unseen(asked, group)
        return
    for pid in children():
        if pid in asked:
            continue
        asked.add(pid)
        target = _target(pid)
        if target != pid and target in asked:
            continue  # asked with its group; a second SIGTERM means "at once" to many programs
        asked.add(target)
        send(target, signal.SIGTERM)
        send(target, signal.SIGCONT)  # a stopped process takes its SIGTERM only then


def _ask_unseen(asked: set[int], group: int) -> None:
    target = _everything_or(group)
    if target and target not in asked:
        asked.add(target)
        send(target, signal.SIGTERM)
        send(target, signal.SIGCONT)


def _kill(group: int) -> None:
    if os.getpid() == 1 or not sees_processes():
        target = _everything_or(group)
        if target:
            send(target, signal.SIGKILL)
    else:
        for target in {_target(pid) for pid in children()}:
            send(target, signal.SIGKILL)


def _everything_or(group: int) -> int:
    """What kill(2) is told: all processes, which only PID 1 may say, or a group; 0 for nobody."""
    return -1 if os.getpid() == 1 else -group


def _target(pid: int) -> int:
    """What to signal to reach a child: its group, as a negative number, where that is safe; else the child."""
    try:
        group = os.getpgid(pid)
        if group == pid or (group > 1 and os.getsid(pid) != os.getsid(0)):  # 0 and 1 mean "ours" and "all" to kill(2)
            return -group
    except OSError:
        pass  # some security modules hide other sessions: the child by itself, then
    return pid


def send(target: int, number: int) -> None:
    """Signal a process, or a group as a negative number, where the kernel lets us; nothing is raised."""
    try:
        os.kill(target, number)
    except OSError:
        return  # another user's, or none left: whoever calls has a deadline for that


def _some(pids: list[int]) -> str:
    named = ", ".join(f"{pid} ({name_of(pid)})" for pid in pids[:REPORTED_LINES])
    return named if len(pids) <= REPORTED_LINES else f"{named}, …"
