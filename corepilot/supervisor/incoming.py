"""Signals, and the end of the guard: what each of them means (ContainerPilot contract, section 4.9)."""

import signal
from collections.abc import Callable

from corepilot.guard import Channel
from corepilot.model.event import Event
from corepilot.output.log import Log
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.signals import STOPPING


class Incoming:
    """Turns signals into a stop, an event, or a reopened log.

    Args:
        log: The log.
        channel: The line to the guard.
        shutdown: The stop.
        publish: Puts an event on the bus.
    """

    def __init__(self, log: Log, channel: Channel, shutdown: Shutdown, publish: Callable[[Event], None]) -> None:
        self._log, self._channel, self._shutdown, self._publish = log, channel, shutdown, publish

    def signalled(self, number: int) -> None:
        """A signal has arrived."""
        name = signal.Signals(number).name
        if number in STOPPING:
            self.look_at_guard()  # the kernel sends SIGTERM when the guard has died: that is no second request
            if not self._shutdown.reasons.guard_lost:
                self._shutdown.stop(name)
        elif number in {signal.SIGHUP, signal.SIGUSR2}:
            self._publish(Event("signal", name))
        elif number == signal.SIGUSR1:
            self._log.reopen()
        else:
            self._print_stacks(name)
            self._shutdown.quit(name)

    def look_at_guard(self) -> None:
        """The line to the guard has become readable: it has died."""
        if self._channel.guard_lost():
            self._shutdown.guard_lost()

    def _print_stacks(self, name: str) -> None:
        from io import StringIO

        from gevent.util import print_run_info

        stacks = StringIO()
        print_run_info(file=stacks)
        self._log.lines("error", [f"stacks of all greenlets, because of {name}:", *stacks.getvalue().splitlines()])
