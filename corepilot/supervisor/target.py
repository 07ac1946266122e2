"""What control requests act on: the application, in the words of the control socket (contract, section 9.1)."""

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from corepilot import _version
from corepilot.events import GLOBAL, Event
from corepilot.sources.file import absolute_path

if TYPE_CHECKING:
    from corepilot.jobs.runner import Runner
    from corepilot.supervisor.app import App

MAINTENANCE = {True: Event("enterMaintenance", GLOBAL), False: Event("exitMaintenance", GLOBAL)}


class ReloadOutcome(NamedTuple):
    """How a reload was judged; `text` is the whole report."""

    ok: bool
    text: str


class Target:
    """Carries out control requests. Called from the greenlets of the control server."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self.config = absolute_path(app.arguments.location)

    def status(self) -> dict[str, object]:
        """Everything `corepilot status` shows."""
        app, generation = self._app, self._app.generation
        config = generation.config
        backend = generation.backend
        return {
            "version": _version.__version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - app.started_at, 3),
            "config": config.source,
            "socket": app.control_path,
            "stopping": app.stopping,
            "dropped_output_bytes": app.log.dropped_bytes,
            "catalog": {
                "backend": config.discovery.name,
                "address": backend.address if backend else "",
                "mode": getattr(backend, "mode", ""),  # how the embedded catalog learns of changes
            }
            if config.discovery
            else None,
            "jobs": [_job(runner) for runner in generation.crew.runners],
            "services": generation.registrar.status() if generation.registrar else [],
            "watches": [watcher.status() for watcher in generation.watchers],
        }

    def instances(self, service: str) -> list[dict[str, object]] | None:
        """The instances of a watched service as last seen, every status; None if no watch has that name."""
        generation = self._app.generation
        for watcher in generation.watchers:
            if watcher.watch.name == service:
                return [
                    {
                        "id": one.id,
                        "address": one.address,
                        "port": one.port,
                        "status": one.status,
                        "tags": list(one.tags),
                    }
                    for one in watcher.instances
                ]
        # In the first moments watches are not there yet, and know nothing; without a catalog that stays so.
        return [] if any(watch.name == service for watch in generation.config.watches) else None

    def reload(self) -> ReloadOutcome:
        """Validate, then begin a new generation; see `App.reload`."""
        result = self._app.reload()
        return ReloadOutcome(
            ok=result.config is not None,
            text="".join(problem.text() + "\n" for problem in result.problems),
        )

    def put_environ(self, values: dict[str, str | None]) -> None:
        """Set variables for commands that start from now on (contract, section 4.12)."""
        self._app.environment.put({name: value or "" for name, value in values.items()})

    def put_metric(self, values: dict[str, object]) -> list[str]:
        """Record metrics; returns one sentence for each that was rejected."""
        generation = self._app.generation
        for name, value in values.items():
            generation.bus.publish(Event("metric", f"{name}|{value}"))
        return generation.metrics.record(values)

    def maintenance(self, *, enable: bool) -> None:
        """Enter or leave maintenance (contract, section 4.5)."""
        self._app.generation.bus.publish(MAINTENANCE[enable])

    def stop(self) -> None:
        """Begin to stop, as SIGTERM does."""
        self._app.stop("a stop request")


def _job(runner: "Runner") -> dict[str, object]:
    state, job = runner.state, runner.plan.job
    return {
        "name": job.name,
        "state": state.phase,
        "health": state.health,
        "address": job.service.registration.address if job.service else "",
        "port": job.service.registration.port if job.service else 0,
        "pid": runner.pid,
        "starts": runner.starts,
        "last_status": runner.last_status,
        "up_s": round(time.monotonic() - runner.started_at, 3) if runner.started_at and runner.pid else None,
    }
