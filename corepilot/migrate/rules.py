"""Which differences a file has to do with: a rule for each that can be seen in a file.

A rule names the places. The other differences are repairs that any file may profit from, and none can rely on.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from corepilot.config.diagnostics.source_map import Path
from corepilot.config.text.addresses import AddressError, parse_spec
from corepilot.jobs.process import QUICK_RESTARTS
from corepilot.migrate.facts import Facts
from corepilot.migrate.own import own_settings
from corepilot.model.event import EXITS, SIGNALS
from corepilot.model.job import HOOK_TIMEOUT_S, UNLIMITED

Rule = Callable[[Facts], Iterable[Path]]

_CLIENT = re.compile(r"(?:^|[\s/;&|(])containerpilot\s.*?--?(?:reload|maintenance|putenv|putmetric|ping)\b", re.DOTALL)
_NAMED = re.compile(r"\b(?:pkill|killall|pgrep|pidof|skill)\b[^;&|\n]*\bcontainerpilot\b")
_FIELD = re.compile(r"(?<![\w)$])\.([A-Za-z_]\w*)")
Job = dict[str, Any]
"""The valid part of a job, or of its health."""

_FOREVER_S = 3600.0  # a deadline that somebody has put out of reach
_QUIET = frozenset(("warning", "error", "fatal", "panic"))
_TRUE = frozenset(("1", "t", "true"))


def _commands(facts: Facts) -> Iterator[tuple[Path, str]]:
    for index, job in facts.jobs:
        if job.get("exec"):
            yield ("jobs", index, "exec"), " ".join(job["exec"])
        check = _health(job).get("exec")
        if check:
            yield ("jobs", index, "health", "exec"), " ".join(check)


def _health(job: Job) -> Job:
    """The settings of its check. Several checks are no file of ContainerPilot's."""
    health = job.get("health")
    return health if isinstance(health, dict) else {}


def _clients(facts: Facts) -> Iterable[Path]:
    return [path for path, text in _commands(facts) if _CLIENT.search(text)]


def _by_name(facts: Facts) -> Iterable[Path]:
    return [path for path, text in _commands(facts) if _NAMED.search(text)]


def _ends_by_itself(facts: Facts) -> Iterable[Path]:
    if facts.data.get("exit_status") == "zero" or facts.data.get("telemetry") is not None or not facts.jobs:
        return []
    ends = all(_completes(facts, job) for _, job in facts.jobs)
    return [("jobs",)] if ends else []


def _completes(facts: Facts, job: dict[str, Any]) -> bool:
    """Whether a job can come to an end before a stop (contract, section 4.3)."""
    if not job.get("exec") or _restarts(job) == UNLIMITED:
        return False
    when = job.get("when")
    if when is None:
        return True
    if when.get("interval") is not None:
        return job.get("restarts") is not None
    if when.get("source") in SIGNALS:
        return False
    return bool(when.get("once")) or facts.when(job, "each") in {"stopping", "stopped"}


def _cut_values(facts: Facts) -> Iterable[Path]:
    read = {name for name in _FIELD.findall(facts.text) if "=" in facts.environment.get(name, "")}
    return [()] if read else []


def _not_arrays(facts: Facts) -> Iterable[Path]:
    found: list[Path] = []
    for key in ("jobs", "watches"):
        value = facts.written.get(key)
        if isinstance(value, list):
            found += [(key, index) for index, one in enumerate(value) if one is None]
        elif value is not None:
            found.append((key,))
    return found


def _unverified(facts: Facts) -> Iterable[Path]:
    consul = facts.data.get("consul")
    if facts.environment.get("CONSUL_HTTP_SSL_VERIFY", "").lower() in {"1", "0", "true", "false"}:
        return []
    options = {key.lower(): value for key, value in consul.items()} if isinstance(consul, dict) else {}
    address = consul if isinstance(consul, str) else options.get("address") or ""
    scheme = options.get("scheme") or ""
    if isinstance(consul, dict | str):
        address = address or facts.environment.get("CONSUL_HTTP_ADDR", "")
        tls = facts.environment.get("CONSUL_HTTP_SSL", "").lower() in _TRUE
        scheme = scheme or ("https" if tls and isinstance(consul, dict) else "")  # a text without a scheme means http
    tls_options = options.get("tls") or {}
    said = isinstance(tls_options, dict) and any(key.lower() == "verify" for key in tls_options)
    secure = str(address).startswith("https://") or ("://" not in str(address) and str(scheme).lower() == "https")
    return [("consul",)] if secure and not said else []


def _no_deregistration(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "consul")
        for index, job in facts.jobs
        if job.get("port") and job.get("consul") is not None and not job["consul"].get("deregister_after")
    ]


def _after_stopped(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "when")
        for index, job in facts.jobs
        if "stopped" in {facts.when(job, "once"), facts.when(job, "each")}
    ]


def _slow_runs(facts: Facts) -> Iterable[Path]:
    found: list[Path] = []
    for index, job in facts.jobs:
        interval, timeout = facts.when(job, "interval"), job.get("timeout")
        if interval is not None and timeout is not None and timeout > interval:
            found.append(("jobs", index, "timeout"))
        health = _health(job)
        limit = health.get("timeout")
        if health.get("exec") and limit is not None and not 0 < limit <= health.get("interval", limit):
            found.append(("jobs", index, "health", "timeout"))
    return found


def _restarts(job: Job) -> int:
    """How often a job is started again, whatever its `when` is."""
    limit: int = (job.get("restarts") or {"limit": 0}).get("limit", UNLIMITED)
    return limit


def _restarted(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "restarts")
        for index, job in facts.jobs
        if job.get("exec")
        and facts.when(job, "interval") is None
        and (_restarts(job) == UNLIMITED or _restarts(job) > QUICK_RESTARTS)
    ]


def _checked(facts: Facts) -> Iterable[Path]:
    if facts.data.get("report_failing") is False or not facts.catalog:
        return []
    return [("jobs", index, "health") for index, job in facts.jobs if job.get("port") and _health(job).get("exec")]


def _maintained(facts: Facts) -> Iterable[Path]:
    codes = {"enterMaintenance", "exitMaintenance"}
    return [
        ("jobs", index, "when")
        for index, job in facts.jobs
        if codes & {facts.when(job, "once"), facts.when(job, "each")}
    ]


def _hooks(facts: Facts) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, job in facts.jobs:
        if {"stopping", "stopped"} & {facts.when(job, "once"), facts.when(job, "each")}:
            yield index, job


def _names(facts: Facts) -> set[str]:
    return {job.get("name", "") for _, job in facts.jobs}


def _lost_hooks(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "when", "source")
        for index, job in _hooks(facts)
        if job.get("exec") and facts.when(job, "source") not in _names(facts)
    ]


def _hooked(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "when")
        for index, job in _hooks(facts)
        if job.get("exec")
        and "stopping" in {facts.when(job, "once"), facts.when(job, "each")}
        and facts.when(job, "source") in _names(facts)
        and not _in_time(job, [one for _, one in facts.jobs if one.get("name") == facts.when(job, "source")])
    ]


def _in_time(hook: Job, waiting: Iterable[Job]) -> bool:
    """Whether a hook cannot meet its deadline: it has a shorter timeout, or the deadline is out of reach."""
    deadline_s = min(one.get("stop_timeout") or HOOK_TIMEOUT_S for one in waiting)
    deadline_s = min(deadline_s, hook.get("stop_timeout") or deadline_s)
    runs_s = hook.get("timeout") or float("inf")
    return deadline_s >= _FOREVER_S or (runs_s <= deadline_s and not _restarts(hook))


def _stop_timeout(facts: Facts) -> Iterable[Path]:
    return [("stopTimeout",)] if facts.written.get("stopTimeout") is not None else []


def _jobless(facts: Facts) -> Iterable[Path]:
    return [] if facts.jobs or facts.data.get("telemetry") is not None or not facts.written else [()]


def _quiet(facts: Facts) -> Iterable[Path]:
    level = (facts.data.get("logging") or {}).get("level")
    return [("logging", "level")] if level in _QUIET and any(map(_is_logged, _outputs(facts))) else []


def _outputs(facts: Facts) -> Iterable[Job]:
    for _, job in facts.jobs:
        yield from (job, job.get("health") or {})


def _is_logged(job: Job) -> bool:
    return bool(job.get("exec")) and not (job.get("logging") or {}).get("raw")


def _twins(facts: Facts) -> Iterable[Path]:
    seen: dict[str, tuple[str, str]] = {}
    found: list[Path] = []
    for index, watch in facts.watches:
        asked = watch.get("tag", ""), watch.get("dc", "")
        if seen.setdefault(watch.get("name", ""), asked) != asked:
            found.append(("watches", index))
    return found


def _watched(facts: Facts) -> Iterable[Path]:
    return [
        ("jobs", index, "when")
        for index, job in facts.jobs
        if str(facts.when(job, "source") or "").startswith("watch.")
    ]


def _odd_interfaces(facts: Facts) -> Iterable[Path]:
    found: list[Path] = []
    sections: list[tuple[Path, dict[str, Any]]] = [
        (("jobs", index), job) for index, job in facts.jobs if job.get("port")
    ]
    sections.append((("telemetry",), facts.data.get("telemetry") or {}))
    for path, section in sections:
        for spec in section.get("interfaces") or ():
            try:
                name = parse_spec(spec).name
            except AddressError:
                continue
            if name and not re.fullmatch(r"\w+", name, re.ASCII):
                found.append((*path, "interfaces"))
    return found


def _short_metrics(facts: Facts) -> Iterable[Path]:
    metrics = (facts.data.get("telemetry") or {}).get("metrics") or ()
    return [
        ("telemetry", "metrics", index)
        for index, metric in enumerate(metrics)
        if metric and not (metric.get("namespace") and metric.get("subsystem"))
    ]


def _waiting_in_vain(facts: Facts) -> Iterable[Path]:
    """Jobs whose `when` names no event, and those that wait for an exit or the health of jobs that have none."""
    found: list[Path] = []
    for index, job in facts.jobs:
        when, code = job.get("when"), facts.when(job, "once") or facts.when(job, "each")
        if when is None or when.get("interval") is not None:
            continue
        sources = [one for _, one in facts.jobs if one.get("name") == when.get("source")]
        needed = "exec" if code in EXITS else "health" if code in {"healthy", "unhealthy"} else ""
        if (not code and when.get("source") not in SIGNALS) or (
            needed and sources and not any(one.get(needed) for one in sources)
        ):
            found.append(("jobs", index, "when"))
    return found


RULES: dict[str, Rule] = {
    "own-settings": own_settings,
    "client-status": _clients,
    "exit-status": _ends_by_itself,
    "template-values": _cut_values,
    "not-an-array": _not_arrays,
    "tls-verify": _unverified,
    "deregister-optional": _no_deregistration,
    "stopped-is-gone": _after_stopped,
    "slow-runs": _slow_runs,
    "restart-delay": _restarted,
    "report-failing": _checked,
    "maintenance": _maintained,
    "waits-in-vain": _waiting_in_vain,
    "hook-never-started": _lost_hooks,
    "hook-deadline": _hooked,
    "stop-deadline": _stop_timeout,
    "stop-without-jobs": _jobless,
    "process-name": _by_name,
    "job-lines-level": _quiet,
    "watch-memory": _twins,
    "watch-push": _watched,
    "interface-names": _odd_interfaces,
    "metric-names": _short_metrics,
}
"""By id of the difference."""
