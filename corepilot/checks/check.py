"""The contract of a check: a plugin that answers one question about a job's health.

A check is a plugin of the group `corepilot.checks`; see `corepilot.plugin` for the two modules that an author writes.
corepilot keeps the time: it calls a check at the configured interval, never twice at once, and gives up at the timeout.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OUTPUT_MAX = 4096
"""Characters of a check's answer that are kept."""


class CheckFailed(Exception):  # noqa: N818  - no error: it is the check's answer
    """Raised by `Check.ask` where the job is not healthy. Its text says why, in one line."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What corepilot tells a check.

    Attributes:
        log: `log(level, message)`, as for backends. Never blocks.
        job: The job's name.
        address: The address that the job's service is advertised with; "" for a job without a port.
        port: The port; 0 for a job without one.
        environment: The job's environment.
    """

    log: Callable[[str, str], None]
    job: str
    address: str = ""
    port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


class Check(ABC):
    """One check of one job. Made once per start or reload that names it anew.

    `ask` is called from a greenlet of the hub's thread. It may switch, and must never block the thread.
    """

    def __init__(self, options: Any, context: CheckContext) -> None:
        """Must not do I/O.

        Args:
            options: An instance of the plugin's `Options`, validated; None for a plugin without options.
            context: See `CheckContext`.
        """
        self.options = options
        self.context = context

    @abstractmethod
    def ask(self, deadline_s: float) -> str:
        """Find out whether the job is healthy now.

        Args:
            deadline_s: Seconds this may take. Then the call is ended by `gevent.Timeout` or `gevent.GreenletExit`,
                which a check lets pass after closing what it opened, and the job counts as not healthy.

        Returns:
            The text to show with the status, such as "200 OK"; may be empty. Cut at `OUTPUT_MAX` characters.

        Raises:
            CheckFailed: the job is not healthy. Any other exception counts as not healthy too, and is logged as a fault
                of the check.
        """

    def close(self) -> None:  # noqa: B027  - most have nothing to release
        """Release everything. Idempotent, does not wait."""
