"""What `corepilot run` was asked to do, and the statuses with which it says no. On the boot path: imports little."""

import os
from collections.abc import Callable, Mapping, Sequence

from corepilot.system.writing import try_write

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.config.diagnostics.problems import Problem
    from corepilot.config.loading.exchange import Kept
    from corepilot.config.loading.loader import LoadRequest

LOAD_DEADLINE_S = 10.0
"""Seconds a load may take, whatever it waits for. Its CPU time is bounded in the loader itself."""

USAGE = 2
"""Exit status of a command line that cannot be understood."""

REFUSED = 1
"""Exit status of a configuration, or of an address, that cannot be had."""


_READER_S = 1.0
"""How long last words wait for a slow reader of stderr. One that stands still costs them, and not the exit status."""


def complain(problems: "Sequence[Problem]") -> None:
    """Say on stderr why a configuration is refused. Never blocks for long, never raises."""
    _say("".join(problem.text() + "\n" for problem in problems))


def refuse(reason: str, status: int = REFUSED) -> int:
    """Say on stderr, in one line, why `corepilot run` ends, as `complain` does; returns the exit status."""
    _say(f"corepilot: {reason}\n")
    return status


def _say(text: str) -> None:
    try:
        try_write(2, text.encode("utf-8", "backslashreplace"), _READER_S)
    except OSError:
        return  # nobody reads: the exit status tells


class RunArguments:
    """What `corepilot run` was asked to do.

    Attributes:
        locations: Where the configuration is: paths, URLs, and what other sources understand. Several are merged.
        discovery: The `--discovery` override, or None.
        environment: The environment as it was given, for templates and jobs.
        hostname: The host's name, for instance ids.
        refuse: Says why the first configuration is refused.
        paths_only: Whether locations are paths whatever they look like.
        kept: What the sources want to be told again at the next load. Set after each.
    """

    __slots__ = ("discovery", "environment", "hostname", "kept", "locations", "paths_only", "refuse")

    def __init__(
        self,
        locations: Sequence[str],
        discovery: str | None,
        environment: Mapping[str, str],
        refuse: "Callable[[Sequence[Problem]], None]" = complain,
        *,
        paths_only: bool = False,
    ) -> None:
        self.locations, self.discovery, self.environment = tuple(locations), discovery, environment
        self.paths_only = paths_only
        self.kept: Kept = ()
        self.hostname = os.uname().nodename
        self.refuse = refuse

    def request(self, environment: Mapping[str, str], locations: Sequence[str] = ()) -> "LoadRequest":
        """What the loader is asked for, with the jobs' environment as it is now; other locations for a plan."""
        from corepilot.config.loading.loader import LoadRequest

        return LoadRequest(
            locations=tuple(locations) or self.locations,
            environment=dict(environment),
            discovery=self.discovery,
            judge_machine=True,
            strict=False,
            hostname=self.hostname,
            paths_only=self.paths_only and not locations,
            known=self.kept,
        )
