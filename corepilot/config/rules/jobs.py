"""From the validated settings of a job to what is run (ContainerPilot contract, sections 3.6, 4.2 and 8)."""

from collections.abc import Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.source_map import Path, path_text
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.catalog import NamedCatalogs
from corepilot.config.rules.commands import Start, command_of, judge_command
from corepilot.config.rules.conditions import leaves, when_of
from corepilot.config.rules.health import Settings, checks_of, judge_ttls, positive
from corepilot.config.rules.host import Host
from corepilot.config.rules.numbered import port_of_replicas
from corepilot.config.rules.process_settings import (
    judge_owners,
    judge_shell,
    judge_stdin,
    judge_tty,
    settings_of,
    stop_policy,
)
from corepilot.config.rules.ready import ready_of
from corepilot.config.rules.watches import catalogs_of_job
from corepilot.config.schema.fields import bad_duration
from corepilot.config.schema.filling import made
from corepilot.config.schema.jobs import JobSection
from corepilot.config.text.addresses import AddressError, parse_spec
from corepilot.config.text.commands import parsed
from corepilot.config.text.units import DurationError, parse_duration
from corepilot.model.command import Variables
from corepilot.model.job import UNLIMITED, Check, Dependency, Job, RestartPolicy, never_ends
from corepilot.model.service import Extras, Registration, Service
from corepilot.model.trigger import OnInterval

_MEANT = {
    "exectimeout": "write timeout",
    "restartlimit": "write restarts",
    "stoppingtimeout": "write stopTimeout",
    "ttl": "write it in health",
}
_TTL_WITHOUT_HEALTH_S = 15  # a job called containerpilot may have a port and no health, as telemetry's own


def job_of(
    data: Settings,
    raw: Any,
    path: Path,
    verdict: Verdict,
    host: Host,
    *,
    catalogs: NamedCatalogs,
    stop_timeout_s: float,
    variables: Variables = (),
) -> Job | None:
    """A job, or None if it cannot be used. Warns of what is odd about it.

    Args:
        data: What is valid of the job's settings.
        raw: The job's settings as they were written.
        path: Where the job is.
        verdict: Takes what is wrong.
        host: The machine.
        catalogs: Where the job's port can be advertised.
        stop_timeout_s: What it gets from its stop signal to SIGKILL, unless it says otherwise.
        variables: Those of the top level.
    """
    written = {key.lower(): value for key, value in raw.items()} if isinstance(raw, dict) else {}
    for key in raw if isinstance(raw, dict) else ():
        if key.lower() in JobSection.ignored:
            hint = _MEANT.get(key.lower(), "leave it out")
            verdict.warn((*path, key), "key-ignored", "the key has no effect, as in ContainerPilot", hint, key=True)
    replicas = bool(data.get("replicas"))
    start = Start(settings_of(data, variables, path, verdict, host), data.get("shell") or (), replicas)
    judge_shell(data, written.get("exec"), path, verdict)
    judge_tty(data, path, verdict)
    stdin, file = data.get("stdin", ("null", ""))
    if file and not replicas:
        judge_stdin(file, path, verdict, host)
    judge_owners(data.get("listen", ()), path, verdict)
    listen = tuple([one if one.name else one.changed(name=data.get("name", "")) for one in data.get("listen", ())])
    tty, cgroup = data.get("tty", False), data.get("cgroup", False)
    of_main = start
    if file or listen or tty or cgroup:
        own = start.settings.changed(stdin=file, stdin_socket=stdin == "socket", listen=listen, tty=tty, cgroup=cgroup)
        of_main = start._replace(settings=own)
    if stdin == "socket":
        if not listen and not verdict.refuses((*path, "listen")):
            rule, hint = "the job is handed no socket", 'add listen: "127.0.0.1:9000", or leave it out'
            verdict.complain((*path, "stdin"), Complaint("wrong-value", rule, hint))
        stdin = "null"
    command = command_of(data, written.get("exec"), of_main)
    judge_command(command, written.get("exec"), (*path, "exec"), verdict, host, start=start)
    text, reload_signal = data.get("reload", (None, 0))
    reload = command_of({"exec": parsed(text)}, text, start) if text else None
    judge_command(reload, text, (*path, "reload"), verdict, host, start=start._replace(replicas=False))
    checks = checks_of(data.get("health"), written.get("health"), (*path, "health"), verdict, host, start=start)
    if data.get("port"):
        judge_ttls(data.get("health"), (*path, "health"), verdict)
    service = _service(data, path, verdict, host, catalogs, checks=checks) if data.get("port") else None
    if not data.get("name"):
        return None
    when = when_of(data.get("when"), data["name"], (*path, "when"), verdict)
    every_s = when.trigger.every_s if isinstance(when.trigger, OnInterval) else None
    restarts = _restarts(data.get("restarts"), periodic=every_s is not None)
    if data.get("exit_on") and (never_ends(restarts) or when.each):
        hint = "leave it out, or give the job an end: restarts with a number, when.once"
        verdict.warn((*path, "exitOn"), "exit-never", "the job never ends by itself", hint)
    if data.get("drain") and not data.get("port"):
        verdict.warn((*path, "drain"), "drain-useless", "the job has no port to leave the catalog with", "leave it out")
    if stdin == "event" and not any(one.source.startswith("watch.") for _, one in leaves(when.trigger)):
        hint = 'leave it out, or write when: { source: "watch.<name>", each: "changed" }'
        verdict.warn((*path, "stdin"), "stdin-event", "no watch starts the job, so it reads null", hint)
    return made(
        Job,
        data,
        command=command,
        when=when,
        restarts=restarts,
        depends_on=dependencies_of(data),
        timeout_s=data.get("timeout", every_s),
        stop=stop_policy(data, stop_timeout_s, positive(data.get("stop_timeout"))),
        checks=checks,
        ready=ready_of(data, checks, path, verdict),
        service=service,
        stdin=stdin,
        reload=reload,
        reload_signal=reload_signal,
        path=path_text(path),
    )


LOOPBACK = "127.0.0.1"
"""Where a service is that nobody else can reach: contract, section 8, and our own decision."""


def _has_network(host: Host) -> bool:
    try:
        return host.has_network()
    except AddressError:
        return True  # nobody knows


def address_of(specs: tuple[str, ...], path: Path, verdict: Verdict, host: Host, *, needed: bool = True) -> str:
    """The address that interface specifications mean on this machine; "" if there is none.

    Without a network, and where the configuration names nothing, it is loopback, with a warning.

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
        if not _has_network(host):
            if not verdict.source_map.has(path):
                rule = f"this machine has no network, so the service is at {LOOPBACK}, for this machine alone"
                if needed:
                    verdict.warn(
                        path, "no-address", rule, f'interfaces: "static:{LOOPBACK}" asks for that', machine=True
                    )
                return LOOPBACK
            hint = f'this machine has no network; "static:{LOOPBACK}" is for this machine alone'
        complaint = Complaint("no-address", str(error).removeprefix("cannot choose an address: "), hint)
        if needed:
            verdict.depends(path, complaint)
        else:
            verdict.complain(path, complaint, severity="warning", machine=True)
    return ""


def dependencies_of(data: Settings) -> tuple[Dependency, ...]:
    """What a job depends on: as it says, and that the jobs it is bound to have been started."""
    found = {**dict.fromkeys(data.get("binds_to", ()), "started"), **dict(data.get("depends_on", ()))}
    return tuple([Dependency(*one) for one in found.items()])


def _restarts(data: Settings | None, *, periodic: bool) -> RestartPolicy:
    if data is None:
        return RestartPolicy(UNLIMITED if periodic else 0)
    limit = data.get("limit", 0 if data.get("on") == "never" else UNLIMITED)
    return made(RestartPolicy, data, limit=limit)


def _service(
    data: Settings, path: Path, verdict: Verdict, host: Host, catalogs: NamedCatalogs, *, checks: Sequence[Check]
) -> Service:
    name, port = data.get("name", ""), data["port"]
    pattern = port if isinstance(port, str) else ""
    if pattern:
        port = port_of_replicas(pattern, data.get("replicas", 0), path, verdict)
    if not 0 < port < 65536:
        verdict.warn((*path, "port"), "port-range", f"{port} is not between 1 and 65535", "nothing can connect to it")
    extras = _consul_extras(data.get("consul") or {}, path, verdict)
    address = ""
    if "interfaces" in data:
        address = address_of(data["interfaces"], (*path, "interfaces"), verdict, host, needed=catalogs.named)
    catalogs_of_job(data.get("catalogs", ()), (*path, "catalogs"), catalogs, verdict)
    registration = Registration(
        f"{name}-{data.get('instance') or host.instance}",
        name,
        address,
        port,
        data.get("tags", ()),
        min((check.ttl_s for check in checks), default=_TTL_WITHOUT_HEALTH_S),
        "",  # Consul's backend has ContainerPilot's words for people, the others need none
        extras,
        data.get("catalogs", ()),
    )
    return Service(registration, data.get("initial_status") or None, pattern)


def _consul_extras(data: Settings, path: Path, verdict: Verdict) -> Extras:
    after = data.get("deregister_after", "")
    if after:
        try:
            parse_duration(after, bare_integer_seconds=False)  # Consul reads it itself
        except DurationError as error:
            verdict.complain((*path, "consul", "deregisterCriticalServiceAfter"), bad_duration(error))
    weights = data.get("weights", {})
    extras = {
        "consul.enableTagOverride": data.get("enable_tag_override"),
        "consul.deregisterCriticalServiceAfter": after,
        "consul.meta": data.get("meta"),
        "consul.weights": (weights.get("passing", 1), weights.get("warning", 1)) if weights else None,
    }
    return tuple([(name, value) for name, value in extras.items() if value])
