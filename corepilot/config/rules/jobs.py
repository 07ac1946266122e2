"""From the validated settings of a job to what is run (ContainerPilot contract, sections 3.6, 4.2 and 8).

What comes out has the form of `Config.to_plain`. The dataclasses of the model themselves are not made here: importing
them takes 9 ms on the way to the first job. A test holds the two together.
"""

from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.schema.fields import bad_duration
from corepilot.config.schema.settings import SIGNALS, UNLIMITED, JobSection
from corepilot.config.text import commands
from corepilot.config.text.addresses import AddressError, parse_spec
from corepilot.config.text.units import DurationError, parse_duration
from corepilot.events import GLOBAL

Plain = dict[str, Any]

_MEANT = {
    "exectimeout": "write timeout",
    "restartlimit": "write restarts",
    "stoppingtimeout": "write stopTimeout",
    "ttl": "write it in health",
}
_TTL_WITHOUT_HEALTH_S = 15  # a job called containerpilot may have a port and no health, as telemetry's own


def job_config(data: Plain, raw: Any, path: Path, verdict: Verdict, host: Host, *, catalog: bool) -> Plain | None:
    """A job in the form of `JobConfig`, or None if it cannot be used. Warns of what is odd about it.

    Args:
        data: What is valid of the job's settings.
        raw: The job's settings as they were written.
        path: Where the job is.
        verdict: Takes what is wrong.
        host: The machine.
        catalog: Whether there is a catalog to advertise the job's port in.
    """
    health = data.get("health") or {}
    written = {key.lower(): value for key, value in raw.items()} if isinstance(raw, dict) else {}
    for key in raw if isinstance(raw, dict) else ():
        if key.lower() in JobSection.ignored:
            hint = _MEANT.get(key.lower(), "leave it out")
            verdict.warn((*path, key), "key-ignored", "the key has no effect, as in ContainerPilot", hint, key=True)
    _judge_command(data.get("exec"), written.get("exec"), (*path, "exec"), verdict, host)
    check = written.get("health")
    if isinstance(check, dict):
        command = {key.lower(): value for key, value in check.items()}.get("exec")
        _judge_command(health.get("exec"), command, (*path, "health", "exec"), verdict, host)
    service: Plain | None = None
    if data.get("port"):
        service = _service(data, path, verdict, host, catalog=catalog)
    if not data.get("name"):
        return None
    when = _when(data.get("when"))
    timeout_s = data.get("timeout")
    restarts = data.get("restarts", UNLIMITED if when["kind"] == "interval" else 0)
    if data.get("exit_on") and (restarts == UNLIMITED or when["kind"] in {"each", "signal"}):
        hint = "leave it out, or give the job an end: restarts with a number, when.once"
        verdict.warn((*path, "exitOn"), "exit-never", "the job never ends by itself", hint)
    return {
        "name": data["name"],
        "exec": data.get("exec"),
        "when": when,
        "restarts": restarts,
        "timeout_s": when["interval_s"] if timeout_s is None else timeout_s,
        "stop_timeout_s": _positive(data.get("stop_timeout")),
        "raw": bool((data.get("logging") or {}).get("raw")),
        "health": _check(health),
        "service": service,
        "exit_on": data.get("exit_on", ""),
        "stop_after": data.get("stop_after", ()),
    }


def address_of(specs: tuple[str, ...], path: Path, verdict: Verdict, host: Host, *, needed: bool = True) -> str:
    """The address that interface specifications mean on this machine; "" if there is none.

    Args:
        specs: The specifications.
        path: Where they stand.
        verdict: Takes what is wrong: a specification that cannot be parsed always, one that nothing matches according
            to the machine.
        host: The machine.
        needed: Whether anybody will connect to the address. If not, its absence is a warning.
    """
    broken = False
    for index, spec in enumerate(specs):
        try:
            parse_spec(spec)
        except AddressError as error:
            broken = True
            where = verdict.source_map.has((*path, index))
            rule, _, hint = str(error).removeprefix("cannot read interface specification ").rpartition("; ")
            verdict.complain((*path, index) if where else path, Complaint("bad-interface", rule, hint))
    if broken:
        return ""
    try:
        return host.address(specs)
    except AddressError as error:
        hint = 'name an interface of this machine, or an address: "static:192.0.2.1"'
        complaint = Complaint("no-address", str(error).removeprefix("cannot choose an address: "), hint)
        if needed:
            verdict.depends(path, complaint)
        else:
            verdict.complain(path, complaint, severity="warning", machine=True)
    return ""


def service_config(registration: Plain, initial_status: str | None = None) -> Plain:
    """What is advertised, in the form of `ServiceConfig`.

    Args:
        registration: What is not as `Registration` has it by default.
        initial_status: The status it is registered with before its first check.
    """
    full = {
        "tags": (),
        "enable_tag_override": False,
        "deregister_critical_after": None,
        "notes": f"TTL for {registration['service']} set by containerpilot",
        **registration,
    }
    return {"registration": full, "initial_status": initial_status}


def _when(data: Plain | None) -> Plain:
    if data is None:
        return _start("once", "startup", GLOBAL)
    if data.get("interval") is not None:
        return _start("interval", "startup", GLOBAL, interval_s=data["interval"])
    source, timeout_s = data.get("source", ""), _positive(data.get("timeout"))
    if source in SIGNALS:
        return _start("signal", "", source, timeout_s=timeout_s)
    for kind in ("once", "each"):
        if data.get(kind):
            return _start(kind, data[kind], source, timeout_s=timeout_s)
    return _start("never", "", source, timeout_s=timeout_s)


def _start(
    kind: str, code: str, source: str, *, interval_s: float | None = None, timeout_s: float | None = None
) -> Plain:
    return {"kind": kind, "code": code, "source": source, "interval_s": interval_s, "timeout_s": timeout_s}


def _check(health: Plain) -> Plain | None:
    if "interval" not in health or "ttl" not in health:
        return None
    return {
        "interval_s": health["interval"],
        "ttl_s": health["ttl"],
        "exec": health.get("exec"),
        "timeout_s": _positive(health.get("timeout", float(health["interval"]))),
        "raw": bool((health.get("logging") or {}).get("raw")),
    }


def _service(data: Plain, path: Path, verdict: Verdict, host: Host, *, catalog: bool) -> Plain:
    name, port = data.get("name", ""), data["port"]
    if not 0 < port < 65536:
        verdict.warn((*path, "port"), "port-range", f"{port} is not between 1 and 65535", "nothing can connect to it")
    extras = data.get("consul") or {}
    after = extras.get("deregister_after", "")
    if after:
        try:
            parse_duration(after, bare_integer_seconds=False)  # Consul reads it itself
        except DurationError as error:
            verdict.complain((*path, "consul", "deregisterCriticalServiceAfter"), bad_duration(error))
    address = ""
    if "interfaces" in data:
        address = address_of(data["interfaces"], (*path, "interfaces"), verdict, host, needed=catalog)
    registration = {
        "id": f"{name}-{data.get('instance') or host.instance}",
        "service": name,
        "address": address,
        "port": port,
        "tags": data.get("tags", ()),
        "ttl_s": (data.get("health") or {}).get("ttl", _TTL_WITHOUT_HEALTH_S),
        "enable_tag_override": bool(extras.get("enable_tag_override")),
        "deregister_critical_after": after or None,
    }
    return service_config(registration, data.get("initial_status") or None)


def _judge_command(command: tuple[str, ...] | None, written: Any, path: Path, verdict: Verdict, host: Host) -> None:
    if not command:
        return
    if isinstance(written, str):
        for oddity in commands.oddities(written):
            hint = 'write an array, such as ["/bin/sh", "-c", "…"], to say where arguments begin and end'
            verdict.warn(path, "exec-literal", oddity, hint)
    fault = host.program_fault(command[0])
    if fault:
        hint = "it has to be there when the job starts"
        verdict.warn(path, "exec-missing", f"cannot execute {shown(command[0])} here: {fault}", hint, machine=True)


def _positive(seconds: float | None) -> float | None:
    """Seconds, or None for no limit: that is what zero and less mean."""
    return seconds if seconds is not None and seconds > 0 else None
