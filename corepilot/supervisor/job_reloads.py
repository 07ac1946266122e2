"""What `corepilot reload-job` does: jobs read their own configuration again. Imported when it is first asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from corepilot.errors import ControlError
from corepilot.jobs.runner import Runner
from corepilot.model.event import Event
from corepilot.model.replicas import reload_name
from corepilot.supervisor.operations import Operation, Operations

_ONLY_TOLD = "the event reload and no more: the job has no reload of its own"


def begin_reloads(
    runners: Sequence[Runner],
    every: Callable[[], Sequence[Runner]],
    publish: Callable[[Event], None],
    operations: Operations,
) -> Operation:
    """Signal jobs whose `reload` is a signal, and publish `reload`, which starts the commands of the others.

    The operation ends when the commands have. A job without `reload` publishes the event only, for those who wait for
    it.

    Args:
        runners: Those that are to.
        every: All that there are.
        publish: Puts an event on the bus.
        operations: Where what takes time is carried out.

    Raises:
        ControlError: one of them does not run, or is being stopped; nothing is done.
    """
    idle = [str(runner.key) for runner in runners if runner.pid is None]
    if idle:
        raise ControlError(f"cannot reload {', '.join(idle)}: it does not run; start it first")
    ending = [str(runner.key) for runner in runners if runner.state.stopping]
    if ending:
        raise ControlError(f"cannot reload {', '.join(ending)}: it is being stopped")
    commands = {one.name: one for one in every() if one.plan.job.reloads}
    names = list(dict.fromkeys([runner.name for runner in runners]))
    awaited = {name: one for name in names if (one := commands.get(reload_name(name))) is not None}
    before = {name: one.starts for name, one in awaited.items()}

    def work(operation: Operation) -> None:
        for runner in runners:
            if runner.plan.job.reload_signal:
                runner.signal(runner.plan.job.reload_signal, group=False)
        for name in names:
            publish(Event("reload", name))
        for name, command in awaited.items():
            if not operations.wait_until(operation, partial(_has_run, command, before[name])):
                operation.finish("refused", "corepilot is stopping")
                return
        for runner in runners:
            job = runner.plan.job
            if job.reload is None and not job.reload_signal:  # nobody is to believe that it has read anything
                operation.add(what="job", name=str(runner.key), kind="published", message=_ONLY_TOLD)
                continue
            operation.add(what="job", name=str(runner.key), kind="reloaded", state=runner.state.phase, pid=runner.pid)
        _conclude(operation, awaited)

    return operations.begin("reload-job", work)


def _conclude(operation: Operation, awaited: Mapping[str, Runner]) -> None:
    failed = [f"{one.key} ({one.account.trouble})" for one in awaited.values() if one.account.last_status]
    if failed:
        operation.finish("incomplete", f"failed: {', '.join(failed)}")
    operation.finish("done")


def _has_run(runner: Runner, starts: int) -> bool:
    """Whether a run has ended that began after a job had been started so often, or none will."""
    ended = runner.state.process.stage not in {"running", "emptying"}
    return runner.state.stopping or (runner.starts > starts and ended)
