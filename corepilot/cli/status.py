"""`corepilot status`: jobs, services, watches and plugins."""

from collections.abc import Sequence
from typing import Any

from corepilot.cli.clients import ask, client_of, quoted, say, say_json
from corepilot.wording.tables import table


def status(arguments: Any) -> int:
    """`corepilot status [JOB…]`: tables of jobs, services, watches and plugins, or of the named jobs only."""
    client = client_of(arguments)
    names = arguments.positionals
    if names:
        query = "&".join([f"job={quoted(name)}" for name in names])
        jobs = ask(client, "GET", f"/v1/jobs?{query}")
        if arguments.output == "json":
            say_json(jobs)
        else:
            _say_jobs(jobs)
            _say_checks(jobs)
        return 0
    found = ask(client, "GET", "/v1/status")
    if arguments.output == "json":
        say_json(found)
        return 0
    say(f"corepilot {found['version']}, pid {found['pid']}, up {_duration(found['uptime_s'])}, {found['config']}")
    where = ", ".join([_catalog(one) for one in found["catalogs"]]) or "none"
    say(f"catalog {where}, socket {found['socket']}" + (", stopping" if found["stopping"] else ""))
    _say_jobs(found["jobs"])
    services = [
        (
            one["id"],
            f"{one['address']}:{one['port']}",
            one["status"] or "-",
            one["catalog"],
            "yes" if one["in_sync"] else "no",
            one["last_error"] or "-",
        )
        for one in found["services"]
    ]
    _say_table(("INSTANCE", "ADDRESS", "STATUS", "CATALOG", "IN SYNC", "TROUBLE"), services)
    watches = [
        (
            one["name"],
            str(one["passing"]),
            str(one["instances"]),
            "yes" if one["connected"] else "no",
            one["last_error"] or "-",
        )
        for one in found["watches"]
    ]
    _say_table(("WATCH", "PASSING", "INSTANCES", "CONNECTED", "TROUBLE"), watches)
    locks = [
        (
            one["name"],
            "yes" if one["held"] else "no",
            one["holder"] or "-",
            str(one["token"] or "-"),
            one["last_error"] or "-",
        )
        for one in found["locks"]
    ]
    _say_table(("LOCK", "HELD", "HOLDER", "TOKEN", "TROUBLE"), locks)
    files = [
        (one["to"], "yes" if one["healthy"] else "no", _file_trouble(one), ", ".join(one["watches"]) or "-")
        for one in found["render"]
    ]
    _say_table(("FILE", "MADE", "TROUBLE", "WATCHES"), files)
    sinks = [
        (one["name"], one["address"], str(one["flushed"]), str(one["failed"]), _trouble(one)) for one in found["sinks"]
    ]
    _say_table(("SINK", "ADDRESS", "FLUSHED", "FAILED", "TROUBLE"), sinks)
    observers = [(one["name"], str(one["waiting"]), str(one["dropped"]), _trouble(one)) for one in found["observers"]]
    _say_table(("OBSERVER", "WAITING", "DROPPED", "TROUBLE"), observers)
    return 0


def _file_trouble(file: dict[str, Any]) -> str:
    """Why a file is not as it should be."""
    return str(file["last_error"] or (f"nothing is known of watch.{file['waits_for']}" if file["waits_for"] else "-"))


def _trouble(plugin: dict[str, Any]) -> str:
    """What is wrong with a plugin at work."""
    if plugin["off"]:
        return f"switched off: {plugin['off']}"
    return str(plugin.get("last_error") or (f"{plugin['faults']} faults" if plugin["faults"] else "-"))


def _say_jobs(jobs: list[dict[str, Any]]) -> None:
    users, listen = any(job["user"] for job in jobs), any(job["listen"] for job in jobs)
    rows = [
        (
            job["name"],
            _state(job),
            "-" if job["health"] in {"idle", "unknown"} else job["health"],
            str(job["pid"] or "-"),
            str(job["starts"]),
            _last(job),
            "-" if job["up_s"] is None else _duration(job["up_s"]),
            *([job["user"] or "-"] if users else ()),
            *([", ".join(job["listen"]) or "-"] if listen else ()),
        )
        for job in jobs
    ]
    # Few configurations name a user, or have sockets handed over: they need no columns of dashes.
    head = ("JOB", "STATE", "HEALTH", "PID", "STARTS", "LAST", "UP", *["USER"] * users, *["LISTEN"] * listen)
    _say_table(head, rows)


def _last(job: dict[str, Any]) -> str:
    """How the last run ended: its status, and what a status does not tell."""
    if job["last_status"] is None:
        return "-"
    return f"{job['last_status']}{' (out of memory)' if job['trouble'].endswith('because memory ran out') else ''}"


def _state(job: dict[str, Any]) -> str:
    """The state of a job, with what it waits for."""
    if job["state"] == "running" and job["ready"] is False:
        return "running (not ready)"
    return f"{job['state']} ({', '.join(job['waits_for'])})" if job["waits_for"] else str(job["state"])


def _say_checks(jobs: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"check.{job['name']}.{one['name']}" if one["name"] else f"check.{job['name']}",
            one["status"],
            "-" if one["duration_s"] is None else f"{one['duration_s'] * 1000:.1f}ms",
            one["output"].partition("\n")[0] or "-",
        )
        for job in jobs
        for one in job["checks"]
    ]
    _say_table(("CHECK", "STATUS", "TOOK", "SAID"), rows)


def _say_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in table(head, rows):
        say(line)


def _duration(seconds: float) -> str:
    from corepilot.config.text.units import format_duration

    return format_duration(round(seconds) if seconds >= 10 else round(seconds, 1))


def _catalog(catalog: dict[str, Any]) -> str:
    name = "" if catalog["name"] == catalog["backend"] else f"{catalog['name']}: "
    where = f"{name}{catalog['backend']} at {catalog['address']}"
    if catalog["off"]:
        where += f" (switched off: {catalog['off']})"
    elif catalog.get("refused"):
        where += " (refuses what it is asked)"
    if stuck := catalog.get("stuck"):
        where += f" ({stuck} {'calls' if stuck > 1 else 'call'} stuck in native threads)"
    if catalog["mode"] == "poll":
        where += " (polling: there are no notifications of changes here)"
    return where
