"""From the validated settings of `jobs[].ready` to what shows that a run is ready."""

from collections.abc import Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.schema.filling import made
from corepilot.model.job import Check, Ready

WAYS = ("notify", "fd", "log", "file", "check", "after")


def ready_of(job: Mapping[str, Any], checks: tuple[Check, ...], path: Path, verdict: Verdict) -> Ready | None:
    """What shows that a run of a job is ready; None if nothing does, or it cannot be used.

    Args:
        job: What is valid of the job's settings.
        checks: Its checks.
        path: Where the job is.
        verdict: Takes what is wrong.
    """
    data = job.get("ready")
    if data is None:
        if job.get("ready_timeout") is not None:
            hint = f"add ready: one of {', '.join(WAYS)}"
            verdict.warn((*path, "readyTimeout"), "ready-conflict", "nothing shows that the job is ready", hint)
        return None
    where = (*path, "ready")
    given = [way for way in WAYS if data.get(way) or (way == "after" and data.get(way) is not None)]
    if len(given) > 1:
        rule = f"{given[0]} is given as well, and one thing shows that a job is ready"
        verdict.complain((*where, given[1]), Complaint("ready-conflict", rule, "leave one of them out", key=True))
        return None
    if not given and not verdict.refuses(where):
        rule = "it does not say what shows that the job is ready"
        verdict.complain(where, Complaint("ready-conflict", rule, f"add one of {', '.join(WAYS)}"))
    for key, complaint in _complaints(job, data, checks):
        verdict.complain((*where, key) if key else where, complaint)
    return made(Ready, data)


def _complaints(
    job: Mapping[str, Any], data: Mapping[str, Any], checks: tuple[Check, ...]
) -> list[tuple[str, Complaint]]:
    found: list[tuple[str, Complaint]] = []
    if not job.get("exec"):
        hint = "leave it out, or give the job an exec"
        found.append(("", Complaint("ready-conflict", "the job has no exec, so nothing of it gets ready", hint)))
    if data.get("watchdog") is not None and not data.get("notify"):
        rule = "a watchdog needs the socket of notify"
        found.append(("watchdog", Complaint("ready-conflict", rule, "add notify: true, or leave it out")))
    if data.get("log"):
        if (job.get("logging") or {}).get("raw"):
            rule = "with logging.raw corepilot does not see the job's output"
            found.append(("log", Complaint("ready-conflict", rule, "leave raw out, or choose another way")))
        fault = _pattern_fault(data["log"])
        if fault:
            found.append(("log", Complaint("wrong-value", f"{shown(data['log'])}: {fault}", "correct the expression")))
    sockets = len(job.get("listen", ()))
    if data.get("fd") and data["fd"] < 3 + sockets:
        rule = f"the job's sockets are the descriptors 3 to {2 + sockets}"
        found.append(("fd", Complaint("ready-conflict", rule, f"write {3 + sockets} or more")))
    if data.get("file") and not data["file"].startswith("/"):
        rule = f"{shown(data['file'])} is not an absolute path"
        found.append(("file", Complaint("wrong-value", rule, "write it from / on")))
    limit = job.get("ready_timeout")
    if limit is not None and data.get("after") is not None and limit <= data["after"]:
        rule = f"readyTimeout, {limit:g} s, is over by then, so no run ever gets ready"
        found.append(("after", Complaint("ready-conflict", rule, "write a readyTimeout that is longer than after")))
    if data.get("check") and not any(check.asks for check in checks):
        rule = "the job has no check that asks anything"
        found.append(("check", Complaint("ready-conflict", rule, "add health with exec, http, tcp, grpc or check")))
    return found


def _pattern_fault(pattern: str) -> str:
    from corepilot.gotemplate.errors import FunctionFailure
    from corepilot.gotemplate.regex import Pattern  # few configurations have one

    try:
        Pattern(pattern)
    except FunctionFailure as error:
        return str(error)
    return ""
