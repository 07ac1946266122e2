"""From the settings of `telemetry` to what is served and registered (ContainerPilot contract, sections 3.8 and 7.5)."""

from typing import Any

from corepilot._version import __version__
from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.jobs import Settings, address_of, notes_for
from corepilot.config.rules.named_plugins import NamedPlugin, plugin_of
from corepilot.config.schema.filling import made
from corepilot.config.schema.telemetry import public_name
from corepilot.model.configuration import Metric, Telemetry
from corepilot.model.service import Registration, Service

GROUP = "corepilot.sinks"
SERVICE = "containerpilot"
SINK = NamedPlugin("prometheus", {}, ("telemetry",), ("telemetry",), extra="corepilot[containerpilot]")
"""What serves the endpoint."""

_TTL_S = 15
_SERVED = (
    *("containerpilot_events", "containerpilot_control_http_requests", "containerpilot_watch_instances"),
    *("http_request_duration_microseconds", "http_request_size_bytes", "http_response_size_bytes"),
    *("process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_start_time_seconds"),
    *("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_virtual_memory_max_bytes"),
    *("go_gc_duration_seconds", "go_goroutines", "go_info", "go_threads"),  # ContainerPilot's: a name keeps its meaning
)
_SERVED_BEGINNINGS = ("corepilot_", "go_memstats_")


def telemetry_of(data: Settings, verdict: Verdict, host: Host) -> Telemetry:
    """The endpoint, its metrics, what serves it, and the service it registers for itself.

    Args:
        data: What is valid of the settings.
        verdict: Takes what is wrong.
        host: The machine.
    """
    port = data.get("port", 0)
    address = ""
    if "interfaces" in data:
        address = address_of(data["interfaces"], ("telemetry", "interfaces"), verdict, host)
    service = None
    if port:
        tags = (*data.get("tags", ()), __version__)
        identity = f"{SERVICE}-{host.instance}"
        service = Service(Registration(identity, SERVICE, address, port, tags, _TTL_S, notes_for(SERVICE)))
    metrics = _metrics(data.get("metrics", ()), verdict)
    sink = plugin_of(GROUP, SINK, verdict, host)
    sinks = () if sink is None else (sink,)
    return Telemetry(port, address, metrics, service, sinks)


def _metrics(metrics: Any, verdict: Verdict) -> tuple[Metric, ...]:
    """The metrics; of two definitions of one public name the last one counts."""
    kept: dict[str, Metric] = {}
    for index, metric in enumerate(metrics):
        if not metric or not {"name", "help", "type"} <= metric.keys():
            continue
        name = public_name(metric)
        path = ("telemetry", "metrics", index)
        if name in _SERVED or name.startswith(_SERVED_BEGINNINGS):
            rule = f"{name} is the name of a built-in metric"
            verdict.complain((*path, "name"), Complaint("metric-clash", rule, "choose another name or namespace"))
        if name in kept:
            rule = f"{name} is defined before, and this definition replaces it"
            verdict.warn((*path, "name"), "metric-twice", rule, "leave one of them out")
        kept[name] = made(Metric, metric)
    return tuple(kept.values())
