"""The jobs that run, with what each is known by: of a job with replicas each of them, and what reloads one. Pure."""

from __future__ import annotations

from typing import Any

from corepilot.model.command import Command, OutputFile, OutputSettings, Variables
from corepilot.model.job import Check, Job, JobKey
from corepilot.model.plugin import Options, Secret
from corepilot.model.service import Service
from corepilot.model.trigger import OnEvent, When

VARIABLE = "COREPILOT_REPLICA"
"""The variable that tells a replica its number."""

RELOAD_S = 90.0
"""How long what reloads a job may take: who has asked for it waits, and so do later requests. As with systemd."""


def keyed(jobs: tuple[Job, ...]) -> tuple[tuple[JobKey, Job], ...]:
    """Each job that runs, with its key, in order: of a job with replicas each of them."""
    counts: dict[str, int] = {}
    found = []
    for job in jobs:
        counts[job.name] = counts.get(job.name, 0) + 1
        if job.replicas:
            found += [
                (JobKey(job.name, counts[job.name], number), replica_of(job, number))
                for number in range(1, job.replicas + 1)
            ]
        else:
            found.append((JobKey(job.name, counts[job.name], 0), job))
        reload = reload_of(job)
        if reload is not None:
            found.append((JobKey(reload.name, counts[job.name], 0), reload))
    return tuple(found)


def replica_of(job: Job, number: int) -> Job:
    """One of its replicas: numbered in all that it is started, asked and told apart with, and in its service's id.

    Args:
        job: As configured.
        number: From 1.
    """
    return job.changed(
        replicas=0,
        command=job.command and command_of_replica(job.command, number),
        checks=tuple([_check(check, number) for check in job.checks]),
        ready=job.ready and job.ready.changed(file=numbered(job.ready.file, number)),
        service=_service(job.service, number),
    )


def reload_name(name: str) -> str:
    """The name of the job that runs another one's `reload`."""
    return f"reload.{name}"


def reload_of(job: Job) -> Job | None:
    """The job that runs another one's `reload`, whenever that is asked for; None if it has no such command."""
    if job.reload is None:
        return None
    when = When(OnEvent("reload", job.name), each=True)
    stop = job.stop.changed(after=(), hook_timeout_s=None)
    return Job(reload_name(job.name), job.reload, when, timeout_s=RELOAD_S, stop=stop, reloads=job.name, path=job.path)


def numbered(text: str, number: int) -> str:
    """A text with the number in the place of each `%i`, and `%` in the place of `%%`."""
    return "%".join([part.replace("%i", str(number)) for part in text.split("%%")])


def options_of_replica(value: Any, number: int) -> Any:
    """An option of a check, or all of them, numbered: what is no text stays as it is."""
    if isinstance(value, str):
        return numbered(value, number)
    if isinstance(value, Options):
        return Options(tuple([(name, options_of_replica(one, number)) for name, one in value.items]))
    if isinstance(value, tuple) and not isinstance(value, Secret):
        return tuple([options_of_replica(one, number) for one in value])
    return value


def command_of_replica(command: Command, number: int) -> Command:
    """A command of a job, or of a check, as one of its replicas runs it."""
    settings = command.settings
    own = settings.changed(
        environment=(*_variables(settings.environment, number), (VARIABLE, str(number))),
        environment_files=tuple([numbered(one, number) for one in settings.environment_files]),
        defaults=_variables(settings.defaults, number),
        cwd=numbered(settings.cwd, number),
        stdin=numbered(settings.stdin, number),
    )
    argv = tuple([numbered(one, number) for one in command.argv])
    return command.changed(argv=argv, settings=own, output=_output(command.output, number))


def _check(check: Check, number: int) -> Check:
    plugin = check.plugin and check.plugin.changed(options=options_of_replica(check.plugin.options, number))
    return check.changed(command=check.command and command_of_replica(check.command, number), plugin=plugin)


def _output(output: OutputSettings, number: int) -> OutputSettings:
    return output.changed(
        prefix=numbered(output.prefix, number),
        file=_file(output.file, number),
        error_file=_file(output.error_file, number),
    )


def _file(file: OutputFile | None, number: int) -> OutputFile | None:
    return file and file.changed(path=numbered(file.path, number))


def _variables(variables: Variables, number: int) -> Variables:
    return tuple([(name, value and numbered(value, number)) for name, value in variables])


def _service(service: Service | None, number: int) -> Service | None:
    if service is None:
        return None
    registration, pattern = service.registration, service.port_of_replica
    port = int(numbered(pattern, number)) if pattern else registration.port
    return service.changed(
        registration=registration.changed(id=f"{registration.id}-{number}", port=port), port_of_replica=""
    )
