"""The supervisor's first tenth of a second: fork the loader, import the core meanwhile, then run the application.

The loader is forked before anything is imported and before there is a hub; afterwards nothing is forked any more
(gevent's loop must not be shared with a child). See docs/explanation/design.md.
"""

import faulthandler
import gc
import os
import sys
from collections.abc import Callable

from corepilot.config.loading import preload
from corepilot.errors import CorepilotError
from corepilot.supervisor.arguments import LOAD_DEADLINE_S, REFUSED, USAGE, RunArguments
from corepilot.supervisor.signals import EarlySignals
from corepilot.system import kernel

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.guard import Channel


SLOW_START_S = 10.0
"""What the guard is told that a stop may take which is asked for before we are up: a starved machine is slow."""


def main(channel: "Channel", prepare: Callable[[], RunArguments]) -> int:
    """Be the supervisor; returns its exit status. Called in the forked child with all signals blocked.

    Args:
        channel: The line to the guard.
        prepare: Reads the command line, while the loader imports. It may raise a CorepilotError.
    """
    gc.disable()  # until the first jobs run: what is imported stays
    preloaded = preload.fork()
    faulthandler.enable()
    signals = EarlySignals(lambda: channel.stopping(SLOW_START_S, 0))
    kernel.unblock_signals()
    try:
        arguments = prepare()
    except CorepilotError as error:
        preloaded.dismiss()
        os.write(2, f"corepilot: {error}\n".encode("utf-8", "backslashreplace"))
        return USAGE if error.code == "usage" else REFUSED
    child = preloaded.ask(arguments.request(arguments.environment))
    from corepilot.system import light_imports

    light_imports.import_dataclasses()
    light_imports.import_gevent()
    from corepilot.config.loading import loader
    from corepilot.config.model import Config
    from corepilot.supervisor import app

    while True:
        try:
            result = loader.collect(child, LOAD_DEADLINE_S, signals.fileno())
            break
        except loader.Interrupted:
            signals.forget_wakeups()
            if signals.stop_asked:
                loader.abandon(child)
                return 0
    if result.config is None:
        arguments.refuse(result.problems)
        return REFUSED
    status = app.App(Config.from_plain(result.config), arguments, channel, signals).run()
    sys.stdout.flush()
    return status
