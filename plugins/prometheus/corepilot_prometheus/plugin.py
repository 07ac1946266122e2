"""The light part of the `prometheus` sink: what the loader imports."""

from dataclasses import dataclass

from corepilot.plugin import hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"pull"})


@dataclass(frozen=True)
class Options:
    """The sink's options. ContainerPilot's `telemetry` section sets none of them."""

    connections: int = option(
        help="connections open at once; further ones are refused", minimum=1, maximum=1024, default=16
    )


@hookimpl
def corepilot_register_sink() -> type:
    """The sink's class, imported when a configuration uses it."""
    from corepilot_prometheus.sink import PrometheusSink

    return PrometheusSink
