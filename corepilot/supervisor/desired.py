"""The jobs that a configuration means. Pure."""

from __future__ import annotations

from corepilot.model.configuration import Configuration
from corepilot.model.job import Check, Job, JobKey
from corepilot.model.replicas import keyed

TELEMETRY_JOB = "containerpilot"
"""The job that stands for telemetry: it registers itself and never ends (contract, sections 4.8 and 7.5)."""

_TELEMETRY_CHECK = Check(interval_s=5, ttl_s=15)


def jobs_of(configuration: Configuration) -> tuple[tuple[JobKey, Job], ...]:
    """The jobs of a configuration, the one that stands for telemetry's endpoint included."""
    jobs = configuration.jobs
    if configuration.telemetry is not None and configuration.telemetry.listen:
        job = Job(TELEMETRY_JOB, checks=(_TELEMETRY_CHECK,), service=configuration.telemetry.service, path="telemetry")
        jobs = (*jobs, job)
    return keyed(jobs)


def addresses_of(configuration: Configuration) -> dict[str, str]:
    """The address of each service, by its job's name (contract, section 4.12)."""
    return {job.name: job.service.registration.address for _, job in jobs_of(configuration) if job.service is not None}


def sources_of(configuration: Configuration) -> set[str]:
    """The sources of events that come from outside: of watches, and of the files that are made from them."""
    watches = {f"watch.{watch.name}" for watch in configuration.watches}
    return watches | {f"render.{render.name}" for render in configuration.render}


def stop_timeout_s(configuration: Configuration) -> float:
    """The longest time that any process has from its stop signal to SIGKILL."""
    return max([configuration.stop_timeout_s, 0.0, *[job.stop.timeout_s for job in configuration.jobs]])


def stop_budget_s(configuration: Configuration, drain_s: float) -> float:
    """How long a stop may take: hooks and the stop deadline, with room for leaving the catalog.

    Args:
        configuration: What runs.
        drain_s: Seconds for leaving the catalog.
    """
    from corepilot.model.job import HOOK_TIMEOUT_S, leaving_s

    hooked = any(job.hook is not None for job in configuration.jobs)
    leaving = max([leaving_s(job) for job in configuration.jobs], default=0.0)
    return stop_timeout_s(configuration) + (HOOK_TIMEOUT_S if hooked else 0.0) + leaving + drain_s
