"""What the supervisor tells its guard, and how.

A socket pair carries the announcements, one short text each; the guard answers nothing, its end of the line is only
there to be lost. Beside it lies a shared page into which the supervisor writes what it is busy with. The page costs
no system call and wakes nobody, so it can be written around every plugin's hook, and it can still be read when the
supervisor hangs or is gone.

The guard sleeps in sigtimedwait(2), so the line has to raise a signal: SIGIO (fcntl(2), F_SETOWN and O_ASYNC).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from itertools import islice

from corepilot.system.kernel import signal

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
else:  # the C module under the standard library's: 1 MB less in the guard, and socket objects all the same
    import _socket as socket

DEFAULT_STOP_BUDGET_S = 5.0  # ContainerPilot contract, section 3.3: the default of the global stopTimeout
_FOREVER = float("inf")
_PAGE_BYTES = 512
_NUMBERS_BYTES = 16  # doubles behind the text: since when one turn of the event loop lasts; stops that were passed on
_TURN, _PASSED_ON = 0, 1
_MESSAGE_BYTES = 2048
GROUPS_MAX, MARKS_MAX = 100, 30
"""Process groups and marks of one lock that the guard is told of."""
# More than the line can hold (about 280), so that a supervisor gone mad cannot keep the guard reading.
_MESSAGES_AT_ONCE = 1024
_WITHOUT_WAITING = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Promise:
    """What is promised of one lock: what runs under it, and when nothing of it may be left.

    Args:
        until: On the monotonic clock.
        groups: Process groups.
        marks: What processes of it carry in their environment.
    """

    __slots__ = ("groups", "marks", "until")

    def __init__(self, until: float, groups: Iterable[int], marks: Iterable[bytes] = ()) -> None:
        self.until, self.groups, self.marks = until, frozenset(groups), frozenset(marks)


class Channel:
    """The supervisor's end. No call blocks or raises for the guard's sake, and any greenlet or thread may make it."""

    def __init__(self, line: socket.socket, page: mmap.mmap) -> None:
        self._line = line
        self._page = page
        self._numbers = memoryview(page)[_PAGE_BYTES:].cast("d")
        self._guard = os.getpid()

    def fileno(self) -> int:
        """Return the descriptor. It becomes readable when the guard has died, and only then."""
        return self._line.fileno()

    def ready(self, stop_budget_s: float) -> None:
        """Say that there is a configuration, and how long its stop may take. The last one counts, after a reload too.

        Args:
            stop_budget_s: how long an orderly stop of all jobs may take at most, in seconds, 0 or more. The guard
                gives the jobs this long after their SIGTERM when the supervisor has died; 5 s before the first call.

        Raises:
            ValueError: the budget is negative or not a finite number; nothing was sent.
        """
        self._send(f"READY {_seconds(stop_budget_s, 'stop budget')}")

    def listening(self) -> None:
        """Say that signal handlers are installed: from now on a stop that is not acknowledged is a fault."""
        self._send("LISTENING")

    def heard(self, begins_within_s: float) -> None:
        """Say that a SIGTERM or SIGINT has arrived, and how soon the stop is announced at the latest.

        For a signal handler: it runs when the event loop is busy and cannot begin the stop within the guard's 1 s.
        One system call, no lock.

        Args:
            begins_within_s: when `stopping` is called at the latest, in seconds from now; the first one counts.
        """
        self._send(f"HEARD {time.monotonic() + _seconds(begins_within_s, 'deadline')}")

    def stopping(self, deadline_s: float, status: int) -> None:
        """Say that a stop has begun. Repeatable: each call replaces deadline and status.

        The first one has to come within 1 s of a SIGTERM or SIGINT, or of what `heard` has asked for, or the guard
        takes over. 0.5 s after the
        deadline the guard ends what is left and exits with `status`.

        Args:
            deadline_s: the stop ends within this many seconds from now. Negative, for one that has passed, is 0.
            status: what to exit with, 0 to 255, should the guard have to do it.

        Raises:
            ValueError: the deadline is not a finite number, or the status out of range; nothing was sent.
        """
        deadline_s = _seconds(0.0 if deadline_s < 0 else deadline_s, "deadline")
        if not 0 <= status <= 255:
            raise ValueError(f"cannot announce a stop: the exit status is 0 to 255, not {status}")
        # Absolute on the clock both processes share: the time a message waits is no gift.
        self._send(f"STOPPING {time.monotonic() + deadline_s} {status}")

    def locked(self, slot: int, until: float, groups: Iterable[int], marks: Iterable[str] = ()) -> None:
        """Say until when processes may be there that run under a lock. The last call for a slot counts.

        The guard kills them then, which a supervisor that works has done before. Without groups and marks there is
        nothing to kill.

        Args:
            slot: A number for the lock.
            until: On the monotonic clock.
            groups: Process groups; the first GROUPS_MAX count.
            marks: What processes carry in their environment that have left those groups, by which they are known when
                they have lost their parents, too (`corepilot.system.groups.MARK`); the first MARKS_MAX count.
        """
        words = [*map(str, islice(groups, GROUPS_MAX)), *[f"={mark}" for mark in islice(marks, MARKS_MAX)]]
        self._send(f"LOCKED {slot} {until} {' '.join(words)}")

    def leaving(self, status: int) -> None:
        """Say that the supervisor exits on purpose now. `supervise` does it; an exit without it counts as a crash."""
        self._send(f"LEAVING {status}")

    def busy_with(self, what: str) -> None:
        """Note what runs at this moment, for the guard's report should it be the last thing. Under 1 µs.

        Args:
            what: such as "plugin 'statsd', hook flush"; about 500 bytes are kept. Empty when it has returned.
        """
        self._page[:_PAGE_BYTES] = what.encode("utf-8", "replace")[:_PAGE_BYTES].ljust(_PAGE_BYTES, b"\0")

    def turning(self, since: float) -> None:
        """Note since when the event loop works on one turn, on the monotonic clock; 0 while it sleeps. Under 1 µs."""
        self._numbers[_TURN] = since

    @property
    def is_init(self) -> bool:
        """Whether the guard is PID 1, the init of a container."""
        return self._guard == 1

    def stops_passed_on(self) -> int:
        """Return how many requests to stop the guard has passed on as signals. Under 1 µs, for a signal handler."""
        return int(self._numbers[_PASSED_ON])

    def stop_signals(self, numbers: Iterable[int]) -> None:
        """Say which signals ask for a stop beside those that always do. The last call counts."""
        self._send(f"STOPSIGNALS {' '.join(map(str, numbers))}")

    def wake_guard_with(self, descriptor: int) -> None:
        """Have the guard look up whenever this descriptor of ours becomes readable.

        It is the one that signals are noted with: the C half of Python's signal handlers writes there, also while a C
        function never returns to Python. So an alarm about a turn that lasts too long reaches the guard in any case.

        Raises:
            OSError: the kernel refuses; the guard then looks when it has a reason of its own.
        """
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, self._guard)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)

    def guard_lost(self) -> bool:
        """Tell, without blocking, whether the guard has died. The first thing to do then is to stop everything."""
        try:
            return self._line.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True  # ECONNRESET: it died with announcements unread

    def close(self) -> None:
        """Give up the line. The guard then waits for nothing but the end of this process. Idempotent."""
        self._line.close()

    def _send(self, message: str) -> None:
        try:
            self._line.send(message.encode("ascii"), _WITHOUT_WAITING)
        except OSError:
            # Lost (`guard_lost` tells), closed, or full: a guard that has left hundreds unread is stopped itself,
            # and gives the supervisor time anew when it goes on.
            return


class Announcements:
    """The guard's end: what the supervisor has said so far.

    Attributes:
        stop_budget_s: as in the last READY, 5 s without one.
        listening: whether the supervisor has said anything yet.
        heard: the first HEARD, on the monotonic clock; None without one.
        stop: the last STOPPING as (deadline on the monotonic clock, exit status); None without one.
        leaving: the status of LEAVING; None without one.
        stop_signals: those of the last STOPSIGNALS.
        locked: what is promised of each lock, by its number.
    """

    def __init__(self, line: socket.socket, page: mmap.mmap) -> None:
        self.stop_budget_s = DEFAULT_STOP_BUDGET_S
        self.listening = False
        self.heard: float | None = None
        self.stop: tuple[float, int] | None = None
        self.leaving: int | None = None
        self.stop_signals: frozenset[int] = frozenset()
        self.locked: dict[int, Promise] = {}
        self._line = line
        self._page = page
        self._numbers = memoryview(page)[_PAGE_BYTES:].cast("d")
        fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)

    def read(self) -> None:
        """Take in what has arrived. Never blocks; what cannot be understood is passed over."""
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                message = self._line.recv(_MESSAGE_BYTES, socket.MSG_DONTWAIT)
            except OSError:
                return
            if not message:
                return
            self._take(message)

    def busy_with(self) -> str:
        """Return what the supervisor was last busy with on one line; empty if it was with nothing."""
        text = self._page[:_PAGE_BYTES].rstrip(b"\0").decode("utf-8", "replace")
        return " ".join(text.split())

    def turning_since(self) -> float:
        """Return since when the supervisor's event loop is on one turn, on the monotonic clock; 0 while it sleeps."""
        return float(self._numbers[_TURN])

    def pass_on_stop(self) -> None:
        """Count a request to stop that is going to be passed on."""
        self._numbers[_PASSED_ON] += 1

    def close(self) -> None:
        """Close the line, in the forked child. Idempotent."""
        self._line.close()

    def _take(self, message: bytes) -> None:
        self.listening = True
        try:
            match message.split():
                case [b"READY", budget]:
                    self.stop_budget_s = _seconds(float(budget), "stop budget")
                case [b"HEARD", deadline]:
                    if self.heard is None:
                        self.heard = _seconds(float(deadline), "deadline")
                case [b"STOPPING", deadline, status]:
                    self.stop = (_seconds(float(deadline), "deadline"), int(status) & 0xFF)
                case [b"LOCKED", slot, until, *words]:
                    self.locked.pop(int(slot), None)
                    marks = frozenset(word[1:] for word in words if word[:1] == b"=") - {b""}
                    groups = frozenset(one for word in words if word[:1] != b"=" and (one := int(word)) > 1)  # kill(2)
                    if groups or marks:
                        self.locked[int(slot)] = Promise(_seconds(float(until), "promise"), groups, marks)
                case [b"STOPSIGNALS", *numbers]:
                    self.stop_signals = frozenset(map(int, numbers)) & signal.valid_signals()
                case [b"LEAVING", status]:
                    self.leaving = int(status) & 0xFF
                case _:
                    return
        except ValueError:
            return


def open_channel() -> tuple[Announcements, Channel]:
    """Make both ends, before the fork and by the guard: SIGIO goes to whoever calls this.

    Raises:
        OSError: out of descriptors or memory.
    """
    guards, supervisors = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    page = mmap.mmap(-1, _PAGE_BYTES + _NUMBERS_BYTES)
    return Announcements(guards, page), Channel(supervisors, page)


def _seconds(value: float, name: str) -> float:
    if not 0 <= value < _FOREVER:  # which NaN is not either
        raise ValueError(f"cannot use {value} as {name}: seconds are finite and not negative")
    return float(value)
