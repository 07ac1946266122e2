"""Signals for the whole life of the supervisor: heard at once, delivered in order, none lost.

The handlers are Python's, which run between two bytecodes: also while the event loop is busy with starting a thousand
jobs, or with imports on a starved machine. They do two things. A request to stop is acknowledged to the guard, which
would otherwise take a supervisor that is busy for one that hangs; and the signal is noted, and a descriptor becomes
readable, which wakes whoever waits: the loader's `collect` at first, later the event loop.

The event loop's own signal watchers could not do that: their handlers are C, and nothing is known of a signal until the
loop turns. SIGCHLD stays the loop's (`Reaper`): Python has no handler for it, so it does not write to our descriptor.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType

from corepilot.system.kernel import init_stops, signal

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Any

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
"""What the guard forwards (ContainerPilot contract, section 4.9). SIGQUIT prints all stacks, and ends; as PID 1 it is a
stop."""

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})

_EACH_MAX = 2
"""How many of one signal are noted until they are delivered. The kernel keeps one; a second request to stop means
more than the first."""


class Signals:
    """Notes signals, and delivers them once there is an event loop.

    Made once, with signals blocked; the caller unblocks them when this exists.

    Args:
        heard: Called in the signal handler for each request to stop, at any moment, with the frame that it interrupts:
            it must not block, take a lock, switch greenlets or raise.
        passed_on: How many requests to stop the guard has passed on, this one included if it is one of them.
        init: Whether the guard is PID 1, for which more signals ask for a stop.
    """

    def __init__(
        self,
        heard: Callable[[FrameType | None], None],
        passed_on: Callable[[], int] = lambda: 0,
        *,
        init: bool = False,
    ) -> None:
        self.stop_asked = False
        """Whether a stop has been asked for, delivered or not."""
        self.hurry: Callable[[], None] = lambda: None
        """Called after `heard`, under the same rules: whatever holds the event loop up has less time now."""
        self._heard, self._passed_on = heard, passed_on
        self._always = STOPPING | (init_stops() if init else frozenset())
        self._stopping = self._always
        self._asked = self._direct = self._indirect = 0
        self._pending: deque[int] = deque()
        self._fd, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._noted: set[int] = set()
        self._note_from(self._always.union(HANDLED))
        # The C half of Python's handlers writes there, which wakes the guard too; `_note` does, because a library such
        # as asyncio may take this away.
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)

    def stops(self, number: int) -> bool:
        """Whether a signal asks for a stop."""
        return number in self._stopping

    def stop_with(self, numbers: Iterable[int]) -> None:
        """Let these ask for a stop too, in the place of what they meant. The last call counts."""
        self._stopping = self._always.union(numbers)
        self._note_from(self._stopping)

    def _note_from(self, numbers: Iterable[int]) -> None:
        """Take the signals that are not taken yet. None is given back: one that is no stop any more means nothing.

        A handler that is there is not set again: each `self._note` is another object, and would look like a plugin's.
        """
        for number in set(numbers) - self._noted:
            signal.signal(number, self._note)
            self._noted.add(number)

    def fileno(self) -> int:
        """The descriptor that becomes readable with each signal."""
        return self._fd

    def forget_wakeups(self) -> None:
        """Make the descriptor unreadable again; what is pending stays so."""
        try:
            while os.read(self._fd, 4096):
                pass
        except BlockingIOError:
            return

    def deliver_to(self, loop: Any, deliver: Callable[[int], None]) -> Any:
        """Have the event loop deliver signals from now on, those that are pending first, in the order of arrival.

        Args:
            loop: gevent's loop.
            deliver: Called from the hub with each signal's number.

        Returns:
            The watcher; it does not keep the loop alive. For tests to close: the supervisor needs it to its end.
        """
        watcher = loop.io(self._fd, 1, ref=False, priority=loop.MAXPRI)
        watcher.start(self._deliver, loop, deliver)
        self._deliver(loop, deliver)
        return watcher

    def _deliver(self, loop: Any, deliver: Callable[[int], None]) -> None:
        self.forget_wakeups()
        while self._pending:
            loop.run_callback(deliver, self._pending.popleft())  # one that fails keeps none of the others back

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in self._stopping:
            self.stop_asked = True
            self._heard(frame)
            self.hurry()
            if not self._is_another():
                return
        if self._pending.count(number) < _EACH_MAX:
            self._pending.append(number)
        try:
            os.write(self._write_end, b"\0")
        except OSError:
            return  # full: a wake-up is under way already

    def _is_another(self) -> bool:
        """Whether a request to stop is one more, and not the same in two ways.

        `pkill corepilot` reaches the guard, which passes it on, and us: that is one request, and a second one would
        mean to wait for nothing any more.
        """
        passed_on = self._passed_on()
        if passed_on > self._indirect:
            self._indirect = passed_on
        else:
            self._direct += 1
        asked, self._asked = self._asked, max(self._direct, self._indirect)
        return self._asked > asked
