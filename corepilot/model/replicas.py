"""The jobs that run, with what each is known by: of a job with replicas each of them, and what reloads one. Pure."""

from __future__ import annotations

from corepilot.model.job import Check, Command, Job, JobKey, Variables
from corepilot.model.service import Service
from corepilot.model.trigger import OnEvent, When

VARIABLE = "COREPILOT_REPLICA"
"""The variable that tells a replica its number."""


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
    """One of its replicas: numbered in its commands, its variables and the id of its service.

    Args:
        job: As configured.
        number: From 1.
    """
    return job.changed(
        replicas=0,
        command=_command(job.command, number),
        checks=tuple([_check(check, number) for check in job.checks]),
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
    return Job(reload_name(job.name), job.reload, when, stop=stop, reloads=job.name, path=job.path)


def numbered(text: str, number: int) -> str:
    """A text with the number in the place of each `%i`, and `%` in the place of `%%`."""
    return "%".join([part.replace("%i", str(number)) for part in text.split("%%")])


def _check(check: Check, number: int) -> Check:
    return check if check.command is None else check.changed(command=_command(check.command, number))


def _command(command: Command | None, number: int) -> Command | None:
    if command is None:
        return None
    settings = command.settings
    own = settings.changed(
        environment=(*_variables(settings.environment, number), (VARIABLE, str(number))),
        defaults=_variables(settings.defaults, number),
    )
    return command.changed(argv=tuple([numbered(one, number) for one in command.argv]), settings=own)


def _variables(variables: Variables, number: int) -> Variables:
    return tuple([(name, value and numbered(value, number)) for name, value in variables])


def _service(service: Service | None, number: int) -> Service | None:
    if service is None:
        return None
    registration = service.registration
    return service.changed(registration=registration.changed(id=f"{registration.id}-{number}"))
