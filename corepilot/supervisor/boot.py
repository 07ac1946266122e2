"""The supervisor's first tenth of a second: fork the loader, import the core meanwhile, then run the application.

The loader is forked before anything is imported and before there is a hub; afterwards nothing is forked any more
(gevent's loop must not be shared with a child). See docs/explanation/design.md.
"""

import faulthandler
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from corepilot.config import preload
from corepilot.errors import CorepilotError
from corepilot.supervisor.signals import EarlySignals
from corepilot.system import kernel

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.config.loader import LoadRequest
    from corepilot.config.problems import Problem
    from corepilot.guard import Channel

LOAD_DEADLINE_S = 10.0
"""Seconds a load may take, whatever it waits for. Its CPU time is bounded in the loader itself."""

USAGE = 2
"""Exit status of a command line that cannot be understood."""

REFUSED = 1
"""Exit status of a configuration, or of an address, that cannot be had."""


def complain(problems: "Sequence[Problem]") -> None:
    """Say on stderr why a configuration is refused."""
    os.write(2, ("".join(problem.text() + "\n" for problem in problems)).encode("utf-8", "backslashreplace"))


class RunArguments:
    """What `corepilot run` was asked to do.

    Attributes:
        location: The configuration: a path or a `file://` URL.
        discovery: The `--discovery` override, or None.
        environment: The environment as it was given, for templates and jobs.
        hostname: The host's name, for instance ids.
        refuse: Says why the first configuration is refused.
    """

    __slots__ = ("discovery", "environment", "hostname", "location", "refuse")

    def __init__(
        self,
        location: str,
        discovery: str | None,
        environment: Mapping[str, str],
        refuse: "Callable[[Sequence[Problem]], None]" = complain,
    ) -> None:
        self.location, self.discovery, self.environment = location, discovery, environment
        self.hostname = os.uname().nodename
        self.refuse = refuse

    def request(self, environment: Mapping[str, str]) -> "LoadRequest":
        """What the loader is asked for, with the jobs' environment as it is now."""
        from corepilot.config.loader import LoadRequest

        return LoadRequest(
            location=self.location,
            environment=dict(environment),
            discovery=self.discovery,
            judge_machine=True,
            strict=False,
            hostname=self.hostname,
        )


def main(channel: "Channel", prepare: Callable[[], RunArguments]) -> int:
    """Be the supervisor; returns its exit status. Called in the forked child with all signals blocked.

    Args:
        channel: The line to the guard.
        prepare: Reads the command line, while the loader imports. It may raise a CorepilotError.
    """
    gc.disable()  # until the first jobs run: what is imported stays
    preloaded = preload.fork()
    faulthandler.enable()
    signals = EarlySignals()
    kernel.unblock_signals()
    try:
        arguments = prepare()
    except CorepilotError as error:
        preloaded.dismiss()
        os.write(2, f"corepilot: {error}\n".encode("utf-8", "backslashreplace"))
        return USAGE if error.code == "usage" else REFUSED
    child = preloaded.ask(arguments.request(arguments.environment))
    from corepilot.system import light_gevent

    light_gevent.import_gevent()
    from corepilot.config import loader
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
