"""The supervisor's first tenth of a second: fork the loader, import the core meanwhile, then run the application.

The loader is forked before anything is imported and before there is a hub; afterwards nothing is forked any more
(gevent's loop must not be shared with a child). See docs/explanation/design.md.
"""

import faulthandler
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from corepilot.config.loading import preload
from corepilot.errors import CorepilotError
from corepilot.supervisor.arguments import LOAD_DEADLINE_S, REFUSED, USAGE, RunArguments, refuse
from corepilot.supervisor.signals import Signals
from corepilot.system import kernel, light_typing
from corepilot.system.children import sees_processes
from corepilot.system.search_path import complete_for_dependencies

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from types import FrameType

    from corepilot.config.loading.exchange import LoadRequest
    from corepilot.guard import Channel
    from corepilot.model.configuration import Configuration


BUSY_S = 10.0
"""How long the guard is told to wait until a stop begins that was asked for while the event loop is busy, or not there
yet: at a twentieth of a processor core imports and a thousand jobs take seconds. It is the time Docker gives a stop."""


PLUGIN_BUSY_S = 4.0
"""The same while a plugin's code runs, which is interrupted after two seconds, and may swallow that."""


def _in_plugin(frame: "FrameType | None") -> bool:
    stalls = sys.modules.get("corepilot.plugin.stalls")  # not on the way to the first job
    return stalls is not None and stalls.in_plugin(frame)


def main(channel: "Channel", prepare: Callable[[], RunArguments]) -> int:
    """Be the supervisor; returns its exit status. Called in the forked child with all signals blocked.

    Args:
        channel: The line to the guard.
        prepare: Reads the command line, while the loader imports. It may raise a CorepilotError.
    """
    if not sees_processes():
        return refuse("cannot run without /proc: it is not mounted, or shows another PID namespace; mount it there")
    gc.disable()  # until the first jobs run: what is imported stays
    complete_for_dependencies()
    light_typing.begin()
    directory = _entries()
    preloaded = None if directory else preload.fork()
    faulthandler.enable()
    signals = Signals(
        lambda frame: channel.heard(PLUGIN_BUSY_S if _in_plugin(frame) else BUSY_S),
        channel.stops_passed_on,
        init=channel.is_init,
    )
    with suppress(OSError):  # the guard then sees a hung supervisor when it looks for other reasons
        channel.wake_guard_with(signals.fileno())
    channel.listening()
    kernel.unblock_signals()
    try:
        arguments = prepare()
    except CorepilotError as error:
        if preloaded is not None:
            preloaded.dismiss()
        return refuse(str(error), USAGE if error.code == "usage" else REFUSED)
    request = arguments.request(arguments.environment)
    config, child = _kept(directory, request), None
    if config is None and preloaded is not None:
        child = preloaded.ask(request)
    elif config is None:
        from corepilot.config.loading import loader

        child = loader.start(request.changed(cache=directory))
    from corepilot.system import light_imports

    light_imports.import_gevent()
    from corepilot.config.loading import loader
    from corepilot.supervisor import app
    from corepilot.supervisor.desired import stop_timeout_s
    from corepilot.system.limits import JOB_LIMITS
    from corepilot.system.out_of_memory import KILLS

    KILLS.begin()
    JOB_LIMITS.raise_own()
    JOB_LIMITS.prefer_jobs_when_memory_runs_out()

    while child is not None:
        try:
            result = loader.collect(child, LOAD_DEADLINE_S, signals.fileno())
            break
        except loader.Interrupted:
            signals.forget_wakeups()
            if signals.stop_asked:
                loader.abandon(child)
                return 0
    if child is None and signals.stop_asked:
        return 0
    if child is not None:
        arguments.kept, config = result.kept, result.config
    if config is None:
        arguments.refuse(result.problems)
        return REFUSED
    channel.ready(stop_timeout_s(config))
    return app.App(config, arguments, channel, signals).run()


def _entries() -> str:
    """The directory of configurations that are kept for the next start; "" where there is none.

    Where there is one, the loader is started when it is seen that nothing is kept: it would have imported in vain.
    """
    from corepilot.config.loading.cache import directory_of

    directory = directory_of(os.environ)
    return directory if directory and os.path.isdir(directory) else ""


def _kept(directory: str, request: "LoadRequest") -> "Configuration | None":
    if not directory:
        return None
    from corepilot.config.loading.cache import find

    return find(directory, request)
