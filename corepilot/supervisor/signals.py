"""Signals before there is a hub, and after: recorded first, delivered later, none lost."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)
"""What the guard forwards (ContainerPilot contract, section 4.9). SIGQUIT prints all stacks, and ends."""


class EarlySignals:
    """Records signals until the hub exists. Its descriptor becomes readable with the first one.

    Made with signals blocked; the caller unblocks them when this exists.

    Args:
        stopping: Called for each request to stop, in the signal handler: a slow start must not pass for a hung one.
    """

    def __init__(self, stopping: Callable[[], None]) -> None:
        self.received: list[int] = []
        self._stopping = stopping
        self._fd, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in HANDLED:
            signal.signal(number, self._record)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._fd

    @property
    def stop_asked(self) -> bool:
        """Whether a stop has been asked for."""
        return any(number in {signal.SIGTERM, signal.SIGINT} for number in self.received)

    def forget_wakeups(self) -> None:
        """Make the descriptor unreadable again; what was received stays recorded."""
        try:
            while os.read(self._fd, 4096):
                pass
        except BlockingIOError:
            return

    def hand_over(self, loop: Any, deliver: Callable[[int], None]) -> list[Any]:
        """Let the hub deliver signals from now on, those recorded so far first; returns its watchers."""
        watchers = []
        for handled in HANDLED:
            number = int(handled)
            watcher = loop.signal(number, ref=False)
            watcher.start(deliver, number)
            watchers.append(watcher)
        signal.set_wakeup_fd(-1)
        os.close(self._fd)
        os.close(self._write_end)
        for received in self.received:
            loop.run_callback(deliver, received)
        return watchers

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._stopping()
