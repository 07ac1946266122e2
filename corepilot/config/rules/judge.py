"""From the parsed text to a configuration: every rule is applied, and everything that is wrong is reported at once."""

from typing import Any

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.catalog import WAY_OUT, NamedCatalogs, catalogs_of
from corepilot.config.rules.elements import elements_of
from corepilot.config.rules.entries import entries_of
from corepilot.config.rules.host import Host
from corepilot.config.rules.jobs import job_of
from corepilot.config.rules.process_settings import judge_replicas, judge_stop_timeouts
from corepilot.config.rules.references import judge_references
from corepilot.config.rules.telemetry import telemetry_of
from corepilot.config.rules.version2 import judge_version
from corepilot.config.rules.watches import watches_of
from corepilot.config.schema.filling import made
from corepilot.config.schema.sections import load
from corepilot.config.schema.settings import RootSection
from corepilot.config.text.json5_document import Document
from corepilot.model.configuration import Configuration, Control, Lock, Logging, Render
from corepilot.model.job import Job


def judge(
    document: Document, verdict: Verdict, host: Host, *, location: str, discovery: str | None = None
) -> Configuration | None:
    """The configuration, or None if there is an error.

    Args:
        document: The parsed text.
        verdict: Takes what is wrong.
        host: The machine.
        location: The configuration as the user named it.
        discovery: The text of `--discovery` or `$COREPILOT_DISCOVERY`, if there is one.
    """
    _judge_duplicates(document, verdict)
    if document.root.kind != "object":
        verdict.complain((), not_an_object(document.root.kind))
        return None
    old = judge_version(document.root, verdict.source_map, location)
    if old is not None:
        verdict.add(old)
        return None
    plain: dict[str, Any] = document.root.plain()
    data, messages = load(RootSection(), plain)
    verdict.take((), messages)
    catalogs = catalogs_of(data, discovery, verdict, host)
    stop_timeout_s = float(data.get("stop_timeout") or 5)
    jobs = _jobs(data, plain.get("jobs"), catalogs, verdict, host, stop_timeout_s=stop_timeout_s)
    watches = watches_of(data.get("watches", ()), plain.get("watches"), catalogs, verdict)
    locks = _locks(data.get("locks", ()), plain.get("locks"), jobs, catalogs, verdict)
    renders: list[tuple[int, Render]] = []
    if data.get("render"):
        from corepilot.config.rules.renders import renders_of  # with what few configurations need

        renders = renders_of(data["render"], plain.get("render"), watches, verdict, host)
    telemetry = None if data.get("telemetry") is None else telemetry_of(data["telemetry"], verdict, host)
    observers = entries_of("observer", data.get("observers", ()), ("observers",), verdict, host)
    if any(job.depends_on for _, job in jobs):
        from corepilot.config.rules.dependencies import judge_dependencies  # as above

        judge_dependencies(jobs, verdict)
    judge_references(
        jobs,
        [f"watch.{watch.name}" for watch in watches],
        [f"lock.{lock.name}" for lock in locks],
        renders,
        verdict,
        telemetry=telemetry is not None and bool(telemetry.listen),
    )
    judge_stop_timeouts(jobs, verdict)
    judge_replicas(jobs, verdict)
    _judge_whole(data, catalogs, jobs, verdict)
    stop_signals: tuple[int, ...] = ()
    if data.get("stop_signals"):
        from corepilot.config.rules.signals import stop_signals_of  # as above

        stop_signals = stop_signals_of(data["stop_signals"], jobs, verdict)
    logging = _logging(data.get("logging") or {}, verdict, host)
    if any(_has_own_output(job) for _, job in jobs):
        from corepilot.config.rules.output import judge_output  # as above

        judge_output(jobs, logging, verdict)
    if verdict.refused:
        return None
    return made(
        Configuration,
        data,
        jobs=tuple([job for _, job in jobs]),
        watches=tuple(watches),
        locks=tuple(locks),
        render=tuple([render for _, render in renders]),
        logging=logging,
        stop_timeout_s=stop_timeout_s,
        stop_signals=stop_signals,
        control=None if data.get("control") is False else made(Control, data.get("control") or {}),
        catalogs=catalogs.usable,
        telemetry=telemetry,
        observers=observers,
        location=location,
    )


def _has_own_output(job: Job) -> bool:
    outputs = [command.output for command in (job.command, *[one.command for one in job.checks]) if command is not None]
    return any(one.file is not None or one.error_file is not None or one.structured for one in outputs)


def not_an_object(kind: str) -> Complaint:
    """The complaint about a document that is not an object."""
    return Complaint("not-an-object", f"it is {_ARTICLES[kind]}, not an object", "write { jobs: [ … ] }")


_ARTICLES = {"null": "null", "bool": "true or false", "number": "a number", "string": "a text", "array": "an array"}


def _locks(
    entries: Any, written: Any, jobs: list[tuple[int, Job]], catalogs: NamedCatalogs, verdict: Verdict
) -> list[Lock]:
    if not entries and not any(job.lock for _, job in jobs):
        return []
    from corepilot.config.rules.locks import judge_lock_users, locks_of  # as above

    locks = locks_of(entries, written, catalogs, verdict)
    judge_lock_users(jobs, locks, verdict)
    return locks


def _jobs(
    data: dict[str, Any], written: Any, catalogs: NamedCatalogs, verdict: Verdict, host: Host, *, stop_timeout_s: float
) -> list[tuple[int, Job]]:
    jobs: list[tuple[int, Job]] = []
    ids: dict[str, int] = {}
    variables = data.get("env", ())
    for index, entry, raw in elements_of(data.get("jobs", ()), written, ("jobs",), verdict):
        path = ("jobs", index)
        job = job_of(
            entry, raw, path, verdict, host, catalogs=catalogs, stop_timeout_s=stop_timeout_s, variables=variables
        )
        if job is None:
            continue
        jobs.append((index, job))
        if job.service is not None:
            _judge_id(job.service.registration.id, index, ids, verdict)
    return jobs


def _judge_id(identity: str, index: int, ids: dict[str, int], verdict: Verdict) -> None:
    """Two registrations of one id are one: the catalog would show only the later."""
    if identity in ids:
        rule = f"jobs[{ids[identity]}] registers the same id, {identity}, so the catalog shows only one of them"
        verdict.warn(("jobs", index, "name"), "same-id", rule, "give one of them another name, or an instance")
    ids[identity] = index


def _judge_whole(data: dict[str, Any], catalogs: NamedCatalogs, jobs: list[tuple[int, Job]], verdict: Verdict) -> None:
    ported = [index for index, job in jobs if job.service is not None]
    if ported and not catalogs.named and not catalogs.declined:
        rule = "there is no catalog, so no service is advertised"
        verdict.warn(
            ("jobs", ported[0], "port"), "not-advertised", rule, f"{WAY_OUT}; if that is meant: discovery: false"
        )
    elif ported and catalogs.plugins and not catalogs.with_capability("register"):
        rule = f"the catalog {' and '.join(catalogs.plugins)} is read-only, so no service is advertised"
        verdict.warn(("jobs", ported[0], "port"), "not-advertised", rule, "name a second one that takes registrations")
    if not verdict.refused and not jobs and data.get("telemetry") is None:
        verdict.add(
            verdict.source_map.whole(
                "no-jobs", "the configuration has nothing to run", "add jobs: [ … ]", severity="warning"
            )
        )


def _logging(data: dict[str, Any], verdict: Verdict, host: Host) -> Logging:
    output = data.get("output") or "stdout"
    if output.lower() in {"stdout", "stderr"}:
        output = output.lower()
    else:
        fault = host.log_fault(output)
        if fault:
            complaint = Complaint("log-file", f"cannot write the log: {fault}", "name a file that can be written")
            verdict.depends(("logging", "output"), complaint)
    return made(Logging, data, output=output)


def _judge_duplicates(document: Document, verdict: Verdict) -> None:
    for duplicate in document.duplicates:
        first, second = verdict.source_map.line_of(duplicate.first), verdict.source_map.line_of(duplicate.second)
        message = f"duplicate key {duplicate.key}, in lines {first} and {second}: the last value is used"
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
