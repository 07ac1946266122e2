"""Whether what jobs wait for can come at all (ContainerPilot contract, sections 4.1 and 5). No reason to refuse."""

from collections.abc import Collection, Sequence
from itertools import pairwise

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.graph import stop_order, wishes_of
from corepilot.config.rules.conditions import leaves
from corepilot.config.starting import OF_A_LOCK, OF_A_WATCH, OF_ALL, Blockage, never_starting
from corepilot.model.configuration import Render
from corepilot.model.event import EXITS, GLOBAL, SIGNALS
from corepilot.model.job import Job, check_sources
from corepilot.model.replicas import reload_of
from corepilot.model.trigger import AllOf, AnyOf, Never, OnEvent

_OF_A_JOB = frozenset(
    (
        "exitSuccess",
        "exitFailed",
        "stopping",
        "stopped",
        "healthy",
        "unhealthy",
        "timerExpired",
        "started",
        "ready",
        "reload",
    )
)
_TELEMETRY = Job("containerpilot")  # its check has no command, and it never ends
_STOP_HINT = 'to act before a job is stopped, write source: "<job>", once: "stopping"'
_HINTS = {"shutdown": _STOP_HINT, **{name: f'write source: "{name}"' for name in SIGNALS}}


_NO_EXEC = ("has no exec", "give it an exec, or wait for something else")
_NO_CHECK = ("has no check", "give it health.exec, health.http or health.check, or wait for something else")
_NO_TIMEOUT = ("has no timeout in its when", "give it one, or wait for something else")
_NOBODY = ("does not publish it", "wait for something else")
_NO_USER = ("is a lock that no other job takes", "let a job need it: add lock to that job")
_UNPUBLISHED = {
    "acquired": _NO_USER,
    "lost": _NO_USER,
    "exitSuccess": _NO_EXEC,
    "exitFailed": _NO_EXEC,
    "healthy": _NO_CHECK,
    "unhealthy": _NO_CHECK,
    "timerExpired": _NO_TIMEOUT,
}
"""Why no job of a name publishes an event, and what to do about it."""


def judge_references(
    jobs: Sequence[tuple[int, Job]],
    watches: Sequence[str],
    locks: Sequence[str],
    renders: Sequence[tuple[int, Render]],
    verdict: Verdict,
    *,
    telemetry: bool,
) -> None:
    """Warn of each `when` that waits for what never comes.

    Args:
        jobs: The jobs that can be used, each with its index in the configuration.
        watches: The sources of the watches.
        locks: The sources of the locks.
        renders: The files that are made, each with its index.
        verdict: Takes the warnings.
        telemetry: Whether there is the job `containerpilot` that telemetry brings.
    """
    reloads = [one for _, job in jobs if (one := reload_of(job)) is not None]
    every = [job for _, job in jobs] + reloads + [_TELEMETRY] * telemetry
    names = {job.name for job in every}
    known: dict[str, frozenset[str]] = {GLOBAL: OF_ALL}
    watches = [*watches, *[f"render.{render.name}" for _, render in renders]]  # they publish the same
    known.update(dict.fromkeys(watches, OF_A_WATCH))
    known.update(dict.fromkeys(locks, OF_A_LOCK))
    known.update({source: EXITS for _, job in jobs for source in check_sources(job)})
    known.update(dict.fromkeys(sorted(names), _OF_A_JOB))
    # Of a job that is refused not everything is known, such as whether it has a command.
    blocked = {} if verdict.refused else never_starting(every, watches, locks)
    for place, (index, job) in enumerate(jobs):
        path = ("jobs", index, "when")
        if not _judge_source(job, path, known, verdict) and place in blocked:
            _judge_blockage(blocked[place], every, path, verdict)
    _judge_renders(renders, known, verdict)
    _judge_reloads(jobs, watches, verdict)
    _judge_names(jobs, verdict)
    _judge_stop_order(jobs, names, verdict)


def _judge_renders(renders: Sequence[tuple[int, Render]], known: dict[str, frozenset[str]], verdict: Verdict) -> None:
    """Warn of each file that is made again at an event that never comes."""
    for index, render in renders:
        when, path = render.when, ("render", index, "when")
        if when is None or when.code == "error":
            continue
        if when.source not in known and when.source not in SIGNALS:
            rule = f"no job, watch or signal is called {shown(when.source)}, so the file is made at the start only"
            hint = did_you_mean(when.source, (*known, *sorted(SIGNALS))) or _watch_hint(when.source, known)
            verdict.warn((*path, "source"), "unknown-source", rule, hint)
        elif when.source in known and when.code not in known[when.source]:
            rule = f"{when.code} never comes from {shown(when.source)}, so the file is made at the start only"
            hint = "from there come " + ", ".join(sorted(known[when.source]))
            verdict.warn((*path, "each"), "when-never", rule, hint)


def _judge_reloads(jobs: Sequence[tuple[int, Job]], sources: Sequence[str], verdict: Verdict) -> None:
    """Refuse each `reloadOn` that names nothing which changes, or whose job cannot read anything again."""
    for index, job in jobs:
        path = ("jobs", index, "reloadOn")
        for source in job.reload_on:
            if source not in sources:
                rule = f"no watch or file of render is called {shown(source)}"
                others = [one for one in sources if one.partition(".")[2] == source]
                known = f"there are: {', '.join(sources)}" if sources else "add a watch, or render"
                hint = f"did you mean {shown(others[0])}?" if others else did_you_mean(source, sources) or known
                verdict.complain(path, Complaint("unknown-source", rule, hint))
        if (
            job.reload_on
            and job.reload is None
            and not job.reload_signal
            and not verdict.refuses((*path[:-1], "reload"))
        ):
            rule, hint = "the job has no reload", 'add one: reload: { signal: "HUP" }, or a command'
            verdict.complain(path, Complaint("missing-key", rule, hint, key=True))


def _judge_names(jobs: Sequence[tuple[int, Job]], verdict: Verdict) -> None:
    """Two jobs of one name are allowed, and rarely meant (contract, section 3.6)."""
    named: dict[str, list[int]] = {}
    for index, job in jobs:
        named.setdefault(job.name, []).append(index)
    services = {index for index, job in jobs if job.service}
    for first, *others in named.values():
        if others and not services >= {first, *others}:  # else they have one id, which is reported
            which = f"jobs[{first}] has" if len(others) == 1 else f"{len(others)} jobs have"
            rule = f"{which} this name too, so each receives the others' exit events"
            verdict.warn(("jobs", others[0], "name"), "same-name", rule, "give each a name of its own")


def _judge_stop_order(jobs: Sequence[tuple[int, Job]], names: Collection[str], verdict: Verdict) -> None:
    """Warn of each `stopAfter` that is not kept."""
    hooks = [(job.name, job.hook.source) for _, job in jobs if job.hook]
    refused = set(stop_order(hooks, wishes_of([job for _, job in jobs]))[1])
    for index, job in jobs:
        path = ("jobs", index, "stopAfter")
        for other in job.stop.after:
            if other not in names:
                hint = did_you_mean(other, names) or "it is not waited for"
                verdict.warn(path, "unknown-job", f"no job is called {shown(other)}", hint)
            elif (job.name, other) in refused:
                rule = f"{shown(other)} waits for the end of this job, so this one does not wait for it"
                verdict.warn(path, "stop-circle", rule, "leave one of them out")


def _judge_source(job: Job, path: Path, known: dict[str, frozenset[str]], verdict: Verdict) -> bool:
    """Warn of a `when` by its words alone; returns whether it has been warned of, or is refused."""
    trigger = job.when.trigger
    if isinstance(trigger, Never):
        if not verdict.refuses(path):
            hint = "add once or each; leave when out to start at startup"
            verdict.warn(path, "when-never", "it names no event, so the job never starts", hint)
        return True
    told = [_judge_event(job, one, (*path, *below), known, verdict) for below, one in leaves(trigger)]
    return any(told)


def _judge_event(job: Job, trigger: OnEvent, path: Path, known: dict[str, frozenset[str]], verdict: Verdict) -> bool:
    """Warn of an event that never comes, by its words alone; returns whether it has been."""
    if trigger.code == "error":  # its source is free text
        return False
    code, source, kind = trigger.code, trigger.source, "each" if job.when.each else "once"
    never = "this never starts the job" if isinstance(job.when.trigger, AnyOf) else "the job never starts"
    if source == job.name and code in EXITS and verdict.refuses(path):
        return True
    if source == job.name and code in EXITS:
        rule = "an exit under the job's own name is its own, so the job never starts"
        verdict.warn((*path, kind), "when-never", rule, "name another job as the source")
    elif not source:
        verdict.warn(path, "when-never", f"{code} without a source never comes", _source_hint(code))
    elif source not in known:
        rule = f"no job, watch or signal is called {shown(source)}, so {never}"
        hint = did_you_mean(source, (*known, *sorted(SIGNALS))) or _watch_hint(source, known)
        verdict.warn((*path, "source"), "unknown-source", rule, hint)
    elif code not in known[source]:
        rule = f"{code} never comes from {shown(source)}, so {never}"
        hint = _HINTS.get(code) or "from there come " + ", ".join(sorted(known[source]))
        verdict.warn((*path, kind), "when-never", rule, hint)
    else:
        return False
    return True


def _judge_blockage(blockage: Blockage, jobs: Sequence[Job], path: Path, verdict: Verdict) -> None:
    """Warn of a job that never starts because of what other jobs do."""
    if blockage.key is None:
        return
    code, source = blockage.key
    first, *others = [jobs[index] for index in blockage.chain]
    depends = any((one.condition, one.job) == blockage.key for one in first.depends_on)
    where = (*path[:-1], "dependsOn") if depends else (*path, _kind(first))
    if not others:
        if source == first.name or source in check_sources(first):
            rule, hint = f"it waits for its own {code}, so it never starts", "name another job as the source"
        else:
            reason, hint = _UNPUBLISHED.get(code, _NOBODY)
            rule = f"{shown(source)} {reason}, so {code} never comes from it, and the job never starts"
        verdict.warn(where, "when-never", rule, hint)
        return
    names = [one.name for one in (first, *others)]
    waits = ", ".join([f"{shown(one)} waits for {shown(other)}" for one, other in pairwise(names)])
    if blockage.circle:
        rule = f"{waits}, so none of them ever starts"
        verdict.warn(where, "when-circle", rule, "let one of them start without the others")
    else:
        hint = f"let {shown(names[-1])} start, or wait for something else"
        verdict.warn(where, "when-never", f"{waits}, and {shown(names[-1])} never starts", hint)


def _kind(job: Job) -> str:
    trigger = job.when.trigger
    if isinstance(trigger, AllOf | AnyOf):
        return "all" if isinstance(trigger, AllOf) else "any"
    return "each" if job.when.each else "once"


def _source_hint(code: str) -> str:
    if code in OF_ALL:
        return f'add source: "{GLOBAL}"'
    return _HINTS.get(code, "add source, with the name of a job or watch.<name>")


def _watch_hint(source: str, known: dict[str, frozenset[str]]) -> str:
    if f"watch.{source}" in known:
        return f'did you mean "watch.{source}"?'
    return "known: " + ", ".join(sorted(known)[:20])
