"""From the validated process settings of a job to what its processes are started with, and how they are stopped."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules import users
from corepilot.config.rules.host import Host
from corepilot.model.command import EVERY, Listener, ProcessSettings, Variables
from corepilot.model.job import Job, StopPolicy
from corepilot.model.replicas import reload_name

_NONE = ProcessSettings()
_KEYS = frozenset(
    ("env", "env_file", "cwd", "user", "group", "groups", "umask", "limits", "nice", "oom_score_adj")
)  # fmt: skip
_OWN_LIMITS = frozenset(("nofile", "nproc", "core", "memlock", "stack"))
"""Limits that are here what they are for jobs: the others bound the process that judges."""


def settings_of(
    data: Mapping[str, Any], variables: Variables, path: Path, verdict: Verdict, host: Host
) -> ProcessSettings:
    """What the processes of a job are started with. Complains of what cannot be done here.

    Args:
        data: What is valid of the job's settings.
        variables: Those of the top level.
        path: Where the job is.
        verdict: Takes what is wrong.
        host: The machine.
    """
    if not variables and not data.keys() & _KEYS:
        return _NONE
    own, files = data.get("env", ()), data.get("env_file", ())
    user, colon, group = data.get("user", "").partition(":")
    if colon and data.get("group"):
        rule = "user names a group as well"
        verdict.complain((*path, "group"), Complaint("wrong-value", rule, "leave one of them out"))
    group = group or data.get("group", "")
    limits = tuple(
        [("as" if name == "address_space" else name, *one) for name, one in (data.get("limits") or {}).items()]
    )
    _judge_identity(user, group, data.get("groups", ()), path, verdict)
    _judge_limits(limits, (*path, "limits"), verdict)
    if not data.get("replicas"):  # else each has its own, as far as they hold a number
        _judge_files(data.get("cwd", ""), files, path, verdict, host)
    variables, own, inherit = _without_every(variables, own)
    return ProcessSettings(
        environment=tuple({**dict(() if files else variables), **dict(own)}.items()),
        inherit=inherit,
        environment_files=files,
        defaults=variables if files else (),
        cwd=data.get("cwd", ""),
        user=user,
        group=group,
        groups=data.get("groups", ()),
        umask=data.get("umask"),
        limits=limits,
        nice=data.get("nice"),
        oom_score_adj=data.get("oom_score_adj"),
    )


def settings_of_check(
    job: ProcessSettings, health: Mapping[str, Any], path: Path, verdict: Verdict, host: Host, *, replicas: bool
) -> ProcessSettings:
    """What the command of a check is started with: as the job, but for what it says itself.

    Args:
        job: The job's.
        health: What is valid of the check's settings.
        path: Where the check is.
        verdict: Takes what is wrong.
        host: The machine.
        replicas: Whether the job has replicas, so that a directory may hold the number of one.
    """
    given = [key for key in ("env", "cwd", "user") if health.get(key)]
    if not given:
        return job
    if not health.get("exec") and not verdict.refuses((*path, "exec")):
        rule = "only a command is started with it, and the check has no exec"
        verdict.complain((*path, given[0]), Complaint("check-options", rule, "leave it out", key=True))
    _, own, inherit = _without_every((), health.get("env", ()))
    environment = tuple({**dict(job.environment), **dict(own)}.items())
    settings = job.changed(environment=environment, inherit=job.inherit and inherit)
    if "cwd" in given:
        _judge_files("" if replicas else health["cwd"], (), path, verdict, host)
        settings = settings.changed(cwd=health["cwd"])
    if "user" in given:
        user, _, group = health["user"].partition(":")
        _judge_identity(user, group, (), path, verdict)
        settings = settings.changed(user=user, group=group, groups=())
    return settings


def _without_every(variables: Variables, own: Variables) -> tuple[Variables, Variables, bool]:
    """The top level's variables and a job's own but for the one that stands for all; and whether it is in neither."""
    kept = [tuple([pair for pair in pairs if pair[0] != EVERY]) for pairs in (variables, own)]
    return kept[0], kept[1], kept == [variables, own]


def stop_policy(data: Mapping[str, Any], stop_timeout_s: float, hook_timeout_s: float | None) -> StopPolicy:
    """How a job is stopped.

    Args:
        data: What is valid of the job's settings.
        stop_timeout_s: The top level's.
        hook_timeout_s: What its `stopping` hook may take, or None.
    """
    return StopPolicy(
        data.get("kill_timeout", stop_timeout_s),
        hook_timeout_s,
        data.get("stop_after", ()),
        data.get("stop_signal", StopPolicy().signal),
        data.get("stop_mode", StopPolicy().mode),
        data.get("drain"),
    )


def judge_shell(data: Mapping[str, Any], written: Any, path: Path, verdict: Verdict) -> None:
    """Refuse a `shell` that has nothing to run, or an array of arguments."""
    if data.get("shell") and not isinstance(written, str):
        rule = "exec is not one text" if written is not None else "there is no exec"
        hint = 'write exec as one text, such as "cd /srv && exec ./app", or leave shell out'
        verdict.complain((*path, "shell"), Complaint("bad-exec", rule, hint))


def judge_stdin(file: str, path: Path, verdict: Verdict, host: Host) -> None:
    """Warn of a file to be read on standard input that is not there; it has no number of a replica in it."""
    fault = host.file_fault(file, "file")
    if fault:
        hint = "it has to be there when the job starts"
        where = (*path, "stdin", "file")
        verdict.warn(where, "file-missing", f"cannot read {shown(file)}: {fault}", hint, machine=True)


def judge_owners(listen: Sequence[Listener], path: Path, verdict: Verdict) -> None:
    """Refuse numbers that no owner of a socket can have, and warn of names that are not there.

    Args:
        listen: The job's sockets.
        path: Where the job is.
        verdict: Takes what is wrong.
    """
    for one in listen:
        user, _, group = one.owner.partition(":")
        for kind, name in (("user", user), ("group", group)):
            if users.number(name) > users.NUMBER_MAX:
                rule = f"the owner of {one} cannot be the number {name}: the last one is {users.NUMBER_MAX}"
                verdict.complain((*path, "listen"), Complaint("wrong-value", rule, "write another number, or a name"))
            elif name and users.unknown(kind, name):
                rule, hint = f"there is no {kind} {shown(name)} here", "it has to be there when corepilot starts"
                verdict.warn((*path, "listen"), "unknown-user", rule, hint, machine=True)


def judge_tty(data: Mapping[str, Any], path: Path, verdict: Verdict) -> None:
    """Refuse a terminal whose output would go past it, or that is to be two."""
    logging = data.get("logging") or {}
    if not data.get("tty"):
        return
    for key, name in (("raw", "raw"), ("separate", "separate"), ("error_file", "errorFile")):
        if logging.get(key):
            rule = f"with logging.{name} its output does not come from one terminal"
            verdict.complain((*path, "tty"), Complaint("wrong-value", rule, "leave one of them out"))
            return


def judge_stop_timeouts(jobs: Sequence[tuple[int, Job]], verdict: Verdict) -> None:
    """Warn of each `stopTimeout` that bounds nothing: it is often taken for the time until SIGKILL."""
    hooked = {job.hook.source for _, job in jobs if job.hook is not None and job.hook.code == "stopping"}
    for index, job in jobs:
        if job.stop.hook_timeout_s is not None and job.hook is None and job.name not in hooked:
            rule = "it bounds a stopping hook of this job, and there is none"
            hint = "leave it out; the time between the stop signal and SIGKILL is killTimeout"
            verdict.warn(("jobs", index, "stopTimeout"), "stop-timeout", rule, hint, key=True)


def judge_replicas(jobs: Sequence[tuple[int, Job]], verdict: Verdict) -> None:
    """Refuse a name that a job shares with replicas, or with what reloads a job: nobody could tell them apart."""
    counts: dict[str, int] = {}
    for _, job in jobs:
        counts[job.name] = counts.get(job.name, 0) + 1
    replicas = {job.name: job.replicas for _, job in jobs if job.replicas}
    for index, job in jobs:
        name, _, number = job.name.rpartition("@")
        if name in replicas and number in map(str, range(1, replicas[name] + 1)):
            hint = "give it another name"
            verdict.complain(("jobs", index, "name"), Complaint("same-name", "a replica is called so, too", hint))
        for key in ("replicas", "reload"):
            if getattr(job, key) and counts[job.name] > 1:
                rule = f"another job is called {shown(job.name)}, too"
                verdict.complain(("jobs", index, key), Complaint("same-name", rule, "give each a name of its own"))
        if job.reload is not None and reload_name(job.name) in counts:
            rule = f"another job is called {shown(reload_name(job.name))}, as the one that runs this"
            verdict.complain(("jobs", index, "reload"), Complaint("same-name", rule, "give that one another name"))
        if job.replicas and job.hook is not None:
            rule = "a hook runs once, before or after another job is stopped"
            verdict.complain(("jobs", index, "replicas"), Complaint("wrong-value", rule, "leave it out", key=True))


def in_directory(program: str, cwd: str) -> str:
    """The path of a program as it is looked for from a job's directory."""
    return os.path.join(cwd, program) if cwd and "/" in program else program


def _judge_identity(user: str, group: str, groups: tuple[str, ...], path: Path, verdict: Verdict) -> None:
    named = [("user", "user", user), ("group", "group" if group else "user", group)]
    named += [("group", "groups", one) for one in groups]
    named = [(kind, key if verdict.source_map.has((*path, key)) else "user", name) for kind, key, name in named if name]
    too_large = [(key, name) for _, key, name in named if users.number(name) > users.NUMBER_MAX]
    for key, name in too_large:
        rule = f"there is no number {name}: the last one is {users.NUMBER_MAX}"
        verdict.complain((*path, key), Complaint("wrong-value", rule, "write another number, or a name"))
    missing = [(kind, key, name) for kind, key, name in named if users.unknown(kind, name)]
    for kind, key, name in missing:
        hint = "it has to be there when the job starts; or write a number"
        verdict.warn((*path, key), "unknown-user", f"there is no {kind} {shown(name)} here", hint, machine=True)
    if not named or missing or too_large or not verdict.judge_machine:
        return
    if not users.may_become(user, group, groups):
        key = "user" if user else "group" if group else "groups"
        rule = f"corepilot runs as user {os.geteuid()} here, and may not become another"
        hint = "start corepilot as root, or leave it out"
        verdict.depends((*path, key), Complaint("no-right", rule, hint))


def _judge_limits(limits: tuple[tuple[str, int, int], ...], path: Path, verdict: Verdict) -> None:
    if not limits or not verdict.judge_machine:
        return
    import resource

    for name, _, hard in limits:
        if name not in _OWN_LIMITS:
            continue
        most = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        above = most != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or hard > most)
        if above and not users.has(users.SYS_RESOURCE):
            rule = f"the hard limit is {most} here, and corepilot may not raise it"
            hint = f"write {most} or less, or raise the limit of the container: docker run --ulimit"
            verdict.depends((*path, name), Complaint("limit-too-high", rule, hint))


def _judge_files(cwd: str, files: tuple[str, ...], path: Path, verdict: Verdict, host: Host) -> None:
    hint = "it has to be there when the job starts"
    if cwd:
        fault = "" if os.path.isdir(cwd) else "there is no such directory here"
        if fault:
            verdict.warn((*path, "cwd"), "file-missing", fault, hint, machine=True)
    for file in files:
        fault = _variables_fault(file.removeprefix("-"), host)
        if fault and not (file.startswith("-") and not os.path.exists(file[1:])):
            hint = "it is read when the job starts, and has to be good then"
            verdict.warn((*path, "envFile"), "file-missing", f"cannot read {shown(file)}: {fault}", hint, machine=True)


def _variables_fault(file: str, host: Host) -> str:
    """Why the variables of a file cannot be read when a job starts, or ""."""
    from corepilot.system.launcher import FILE_MAX_BYTES  # few configurations have such files
    from corepilot.system.variables import VariablesError, parse_variables

    text, fault = host.text_of(file, FILE_MAX_BYTES, errors="surrogateescape")
    try:
        parse_variables(text)
    except VariablesError as error:
        return str(error)
    return fault
