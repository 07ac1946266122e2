"""Signals, and the end of the guard: what each of them means (ContainerPilot contract, section 4.9)."""

from collections.abc import Callable

from corepilot.guard import Channel
from corepilot.model.event import Event
from corepilot.output.log import Log
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.signals import Signals
from corepilot.system.kernel import signal


class Incoming:
    """Turns signals into a stop, an event, or a reopened log.

    Args:
        log: The log.
        channel: The line to the guard.
        shutdown: The stop.
        publish: Puts an event on the bus.
        signals: Know which of them ask for a stop.
    """

    def __init__(
        self, log: Log, channel: Channel, shutdown: Shutdown, publish: Callable[[Event], None], signals: Signals
    ) -> None:
        self._log, self._channel, self._shutdown, self._publish = log, channel, shutdown, publish
        self._signals = signals

    def signalled(self, number: int) -> None:
        """A signal has arrived."""
        from corepilot.system.signal_names import signal_name  # a start needs no names

        name = f"SIG{signal_name(number)}"
        if self._signals.stops(number):
            self.look_at_guard()  # the kernel sends SIGTERM when the guard has died: that is no second request
            if not self._shutdown.reasons.guard_lost:
                self._shutdown.stop(name)
        elif number in {signal.SIGHUP, signal.SIGUSR2}:
            self._publish(Event("signal", name))
        elif number == signal.SIGUSR1:
            self._log.reopen()
        elif number == signal.SIGQUIT:
            self._log.lines("error", [f"stacks of all greenlets, because of {name}:", *stacks()])
            self._shutdown.quit(name)

    def look_at_guard(self) -> None:
        """The line to the guard has become readable: it has died."""
        if self._channel.guard_lost():
            self._shutdown.guard_lost()


def stacks() -> list[str]:
    """What every greenlet and thread is doing, in lines."""
    from io import StringIO

    from gevent.util import print_run_info

    text = StringIO()
    print_run_info(file=text)
    return text.getvalue().splitlines()
