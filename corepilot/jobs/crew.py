"""All jobs of one configuration: who hears which event, when everything has ended, and with which status."""

from collections.abc import Callable
from dataclasses import replace

from corepilot.config.model import Config
from corepilot.events import GLOBAL, Event, EventBus, spelled
from corepilot.jobs.model import Happened, Hurry, SiblingExited
from corepilot.jobs.planning import plans
from corepilot.jobs.runner import Runner, Surroundings

_EXITS = frozenset(("exitSuccess", "exitFailed"))


class Crew:
    """Runs the jobs of a configuration from `start` until `finished` is called.

    Args:
        config: The configuration.
        bus: The bus its events travel on.
        around: What the runners share; its `completed` is set here.
        finished: Called once, when every job is complete. Never called for a configuration without jobs.
        last: Called once, with the reason, when a job whose `exitOn` says so is complete: everything is to be stopped.
    """

    def __init__(
        self,
        config: Config,
        bus: EventBus,
        around: Surroundings,
        finished: Callable[[], None],
        last: Callable[[str], None],
    ) -> None:
        self._bus = bus
        self._log = around.log
        self._finished = finished
        self._last = last
        self._stopping = False
        self._first_failure: tuple[str, int] | None = None
        self._ended_by: int | None = None
        around = replace(around, completed=self._completed)
        self.runners = tuple(Runner(plan, around) for plan in plans(config.jobs, config.stop_timeout_s))
        self._left = len(self.runners)
        self._interested: dict[Event, list[Runner]] = {}
        for runner in self.runners:
            for event in runner.plan.interests():
                self._interested.setdefault(event, []).append(runner)
        named: dict[str, list[Runner]] = {}
        for runner in self.runners:
            named.setdefault(runner.plan.job.name, []).append(runner)
        self._siblings = {name: runners for name, runners in named.items() if len(runners) > 1}
        self._handled = {job.when.source for job in config.jobs if job.when.code == "exitFailed"}
        self._unsubscribe = bus.subscribe(self._hear)

    def start(self) -> None:
        """Start timers and registrations, then publish `startup`."""
        for runner in self.runners:
            runner.begin()
        self._bus.publish(Event("startup", GLOBAL))

    def stop(self) -> None:
        """Begin to stop everything (contract, section 4.8). Asked again, it changes nothing."""
        if not self._stopping:
            self._stopping = True
            self._bus.publish(Event("shutdown", GLOBAL))
            if not self.runners:
                self._finished()

    def hurry(self) -> None:
        """Stop without waiting for anything: every process is killed."""
        self._stopping = True
        for runner in self.runners:
            runner.handle(Hurry())

    def close(self) -> None:
        """Leave the bus and let go of what is left."""
        self._unsubscribe()
        for runner in self.runners:
            runner.discard()

    @property
    def done(self) -> bool:
        """Whether every job is complete."""
        return self._left == 0

    @property
    def failure(self) -> tuple[str, int] | None:
        """The first job that failed for good without another job that handles its `exitFailed`, and its status."""
        return self._first_failure

    @property
    def ended_by(self) -> int | None:
        """The exit status of the job that ended everything by its `exitOn`, or None."""
        return self._ended_by

    @property
    def killed(self) -> list[str]:
        """The names of the commands that had to be killed because they did not stop in time."""
        return [name for runner in self.runners for name in runner.killed]

    def _hear(self, event: Event) -> None:
        if self._log.debugging:
            self._log("debug", f"event: {{{spelled(event.code)} {event.source}}}")
        runners = self.runners if event.source == GLOBAL else self._interested.get(event, ())
        for runner in runners:
            runner.handle(Happened(event))
        if event.code in _EXITS:
            for runner in self._siblings.get(event.source, ()):
                if runner.own_exits:
                    runner.own_exits -= 1
                else:
                    runner.handle(SiblingExited())

    def _completed(self, runner: Runner) -> None:
        status, name = runner.state.failed_for_good, runner.plan.job.name
        if status and not self._stopping and self._first_failure is None and name not in self._handled:
            self._first_failure = (name, status)
        self._left -= 1
        exit_on = runner.plan.job.exit_on
        if not self._stopping and (exit_on == "end" or (exit_on == "failure" and status)):
            self._ended_by = runner.last_status or 0
            self._last(f"job {name} has ended with status {self._ended_by}")
        if self._left == 0:
            self._finished()
