"""From the validated settings of `jobs[].health` to checks (ContainerPilot contract, sections 3.6 and 4.4)."""

from collections.abc import Iterator, Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.commands import Start, command_of, judge_command
from corepilot.config.rules.elements import elements_of
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.rules.numbered import check_plugin
from corepilot.config.rules.process_settings import settings_of_check
from corepilot.config.schema.filling import made
from corepilot.config.schema.names import is_catalog_name
from corepilot.model.job import Check
from corepilot.model.plugin import PluginReference

Settings = Mapping[str, Any]
"""What is valid of a section, by attribute."""

ASKING = ("exec", "http", "tcp", "grpc", "check")
"""The keys that say what a check asks; it has one of them."""

_BUILT_IN = {"http": ("url", "URL"), "tcp": ("address", "address"), "grpc": ("address", "address")}
"""The checks that have a key of their own: the option that the short form gives, and what it is."""


def checks_of(given: Any, written: Any, path: Path, verdict: Verdict, host: Host, *, start: Start) -> tuple[Check, ...]:
    """The checks of a job that can be used.

    Args:
        given: What is valid of `health`: the settings of one check, or of several.
        written: The same as it was written.
        path: Where `health` is.
        verdict: Takes what is wrong.
        host: The machine.
        start: How their commands are started: as the job's own.
    """
    several = isinstance(given, list)
    names: set[str] = set()
    found = []
    for settings, raw, where in _elements(given, written, path, verdict):
        check = _check(settings, raw, where, verdict, host, start=start)
        if several:
            _judge_one_of_several(settings, names, where, verdict, alone=len(given) == 1)
        elif settings.get("name"):
            _judge_name(settings["name"], where, verdict)
        if check is not None:
            found.append(check)
    return tuple(found)


def judge_ttls(given: Any, path: Path, verdict: Verdict) -> None:
    """Warn of a check of an advertised job whose result cannot be good until the next one comes.

    Two results are an interval apart, and by a timeout more where one is quick and the next one slow. A timeout that is
    not given counts only for what to write: it is as long as the interval, and hardly any check takes that long.
    """
    checks = enumerate(given) if isinstance(given, list) else [(None, given)]
    for index, health in checks:
        if not isinstance(health, dict) or "interval" not in health or "ttl" not in health:
            continue
        interval_s, ttl_s = health["interval"], health["ttl"]
        timeout_s = positive(health.get("timeout"))
        if ttl_s > interval_s and ttl_s >= interval_s + (timeout_s or 0.0):
            continue
        more = f", or {timeout_s:g} s later where the check takes its timeout" if timeout_s else ""
        rule = (
            f"a result is good for {ttl_s} s, and the next one comes after {interval_s} s{more}, so the service turns "
            "critical in between"
        )
        hint = f"write ttl: {-(-(interval_s + (timeout_s or interval_s)) // 1):g}, or more"
        verdict.warn((*path, "ttl") if index is None else (*path, index, "ttl"), "ttl-short", rule, hint)


def positive(seconds: float | None) -> float | None:
    """Seconds, or None for no limit: that is what zero and less mean."""
    return seconds if seconds is not None and seconds > 0 else None


def _elements(given: Any, written: Any, path: Path, verdict: Verdict) -> Iterator[tuple[Settings, Any, Path]]:
    if isinstance(given, dict):
        yield given, written, path
    elif isinstance(given, list):
        for index, one, raw in elements_of(given, written, path, verdict):
            yield one, raw, (*path, index)


def _check(health: Settings, written: Any, path: Path, verdict: Verdict, host: Host, *, start: Start) -> Check | None:
    start = start._replace(
        settings=settings_of_check(start.settings, health, path, verdict, host, replicas=start.replicas)
    )
    text = {key.lower(): value for key, value in written.items()}.get("exec") if isinstance(written, dict) else None
    command = command_of(health, text, start)
    judge_command(command, text, (*path, "exec"), verdict, host, start=start)
    plugin = _plugin(health, path, verdict, host, replicas=start.replicas)
    if "interval" not in health or "ttl" not in health:
        return None
    timeout_s = positive(health.get("timeout", float(health["interval"])))
    logged = (health.get("logging") or {}).get("results", "always")
    return made(Check, health, command=command, timeout_s=timeout_s, plugin=plugin, logged=logged)


def _judge_one_of_several(health: Settings, names: set[str], path: Path, verdict: Verdict, *, alone: bool) -> None:
    name = health.get("name", "")
    if name in names:
        rule = f"{shown(name)} is the name of another check of this job"
        verdict.complain((*path, "name"), Complaint("bad-name", rule, "give each a name of its own"))
    elif name:
        _judge_name(name, path, verdict)
    elif not alone:
        rule = "one of several checks has no name"
        verdict.complain(path, Complaint("bad-name", rule, "add name: it tells their events apart"))
    names.add(name or "?")
    if not any(health.get(key) for key in ASKING) and not any(verdict.refuses((*path, key)) for key in ASKING):
        rule = "one of several checks asks nothing"
        verdict.complain(path, Complaint("missing-key", rule, f"add one of {', '.join(ASKING)}"))


def _judge_name(name: str, path: Path, verdict: Verdict) -> None:
    if not is_catalog_name(name):
        rule = f"{shown(name)} cannot be the name of a check"
        verdict.complain((*path, "name"), Complaint("bad-name", rule, "write letters, digits, - and _"))


def _plugin(health: Settings, path: Path, verdict: Verdict, host: Host, *, replicas: bool) -> PluginReference | None:
    """The plugin that a check asks: by its name, or a built-in one by a key of its own."""
    given = [key for key in ASKING if health.get(key)]
    if len(given) > 1:
        rule = f"{given[0]} is given as well, and a check asks one thing"
        verdict.complain((*path, given[1]), Complaint("two-checks", rule, "leave one of them out", key=True))
        return None
    options = health.get("options")
    if options is not None and (not isinstance(options, dict) or "check" not in given):
        rule = "they are an object, and belong to check" if "check" in given else "there is no check that takes them"
        verdict.complain((*path, "options"), Complaint("check-options", rule, "name a plugin: check", key=True))
        return None
    if "check" in given:
        named = NamedPlugin(health["check"], options or {}, (*path, "check"), (*path, "options"), inside=True)
        return check_plugin(named, verdict, host, replicas=replicas)
    for name in _BUILT_IN:
        if name in given:
            built_in = _built_in(name, health[name], (*path, name), verdict)
            return built_in and check_plugin(built_in, verdict, host, replicas=replicas)
    return None


def _built_in(name: str, value: Any, where: Path, verdict: Verdict) -> NamedPlugin | None:
    option, what = _BUILT_IN[name]
    if isinstance(value, str) or (name != "http" and isinstance(value, int) and not isinstance(value, bool)):
        return NamedPlugin(name, {option: str(value)}, where, where)
    if isinstance(value, dict):
        return NamedPlugin(name, value, where, where, inside=True)
    example = '"http://…", or { url: "…" }' if name == "http" else '"host:port", a port, or { address: "…" }'
    verdict.complain(where, Complaint("wrong-type", f"{shown(value)} is no {what}", f"write {example}"))
    return None
