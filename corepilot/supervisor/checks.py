"""The checks that are plugins, over all configurations: one instance for each job's check, which a reload keeps."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import gevent

from corepilot.errors import CorepilotError
from corepilot.jobs.supervision import CheckCall, CheckResult
from corepilot.model.configuration import Configuration
from corepilot.model.job import Check, Job
from corepilot.model.plugin import PluginReference
from corepilot.model.replicas import keyed
from corepilot.output.repeat import Repeat

if TYPE_CHECKING:
    from corepilot.checks.check import Check as Asked
    from corepilot.plugin.boundary import Boundary
    from corepilot.plugin.manager import Loaded, Plugins
    from corepilot.plugin.oversight import Oversight

PreparedChecks = dict[PluginReference, "Loaded | CorepilotError"]
"""What each plugin of a configuration became."""


class Checks:
    """The checks of this process that are plugins.

    Args:
        log: Takes a level and a message.
        environment: The jobs' environment, made anew by each call.
    """

    def __init__(self, log: Callable[[str, str], None], environment: Callable[[], Mapping[str, str]]) -> None:
        self._log, self._environment = log, environment
        self._repeats = Repeat(log)
        self._loaded: PreparedChecks = {}
        self._before: PreparedChecks = {}  # of the configuration before: jobs that wait at their stop are checked on
        self._oversight: Oversight | None = None
        self._made: dict[tuple[Job, Check], tuple[Asked, Boundary]] = {}

    def start(self, configuration: Configuration, plugins: "Plugins", oversight: "Oversight") -> None:
        """Import what the first configuration names. What fails is logged, and fails each time it is asked."""
        self._oversight = oversight
        for reference in references_of(configuration):
            try:
                self._loaded[reference] = plugins.load(reference, "check")
            except CorepilotError as error:
                self._log("error", f"{error}; it counts as not healthy")
                self._loaded[reference] = error

    def prepare(
        self, configuration: Configuration, plugins: "Plugins | None", oversight: "Oversight"
    ) -> PreparedChecks:
        """Do what can fail.

        Raises:
            CorepilotError: a check cannot be used; nothing has changed.
        """
        self._oversight = oversight
        prepared: PreparedChecks = {}
        for reference in references_of(configuration):
            known = self._loaded.get(reference)
            if known is None or isinstance(known, CorepilotError):
                assert plugins is not None  # noqa: S101  - there are plugins
                known = plugins.load(reference, "check")
            prepared[reference] = known
        return prepared

    def commit(self, configuration: Configuration, prepared: PreparedChecks | None) -> None:
        """Switch to what `prepare` returned."""
        if prepared is None:
            return
        self._before, self._loaded = self._loaded, prepared
        kept = {(job, check) for job in _asked(configuration) for check in job.checks}
        for key in [key for key in self._made if key not in kept]:
            check, boundary = self._made.pop(key)
            gevent.spawn(self._end, check, boundary)

    def ask(self, job: Job, check: Check, source: str, answered: Callable[[CheckResult], None]) -> CheckCall:
        """Call a check once. `answered` is called later, unless the call is cancelled before.

        Why a job is not healthy is logged now and then: unlike a command, a plugin prints nothing that would say it.
        """
        from corepilot.checks.call import CheckCall as Call
        from corepilot.checks.call import FailedCall

        def told(answer: CheckResult) -> None:
            if answer.passed:
                self._repeats.recovered(source, f"{source}: healthy again")
            else:
                self._repeats.failed(source, f"{source}: not healthy: {answer.text}")
            answered(answer)

        try:
            asked, boundary = self._instance(job, check)
            return Call(asked, boundary, check.timeout_s, told)
        except CorepilotError as error:
            return FailedCall(str(error), told)

    def close(self) -> None:
        """Close everything."""
        gevent.joinall([gevent.spawn(self._end, *one) for one in self._made.values()])
        self._made.clear()

    def _instance(self, job: Job, check: Check) -> "tuple[Asked, Boundary]":
        found = self._made.get((job, check))
        if found is None:
            from corepilot.checks.check import CheckContext

            assert check.plugin is not None  # noqa: S101  - it is a plugin's
            loaded = self._loaded.get(check.plugin) or self._before.get(check.plugin)
            if loaded is None or self._oversight is None:
                raise CorepilotError("cannot check the job yet: the plugin is being loaded")
            if isinstance(loaded, CorepilotError):
                raise loaded
            boundary = self._oversight.boundary(loaded)
            registration = job.service.registration if job.service else None
            context = CheckContext(
                boundary.say,
                job.name,
                registration.address if registration else "",
                registration.port if registration else 0,
                self._environment(),
            )
            try:
                made: Asked = boundary.call("__init__", loaded.implementation, loaded.options, context)
            except BaseException:
                self._oversight.release(boundary)
                raise
            found = self._made[job, check] = (made, boundary)
        return found

    def _end(self, check: "Asked", boundary: "Boundary") -> None:
        boundary.quietly("close", check.close, deadline_s=1.0)
        if self._oversight is not None:
            self._oversight.release(boundary)


def references_of(configuration: Configuration) -> list[PluginReference]:
    """The plugins that a configuration's checks name, each once."""
    found = dict.fromkeys(check.plugin for job in _asked(configuration) for check in job.checks)
    return [reference for reference in found if reference is not None]


def _asked(configuration: Configuration) -> list[Job]:
    """The jobs with such checks: of one with replicas each of them, since its number may be in the options."""
    jobs = [job for job in configuration.jobs if any(check.plugin is not None for check in job.checks)]
    return [job for _, job in keyed(tuple(jobs))]
