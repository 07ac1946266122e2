"""From the parsed text to a configuration: every rule is applied, and everything that is wrong is reported at once."""

from typing import Any

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.loading.exchange import LoadRequest
from corepilot.config.rules.catalog import WAY_OUT, NamedCatalog, catalog_of
from corepilot.config.rules.host import Host
from corepilot.config.rules.jobs import Plain, job_config
from corepilot.config.rules.named_plugins import plugin_config
from corepilot.config.rules.references import judge_references
from corepilot.config.rules.telemetry import GROUP as SINKS
from corepilot.config.rules.telemetry import SINK, telemetry_config
from corepilot.config.rules.version2 import judge_version
from corepilot.config.schema.sections import load
from corepilot.config.schema.settings import RootSection
from corepilot.config.text.json5 import Document


def judge(document: Document, rendered: str, request: LoadRequest, verdict: Verdict, host: Host) -> Plain | None:
    """The configuration in the form of `Config.to_plain`, or None if there is an error.

    Args:
        document: The parsed text.
        rendered: The text.
        request: What was asked for.
        verdict: Takes what is wrong.
        host: The machine.
    """
    _judge_duplicates(document, verdict)
    if document.root.kind != "object":
        rule = f"it is {_ARTICLES[document.root.kind]}, not an object"
        verdict.complain((), Complaint("not-an-object", rule, "write { jobs: [ … ] }"))
        return None
    old = judge_version(document.root, verdict.source_map, request.location)
    if old is not None:
        verdict.add(old)
        return None
    plain: dict[str, Any] = document.root.plain()
    data, messages = load(RootSection(), plain)
    verdict.take((), messages)
    catalog = catalog_of(data, request.discovery, verdict, host)
    jobs = _jobs(data.get("jobs", ()), plain.get("jobs"), catalog, verdict, host)
    watches = _watches(data.get("watches", ()), plain.get("watches"), catalog, verdict)
    telemetry: Plain | None = None
    sinks: tuple[Plain, ...] = ()
    if data.get("telemetry") is not None:
        telemetry = telemetry_config(data["telemetry"], verdict, host)
        sink = plugin_config(SINKS, SINK, verdict, host)
        sinks = (sink,) if sink is not None else ()
    judge_references(jobs, [watch["name"] for watch in watches], verdict, telemetry=telemetry is not None)
    _judge_whole(data, catalog, jobs, verdict)
    logging = _logging(data.get("logging") or {}, verdict, host)
    if verdict.refused:
        return None
    return {
        "jobs": tuple(job for _, job in jobs),
        "watches": tuple(watches),
        "logging": logging,
        "stop_timeout_s": float(data["stop_timeout"] or 5),
        "control_socket": (data.get("control") or {}).get("socket"),
        "control_strict": bool((data.get("control") or {}).get("strict")),
        "exit_status": data["exit_status"],
        "report_failing": data["report_failing"],
        "discovery": catalog.plugin,
        "telemetry": telemetry,
        "sinks": sinks,
        "warnings": (),
        "source": request.location,
        "rendered_digest": _digest(rendered),
    }


_ARTICLES = {"null": "null", "bool": "true or false", "number": "a number", "string": "a text", "array": "an array"}


def _jobs(entries: Any, written: Any, catalog: NamedCatalog, verdict: Verdict, host: Host) -> list[tuple[int, Plain]]:
    jobs: list[tuple[int, Plain]] = []
    ids: dict[str, int] = {}
    for index, entry in enumerate(entries):
        raw = written[index]
        if raw is None:
            verdict.warn(("jobs", index), "null-element", "null is skipped", "leave it out")
        if entry is None:
            continue
        job = job_config(entry, raw, ("jobs", index), verdict, host, catalog=catalog.named)
        if job is None:
            continue
        jobs.append((index, job))
        if job["service"] is not None:
            _judge_id(job["service"]["registration"]["id"], index, ids, verdict)
    return jobs


def _judge_id(identity: str, index: int, ids: dict[str, int], verdict: Verdict) -> None:
    """Two registrations of one id are one: the catalog would show only the later."""
    if identity in ids:
        rule = f"jobs[{ids[identity]}] registers the same id, {identity}, so the catalog shows only one of them"
        verdict.warn(("jobs", index, "name"), "same-id", rule, "give one of them another name, or an instance")
    ids[identity] = index


def _watches(entries: Any, written: Any, catalog: NamedCatalog, verdict: Verdict) -> list[Plain]:
    watches: list[Plain] = []
    for index, entry in enumerate(entries):
        if entry is None:
            if written[index] is None:
                verdict.warn(("watches", index), "null-element", "null is skipped", "leave it out")
            continue
        if not catalog.named:
            complaint = Complaint("no-catalog", "a watch needs a catalog and there is none", WAY_OUT)
            verdict.complain(("watches", index), complaint)
        if {"name", "interval"} <= entry.keys():
            watches.append(
                {
                    "name": entry["name"],
                    "interval_s": entry["interval"],
                    "tag": entry.get("tag", ""),
                    "datacenter": entry.get("dc", ""),
                    "at_start": bool(entry.get("at_start")),
                }
            )
    return watches


def _judge_whole(data: dict[str, Any], catalog: NamedCatalog, jobs: list[tuple[int, Plain]], verdict: Verdict) -> None:
    ported = [index for index, job in jobs if job["service"] is not None]
    if ported and not catalog.named and not catalog.declined:
        rule = "there is no catalog, so no service is advertised"
        verdict.warn(
            ("jobs", ported[0], "port"), "not-advertised", rule, f"{WAY_OUT}; if that is meant: discovery: false"
        )
    if not verdict.refused and not jobs and data.get("telemetry") is None:
        verdict.add(
            verdict.source_map.whole(
                "no-jobs", "the configuration has nothing to run", "add jobs: [ … ]", severity="warning"
            )
        )


def _logging(data: dict[str, Any], verdict: Verdict, host: Host) -> Plain:
    output = data.get("output") or "stdout"
    if output.lower() in {"stdout", "stderr"}:
        output = output.lower()
    else:
        fault = host.log_fault(output)
        if fault:
            complaint = Complaint("log-file", f"cannot write the log: {fault}", "name a file that can be written")
            verdict.depends(("logging", "output"), complaint)
    return {"level": data.get("level", "info"), "format": data.get("format", "default"), "output": output}


def _digest(text: str) -> str:
    # hashlib loads OpenSSL, which takes 2 ms; marshmallow imports random, which has loaded one of these by now.
    try:
        from _sha2 import sha512  # type: ignore[import-not-found]  # Python 3.12 and newer; has no stub
    except ImportError:
        try:
            from _sha512 import sha512  # type: ignore[import-not-found]  # Python 3.11; has no stub
        except ImportError:
            from hashlib import sha512
    return str(sha512(text.encode("utf-8", "surrogatepass")).hexdigest()[:64])


def _judge_duplicates(document: Document, verdict: Verdict) -> None:
    for duplicate in document.duplicates:
        first, second = verdict.source_map.line_of(duplicate.first), verdict.source_map.line_of(duplicate.second)
        message = (
            f"the key {duplicate.key} stands twice in one object, in lines {first} and {second}: the last one counts"
        )
        verdict.add(
            verdict.source_map.in_rendered(
                "duplicate-key",
                message,
                duplicate.second,
                duplicate.second + len(duplicate.key),
                "leave one of them out",
                severity="warning",
            )
        )
