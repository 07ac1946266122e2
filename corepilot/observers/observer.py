"""The contract of an observer: a plugin that receives every event, run and reload, and can change nothing.

An observer is a plugin of the group `corepilot.observers`; see `corepilot.plugin` for the two modules that an author
writes. Each entry of `observers` makes one instance, with a queue and a greenlet of its own: a slow one delays
nobody, and facts that do not fit into its queue are dropped and counted.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from corepilot.model.fact import Fact


@dataclass(frozen=True, slots=True)
class ObserverContext:
    """What corepilot gives an observer.

    Attributes:
        log: `log(level, message)`, level being one of debug, info, warning, error. Never blocks. The observer's name is
            added by the caller. No secrets.
        environment: The environment corepilot was given. Options that name a variable have been filled in already.
        version: corepilot's version.
    """

    log: Callable[[str, str], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = ""


class Observer(ABC):
    """One observer. Made once per start or reload that names it anew, closed when the configuration is left.

    All methods are called from one greenlet of the hub's thread, one at a time. They may switch (I/O through
    `corepilot.http` or gevent's own sockets), and must never block the thread; one that does so for two seconds is
    interrupted. Whatever they raise is logged with the observer's name and line, and changes nothing for the jobs.
    """

    def __init__(self, options: Any, context: ObserverContext) -> None:
        """Must not do I/O.

        Args:
            options: An instance of the plugin's `Options`, validated; None for a plugin without options.
            context: See `ObserverContext`.
        """
        self.options = options
        self.context = context

    @abstractmethod
    def observe(self, fact: Fact) -> None:
        """Take one fact: an `EventSeen`, `RunStarted`, `RunEnded` or `Reloaded` of `corepilot.model.fact`.

        The first is the event `startup`, also when the observer is loaded after it. They come in the order in which
        they happened, each once. Facts that come while this call waits are queued, at most
        `corepilot.model.fact.QUEUE_MAX` of them.
        """

    def dropped(self, count: int) -> None:  # noqa: B027  - most observers need not know
        """Facts were dropped at this place of the order, because the queue was full.

        Args:
            count: How many, at least 1.
        """

    def close(self) -> None:  # noqa: B027  - many have nothing to release
        """Release every connection, file and greenlet. Called once, after the last fact; it may take one second."""
