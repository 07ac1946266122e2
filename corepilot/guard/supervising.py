"""The guard of a supervisor: fork it, pass signals on, collect orphans, and see that a stop ends.

No signal has a handler here. All are blocked, before the fork and for good, and taken one by one from
sigtimedwait(2): none can be lost between two steps, a child inherits nothing that could run in it, and PID 1 keeps
signals it has no handler for. The terminal's stop signals are among them: Ctrl-Z does nothing, for a stopped
guard would forward nothing. SIGSTOP stops the guard alone, and the stop clock allows for that.
"""

from __future__ import annotations

import os
import time

from corepilot.guard.channel import open_channel
from corepilot.guard.child import CRASHED, adopt_orphans, be_supervisor
from corepilot.guard.messages import describe, speaker
from corepilot.guard.promises import Promises
from corepilot.guard.stopclock import StopClock
from corepilot.guard.tree import LEFTOVER_GRACE_S, Report, end_tree, reap, send, take, wait_for
from corepilot.system import kernel
from corepilot.system.children import children, is_stopped
from corepilot.system.kernel import signal
from corepilot.wording.counting import counted

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

    from corepilot.guard.channel import Announcements, Channel

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
_STOPPING = frozenset((signal.SIGTERM, signal.SIGINT))
_WOKEN_BY = frozenset((signal.SIGCHLD, signal.SIGIO))
_SENT_BY_THE_KERNEL = 0x80  # sigaction(2), SI_KERNEL
_BURIAL_S = 2.0
STUCK_S = 60.0  # our decision: a turn of the event loop that lasts so long does not end any more
_STUCK_LOOKS = 60  # a quarter of a second apart: who looks so often was not paused, and neither was the supervisor
_LOOK_S = 0.25
_STACK_S = 2.0  # what printing its stack may take


def supervise(
    main: Callable[[Channel], int], *, name: str = "corepilot", messages: Callable[[str], None] | None = None
) -> int:
    """Fork, run `main` in the child, and be its guard until it and everything it started has ended.

    To be called once, in the main thread of a process that has no other thread and no other children, and nothing
    unflushed in its streams. All signals stay blocked in this process, afterwards too: the caller exits.

    The child is a session of its own, a child subreaper, has its dispositions reset, gets SIGTERM when the guard
    dies, and passes no inherited descriptor above 2 to the programs it runs. **It starts with all signals blocked**:
    `main` installs its handlers and calls `corepilot.system.kernel.unblock_signals()`; a SIGTERM from before then
    arrives in that call. It ends through os._exit: no atexit functions, no waiting for threads.

    The guard forwards SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 and SIGQUIT, as PID 1 those of `init_stops` too, and
    what the supervisor has named (`Channel.stop_signals`). It kills a supervisor that does not
    announce its stop (`Channel.stopping`) within 1 s of one that asks for it, or within the time that it asked for when
    it heard of it (`Channel.heard`), is still there 0.5 s after the announced deadline, or has not turned its event
    loop for 60 s (`Channel.turning`; by SIGABRT first, so that its stack is printed). One that dies by a signal, or
    exits though `main` has not returned and no stop with that status was announced, has crashed. What is left then gets
    SIGTERM and SIGCONT, and SIGKILL after the stop budget; after 1 s where the exit was in order, or an announced
    deadline has passed. What runs under a lock gets it when the lock's promise ends, if that is
    sooner (`Channel.locked`). A SIGTERM or SIGINT meanwhile brings SIGKILL at once.

    Args:
        main: returns the exit status, 0 to 255; SystemExit means what it does in Python. Any other exception is
            printed with its traceback and exits 70, as does a status out of range.
        name: who the guard's messages are from.
        messages: takes each of the guard's messages, without blocking; by default each is a line on stderr, lost
            when nobody reads.

    Returns:
        The exit status for this process: the supervisor's; the announced one when it overran its stop; 70 when
        it crashed, never announced its stop, or could not be started.
    """
    kernel.block_signals()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited as ignored, it would make children vanish unseen
    say = messages or speaker(name)
    if os.getpid() != 1:
        adopt_orphans(say)
    try:
        announcements, channel = open_channel()
        pid = os.fork()
    except OSError as error:
        say(f"cannot start the supervisor: {error.strerror}; is a limit on processes or descriptors reached?")
        return CRASHED
    if pid == 0:
        announcements.close()
        be_supervisor(main, channel, say)
    channel.close()
    return _Guard(pid, announcements, say).run()


class _Guard:
    """One supervisor's guard, from after the fork to the exit status."""

    def __init__(self, pid: int, announcements: Announcements, say: Callable[[str], None]) -> None:
        self._pid = pid
        self._heard = announcements
        self._say = say
        self._clock = StopClock()
        self._asked_with = 0
        self._asked_at = 0.0
        self._turn = 0.0
        self._looks = 0
        self._promises = Promises(self._heard.locked)
        self._always_stop = _STOPPING | (kernel.init_stops() if os.getpid() == 1 else frozenset())

    def run(self) -> int:
        while True:
            for pid, status in reap():
                if pid == self._pid:
                    return self._ended(status)
            self._hear()
            verdict = self._clock.verdict(time.monotonic())
            if verdict is not None:
                return self._overrule(verdict)
            if self._stuck(time.monotonic()):
                return self._abort()
            stopping = self._always_stop | self._heard.stop_signals
            forwarded = stopping.union(FORWARDED)
            number, code = take(forwarded | _WOKEN_BY, self._due())
            if number == signal.SIGWINCH and code == _SENT_BY_THE_KERNEL:
                continue  # our terminal has another size; `docker stop` is a kill(2)
            if number in forwarded:
                self._forward(number, stops=number in stopping)

    def _due(self) -> float:
        """When to look up at the latest: at a deadline of a stop, the end of what a lock promises, or the next look."""
        now = time.monotonic()
        self._end_promises(now)
        moments = [self._next_look(now), self._promises.due()]
        if self._clock.due is not None:
            moments.append(self._clock.due)
        return min(moments)

    def _end_promises(self, now: float) -> None:
        """Kill what runs under a lock that another may have by now: the supervisor has not, so it hangs."""
        for killed in self._promises.end(now):
            self._say(
                f"the supervisor (pid {self._pid}) has neither renewed a lock nor ended what runs under it in "
                f"time: killed {counted(killed, 'process group')}"
            )

    def _hear(self) -> None:
        self._heard.read()
        if self._heard.heard is not None:
            self._clock.heard(self._heard.heard)
        if self._heard.stop is not None:
            self._clock.announced(self._heard.stop[0])

    def _forward(self, number: int, *, stops: bool) -> None:
        if stops:
            self._heard.pass_on_stop()  # before the signal, which the supervisor looks at this for
        send(self._pid, number)
        if stops:
            now = time.monotonic()
            if not self._asked_with:
                self._asked_with, self._asked_at = number, now
            self._clock.asked(now)

    def _ended(self, status: int) -> int:
        self._heard.read()
        code = os.waitstatus_to_exitcode(status)
        crash = self._crash(status)
        if crash and (code != CRASHED or _has_children()):
            self._end_rest(f"the supervisor (pid {self._pid}) {crash}", self._heard.stop_budget_s)
        else:
            end_tree(LEFTOVER_GRACE_S, say=self._say, sooner=self._promises.follow())
        return CRASHED if crash else code

    def _crash(self, status: int) -> str:
        """Say in words how the supervisor crashed; empty if its end was in order."""
        if os.WIFSIGNALED(status):
            return describe(status) + (_memory() if os.WTERMSIG(status) == signal.SIGKILL else "")
        code = os.WEXITSTATUS(status)
        if code == CRASHED:
            return describe(status)
        if code == self._heard.leaving or (self._heard.stop is not None and code == self._heard.stop[1]):
            return ""
        return f"{describe(status)} without a stop, in the middle of its work"

    def _overrule(self, verdict: str) -> int:
        if verdict == "silent" or self._heard.stop is None:
            status, grace = CRASHED, self._heard.stop_budget_s
            asked = kernel.signal_name(self._asked_with)
            waited_s = round(time.monotonic() - self._asked_at, 1)
            cause = f"the supervisor (pid {self._pid}) did not begin to stop within {waited_s:g} s of {asked}: killed"
        else:
            status, grace = self._heard.stop[1], LEFTOVER_GRACE_S
            cause = (
                f"the supervisor (pid {self._pid}) did not end by the deadline it had announced for its stop: killed"
            )
        send(self._pid, signal.SIGKILL)
        self._bury()
        self._end_rest(cause, grace)
        return status

    def _stuck(self, now: float) -> bool:
        """Look at the turn that the supervisor's event loop is on: whether it has lasted for too long."""
        turn = self._heard.turning_since()
        if not turn or turn != self._turn:
            self._turn, self._looks = turn, 0
            return False
        if now - turn > STUCK_S and is_stopped(self._pid):
            self._looks = 0  # by a debugger, or by hand
            return False
        self._looks += 1
        return now - turn > STUCK_S and self._looks > _STUCK_LOOKS

    def _next_look(self, now: float) -> float:
        """When to look without being woken: a plugin can take away the alarm that wakes us."""
        return now + (_LOOK_S if self._looks and now - self._turn > STUCK_S else STUCK_S)

    def _abort(self) -> int:
        seconds = time.monotonic() - self._turn
        cause = f"the supervisor (pid {self._pid}) has not turned its event loop for {seconds:.0f} s: aborted"
        send(self._pid, signal.SIGABRT)
        if not self._ends_within(_STACK_S):
            send(self._pid, signal.SIGKILL)
            self._bury()
        self._end_rest(cause, self._heard.stop_budget_s)
        return CRASHED

    def _bury(self) -> None:
        """Wait until the killed supervisor is gone, since its jobs become ours only then."""
        self._ends_within(_BURIAL_S)

    def _ends_within(self, seconds: float) -> bool:
        """Wait for the supervisor's end, and collect it. What it has promised of locks is kept meanwhile."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            if any(pid == self._pid for pid, _ in reap()):
                return True
            self._end_promises(now)
            wait_for((signal.SIGCHLD,), min(deadline, self._promises.due()))
        return False

    def _end_rest(self, cause: str, grace_s: float) -> None:
        busy = self._heard.busy_with()
        if busy:
            cause = f"{cause}; it was busy with {busy}"
        if not _has_children():
            self._say(f"{cause}; it leaves no processes")
            return
        found = len(children())
        left = {0: "what it leaves", 1: "the process it leaves"}.get(found, f"the {found} processes it leaves")
        locks_s = max(self._promises.due() - time.monotonic(), 0.0)
        sooner = f", of what runs under a lock in {locks_s:.1f} s" if locks_s < grace_s else ""
        self._say(f"{cause}; ending {left}: SIGTERM now, SIGKILL in {grace_s:g} s{sooner}")
        report = Report(self._say)
        end_tree(grace_s, report, self._say, sooner=self._promises.follow())
        report.close()


def _has_children() -> bool:
    try:
        # Looks, and collects nothing.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _memory() -> str:
    """Whether a SIGKILL may have been the kernel's, because memory ran out; "" if not, or if nobody can know."""
    from corepilot.system.out_of_memory import KILLS  # hardly ever needed

    KILLS.begin()
    return f"; memory has run out here, and the kernel has killed {KILLS.before} so far" if KILLS.before else ""
