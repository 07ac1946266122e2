"""`busy.py SECONDS [PLUGIN]`: a guard around a supervisor whose event loop is busy for so long, with PLUGIN if named.

Announces "up" when it is busy, "signal NUMBER" for each that is delivered, "stopping" at a request to stop, and returns
3 then; "child STATUS" for a child that has ended meanwhile.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from announcing import announce

from corepilot import guard
from corepilot.system import kernel

guard.install_early_handlers()


def main(channel: guard.Channel) -> int:
    from corepilot.supervisor.signals import STOPPING, Signals

    # As boot does it: less time where a plugin runs.
    signals = Signals(lambda _frame: channel.heard(1 if sys.argv[2:] else 30))
    kernel.unblock_signals()
    import gevent
    from gevent.event import Event

    from corepilot.system.process import Reaper, spawn

    stopped = Event()

    def deliver(number: int) -> None:
        announce("signal", number)
        if number in STOPPING and not stopped.is_set():
            channel.stopping(5, 3)
            announce("stopping")
            stopped.set()

    loop = gevent.get_hub().loop
    reaper = Reaper(loop)
    signals.deliver_to(loop, deliver)
    channel.busy_with("".join(sys.argv[2:]))
    channel.ready(0.3)
    spawn(["sh", "-c", "exit 7"], dict(os.environ), reaper, lambda status: announce("child", status))
    gevent.spawn(busy, float(sys.argv[1]))
    stopped.wait()
    while reaper.alive:
        gevent.sleep(0.01)
    return 3


def busy(seconds: float) -> None:
    announce("up", os.getpid())
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


sys.exit(guard.supervise(main))
