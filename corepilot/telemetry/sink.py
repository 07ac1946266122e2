"""The contract of a telemetry sink: where metrics and status go.

A sink is a plugin of the group `corepilot.sinks`; see `corepilot.plugin` for the two modules that an author writes. A
sink that is asked (Prometheus) answers from `SinkContext.metrics.collect()`; one that tells (StatsD, OTLP) collects at
its own interval in a greenlet of its own. Whatever happens to it is no harm to the jobs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corepilot.model.configuration import Telemetry
from corepilot.telemetry.metrics import Metrics

if TYPE_CHECKING:
    import socket


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What corepilot gives a sink.

    Attributes:
        metrics: The metrics of this configuration: `collect()` at any time.
        status: What `corepilot status -o json` shows, made anew by each call.
        log: `log(level, message)`, as for backends. Never blocks.
        telemetry: The `telemetry` section: the address and port that were asked for.
        version: corepilot's version.
        listener: A socket that listens at the telemetry section's address, for a sink that is asked there: take its
            descriptor with `detach`. A sink that leaves it alone leaves its closing to corepilot.
    """

    metrics: Metrics
    status: Callable[[], Mapping[str, Any]]
    log: Callable[[str, str], None]
    telemetry: Telemetry
    version: str
    listener: "socket.socket"


class Sink(ABC):
    """One destination of telemetry. Made once per (re)load, closed when the configuration is left.

    All methods are called from greenlets of the hub's thread; they may switch, and must never block it.
    """

    def __init__(self, options: Any, context: SinkContext) -> None:
        """Must not do I/O.

        Args:
            options: An instance of the plugin's `Options`, validated.
            context: See `SinkContext`.
        """
        self.options = options
        self.context = context

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it listens or sends to, for people. No secrets."""

    @abstractmethod
    def start(self) -> None:
        """Begin. Returns at once; greenlets do the work.

        Raises:
            OSError: an address of its own options cannot be had. It is logged, and the sink is closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Release every connection, listener and greenlet. Idempotent, never raises, does not wait."""
