"""The contract of a telemetry sink: where metrics, status and runs go.

A sink is a plugin of the group `corepilot.sinks`; see `corepilot.plugin` for the two modules that an author writes.
Each entry of `telemetry.sinks` makes one instance, with its own options. A sink is pulled from, or pushes, or both:

- **Pull**: it listens, and answers from `SinkContext.metrics.collect()`, as Prometheus does.
- **Push**: its `interval_s` is more than 0, and corepilot calls `flush` at that interval, from a greenlet of its own
  and never twice at once. The sink decides whether to keep or to drop what it cannot send within the interval;
  corepilot counts the flushes that fail.

A sink that fails affects neither the jobs nor the other sinks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corepilot.model.fact import Fact
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import socket

FLUSH_S = 5.0
"""Seconds that one flush may take, or the sink's interval where that is less."""

LAST_FLUSH_S = 1.0
"""Seconds at the end, of corepilot or of the sink: for facts that wait, a flush under way, and a last one."""


def _no_probe(path: str, query: str) -> tuple[int, str] | None:  # noqa: ARG001  - its callers give both
    """Nobody can tell whether anything is live or ready: as if there were no such path."""
    return None


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What corepilot gives a sink.

    Attributes:
        metrics: The metrics of this process: `collect()` at any time.
        status: What `corepilot status -o json` shows, made anew by each call.
        log: `log(level, message)`, as for backends. Never blocks.
        listen: The addresses that the `telemetry` section names, each a host and a port.
        version: corepilot's version.
        instance: What tells this corepilot from others: `$COREPILOT_INSTANCE`, or the host's name.
        environment: The environment corepilot was given. Options that name a variable have been filled in already.
        listeners: Sockets that listen at the telemetry section's addresses, for a sink whose `CAPABILITIES` hold
            "pull"; empty for others. Take their descriptors with `detach`. A sink
            that leaves one alone leaves its closing to corepilot.
        reloaded: A reload has made this sink: what had been counted by then was for the sinks before it. One that sends
            what counters have grown by begins with what they stand at when it is started.
        probe: For a sink that listens: the answer to a request for a path and its query, an HTTP status and a line of
            text, if it is `/livez` or `/readyz`; None for other paths. What it says is fit for anybody.
    """

    metrics: Metrics
    status: Callable[[], Mapping[str, Any]]
    log: Callable[[str, str], None]
    listen: tuple[tuple[str, int], ...]
    version: str
    instance: str = ""
    environment: Mapping[str, str] | None = None
    listeners: "Sequence[socket.socket]" = ()
    reloaded: bool = False
    probe: Callable[[str, str], tuple[int, str] | None] = _no_probe


class Sink(ABC):
    """One destination of telemetry. Made once per start or reload that names it anew, closed when that is left.

    All methods are called from greenlets of the hub's thread. They may switch, and must never block the thread; one
    that does so for two seconds is interrupted. Whatever they raise is logged with the sink's name and line.
    """

    interval_s: float = 0.0
    """How often `flush` is called, in seconds; 0 for a sink that is only pulled from. Read once, after `start`."""

    dropped: int = 0
    """How many things the sink has had to throw away so far. Only grows. Read after each flush, for `status` and the
    metric `corepilot_sink_dropped_total`, which add what has not fitted into the queue of `observe`."""

    def __init__(self, options: Any, context: SinkContext) -> None:
        """Must not do I/O.

        Args:
            options: An instance of the plugin's `Options`, validated; None for a plugin without options.
            context: See `SinkContext`.
        """
        self.options = options
        self.context = context

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it listens or sends to, for people. No secrets."""

    def start(self) -> None:  # noqa: B027  - one that pushes has nothing to begin
        """Begin. Returns at once.

        Raises:
            OSError: it cannot listen at an address of its own options. It is logged, and the sink is closed.
        """

    def flush(self) -> None:
        """Send what there is to send: `context.metrics.collect()` is the state now. May wait for the network.

        Called every `interval_s` seconds, and once at the end. It has the interval, at most `FLUSH_S` seconds; the last
        one has what is left of `LAST_FLUSH_S`. Then a `TimeoutError` is raised in it, which it lets pass like any other
        `OSError`.

        Raises:
            OSError: it cannot be sent; the next call sends what holds then. Logged now and then, and counted;
                the sink is never switched off for it.
        """
        raise NotImplementedError(f"{type(self).__name__} has an interval_s, and no flush")

    def observe(self, fact: Fact) -> None:  # noqa: B027  - most sinks look at metrics only
        """Take one fact, as an observer does: only called where the class overrides it. See `corepilot.observers`."""

    @abstractmethod
    def close(self) -> None:
        """Release every connection, listener and greenlet. Idempotent, never raises, does not wait."""
