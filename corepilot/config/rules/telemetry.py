"""From the settings of `telemetry` to what is served and registered (ContainerPilot contract, sections 3.8 and 7.5)."""

from typing import Any

from corepilot._version import __version__
from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.entries import entries_of
from corepilot.config.rules.health import Settings
from corepilot.config.rules.host import Host
from corepilot.config.rules.jobs import address_of
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.rules.plugin_lookup import plugin_of
from corepilot.config.schema.filling import made
from corepilot.config.schema.telemetry import public_name
from corepilot.model.configuration import Metric, Telemetry
from corepilot.model.service import Registration, Service

SERVICE = "containerpilot"
SINK = NamedPlugin("prometheus", {}, ("telemetry",), ("telemetry",), extra="corepilot[containerpilot]")
"""What serves the endpoint."""

DEFAULT_PORT = 9090
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
    serves = "sinks" not in data or "port" in data or bool(data.get("listen"))
    port = data.get("port", 0 if "sinks" in data else DEFAULT_PORT)
    address = ""
    listen: list[tuple[str, int]] = []
    if serves and ("port" in data or not data.get("listen")):
        if "interfaces" in data:
            address = address_of(data["interfaces"], ("telemetry", "interfaces"), verdict, host)
        listen.append((address, port))
    listen += _listen(data.get("listen", ()), verdict, listen)
    service = None
    if port and address:
        tags = (*data.get("tags", ()), __version__)
        identity = f"{SERVICE}-{host.instance}"
        service = Service(Registration(identity, SERVICE, address, port, tags, _TTL_S))
    metrics = _metrics(data.get("metrics", ()), verdict)
    sinks = entries_of("sink", data.get("sinks", ()), ("telemetry", "sinks"), verdict, host)
    named = SINK.name in [sink.name for sink in sinks]
    if serves and not named:
        sink = plugin_of("sink", SINK, verdict, host)
        sinks = sinks if sink is None else (sink, *sinks)
    elif named and not serves:
        rule = f"{SINK.name} waits to be asked, and telemetry listens nowhere"
        hint = f"add port: {DEFAULT_PORT}, or listen"
        verdict.complain(("telemetry", "sinks"), Complaint("bad-address", rule, hint))
    return Telemetry(port, address, metrics, service, sinks, tuple(listen))


def _listen(texts: Any, verdict: Verdict, had: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The addresses of `telemetry.listen`, of which none may be there already."""
    found: list[tuple[str, int]] = []
    for index, text in enumerate(texts):
        address, colon, port = text.rpartition(":")
        bare = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
        if not colon or not _is_address(bare) or not port.isdecimal() or not 0 < int(port) < 65536:
            rule = f"{shown(text)} is no address with a port"
            hint = 'write it as "0.0.0.0:9090", or "[::]:9090" for IPv6'
            verdict.complain(("telemetry", "listen", index), Complaint("bad-address", rule, hint))
        elif (bare, int(port)) in (*had, *found):
            rule = f"telemetry listens at {shown(text)} already"
            verdict.complain(("telemetry", "listen", index), Complaint("bad-address", rule, "leave it out"))
        else:
            found.append((bare, int(port)))
    return found


def _is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


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
