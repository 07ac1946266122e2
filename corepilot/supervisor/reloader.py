"""From one configuration to the next: prepare (all that can fail), compare, commit. One reload at a time.

What waits while a reload is under way is one reload, the strongest of those that were asked for, and everybody who
asked gets its result.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import gevent
from gevent.event import Event as Flag

from corepilot.errors import ControlError, CorepilotError
from corepilot.http.time_slice import full_turn
from corepilot.jobs.audience import Audience
from corepilot.jobs.environment import ChildEnvironment
from corepilot.jobs.jobset import JobSet
from corepilot.jobs.plan import plans
from corepilot.model.configuration import Configuration
from corepilot.model.fact import ReloadResult
from corepilot.supervisor.arguments import LOAD_DEADLINE_S, RunArguments
from corepilot.supervisor.desired import addresses_of, jobs_of
from corepilot.supervisor.difference import Change, Difference, compare
from corepilot.supervisor.loading import load
from corepilot.supervisor.prepared import Parts, Prepared, prepare
from corepilot.supervisor.reload import STRENGTH, Mode, Reload
from corepilot.supervisor.shutdown import Shutdown
from corepilot.supervisor.tails import Tails
from corepilot.system.leaving import Leaving
from corepilot.system.process import Reaper
from corepilot.system.reserve import DescriptorReserve
from corepilot.telemetry.metrics import Metrics
from corepilot.wording.counting import counted

if TYPE_CHECKING:
    from corepilot.config.loading.exchange import LoadResult

WIND_UP_S = 0.25
"""Seconds that a reload has, when corepilot ends, to let go of what it has prepared: plugins are closed apart."""

END_S = 1.0
"""Seconds that a reload has to end in, where corepilot ends."""


class Supervised(Parts, Protocol):
    """What a reload acts on: the supervisor's parts."""

    arguments: RunArguments
    environment: ChildEnvironment
    metrics: Metrics
    jobs: JobSet
    reaper: Reaper
    reserve: DescriptorReserve
    tails: Tails
    shutdown: Shutdown

    def show_configuration(self) -> None:
        """Write the configuration to the debug log."""

    def ready(self) -> None:
        """Everything is up: tell the guard the stop's budget."""


class Reloader:
    """Carries out reloads, in a greenlet of its own.

    Args:
        app: The supervisor's parts.
        plugins: Makes what loads plugins.
        told: Told the result of each reload, with one sentence.
    """

    def __init__(self, app: Supervised, plugins: Callable[[], Any], told: Callable[[ReloadResult, str], None]) -> None:
        self._app = app
        self._plugins = plugins
        self._told = told
        self._waiting: Reload | None = None
        self._running: gevent.Greenlet[[], None] | None = None
        self.settled = Flag()
        self.anew: Flag | None = None

    def ask(self, mode: Mode) -> Reload:
        """Ask for a reload. Returns at once.

        Raises:
            ControlError: everything stops.
        """
        self._require_running()
        if self._waiting is None:
            self._waiting = Reload(mode)
        elif STRENGTH[mode] > STRENGTH[self._waiting.mode]:
            self._waiting.mode = mode
        if self._running is None:
            self._running = gevent.spawn(self._work)
        return self._waiting

    def all_ended(self) -> bool:
        """Every job has ended; whether that is what a reload of everything waits for."""
        if self.anew is None or self._app.shutdown.begun:
            return False
        self.anew.set()
        return True

    def stop(self) -> None:
        """Everything stops: nothing is waited for any more."""
        self.settled.set()
        if self.anew is not None:
            self.anew.set()

    def end(self) -> None:
        """Every job has ended: give up what is under way, and what it has prepared. Switches greenlets."""
        running = self._running
        if running is not None:
            running.join(timeout=WIND_UP_S)
            running.kill(Leaving(), timeout=END_S)
        if self._waiting is not None:  # its greenlet had not begun
            self._waiting.fail(self._stopping())

    def plan(self, locations: Sequence[str]) -> "tuple[LoadResult, Difference | None]":
        """What a reload would do. Changes nothing. Switches greenlets.

        Args:
            locations: Another configuration than the one that runs, or nothing.

        Raises:
            CorepilotError: the loader broke.
        """
        self._app.reserve.release()
        try:
            result = self._load(locations)
            if result.config is None:
                return result, None
            return result, compare(self._app.configuration, result.config)
        except _SHORTAGES as error:
            raise _out_of("plan", error) from error
        finally:
            self._app.reserve.refill()

    def _work(self) -> None:
        try:
            while self._waiting is not None:
                reload, self._waiting = self._waiting, None
                self._app.reserve.release()
                try:
                    self._carry_out(reload)
                except CorepilotError as error:
                    self._app.log("error", str(error))
                    reload.fail(error)
                    self._told("refused", str(error))
                except _SHORTAGES as error:
                    shortage = _out_of("reload", error)
                    self._app.log("error", str(shortage))
                    reload.fail(shortage)
                    self._told("refused", str(shortage))
                except gevent.GreenletExit:  # those that wait are refused in the next turns of this loop
                    reload.fail(self._stopping())
                    self._told("refused", str(self._stopping()))
                finally:
                    reload.fail(ControlError("cannot reload: a bug in corepilot; see its log"))
                    self._app.reserve.refill()
        finally:
            self._running = None

    def _carry_out(self, reload: Reload) -> None:
        app = self._app
        self._require_running()
        result = self._load(())
        self._require_running()
        if result.config is None:
            self._refuse(reload, [problem.sentence() for problem in result.problems if problem.is_error],
                         "".join(problem.text() + "\n" for problem in result.problems))  # fmt: skip
            return
        new = result.config
        difference = compare(app.configuration, new, restart_all=reload.mode == "all")
        full_turn()  # each of these takes some ten milliseconds for a thousand jobs
        new_plans = plans(jobs_of(new))
        full_turn()
        audience = Audience(new_plans)
        full_turn()
        self._require_running()
        try:
            prepared = prepare(app, new, self._plugins)
        except CorepilotError as error:
            self._refuse(reload, [str(error)], f"{error}\n")
            return
        try:
            self._require_running()  # a plugin, or the socket's directory, may have taken a while
            reload.judged.set("")
            if reload.mode == "everything":
                self._end_everything()
        except BaseException:
            prepared.discard(app)
            raise
        if reload.mode == "everything":
            self._begin_anew(new, audience, prepared)
        else:
            self._commit(new, audience, prepared, difference)
        self._told("applied", _summary([change for change in difference.changes if change.kind != "unchanged"]))
        reload.done.set(difference)

    def _refuse(self, reload: Reload, sentences: list[str], report: str) -> None:
        self._app.log("error", "reload refused: the old configuration stays")
        for sentence in sentences:
            self._app.log("error", sentence)
        self._told("refused", sentences[0] if sentences else "")
        reload.judged.set(report)
        reload.done.set(None)

    def _load(self, locations: Sequence[str]) -> "LoadResult":
        app = self._app
        request = app.arguments.request(app.environment.in_templates(), locations)
        result = load(request, app.reaper, LOAD_DEADLINE_S)
        if not locations and (result.kept or result.config is not None):  # of a loader that died, nothing is known
            app.arguments.kept = result.kept
        return result

    def _commit(self, new: Configuration, audience: Audience, prepared: Prepared, difference: Difference) -> None:
        app = self._app
        touched = [change for change in difference.changes if change.kind != "unchanged"]
        app.log("info", f"reloading: {_summary(touched)}")
        self._switch(new, prepared)
        self.settled.clear()
        app.jobs.change(audience, difference.jobs)
        app.ready()
        self.settled.wait()

    def _end_everything(self) -> None:
        """End the jobs, and what they leave behind, as in ContainerPilot (contract, section 4.11).

        Raises:
            ControlError: everything stops for good.
        """
        app = self._app
        app.log("info", "reloading: everything begins anew")
        self.anew = Flag()
        app.jobs.stop()
        self.anew.wait()
        self.anew = None
        self._require_running()
        app.shutdown.end_orphans()
        self._require_running()

    def _begin_anew(self, new: Configuration, audience: Audience, prepared: Prepared) -> None:
        app = self._app
        app.metrics.reset()
        self._switch(new, prepared, anew=True)
        app.jobs.start(audience)
        app.ready()

    def _switch(self, new: Configuration, prepared: Prepared, *, anew: bool = False) -> None:
        app = self._app
        app.configuration = new
        if prepared.log is not None:
            app.log.commit(prepared.log)
            app.tails.resize(new.logging.keep_bytes)
        app.show_configuration()
        app.control.commit(new.control, prepared.control)
        app.sockets.commit(new, prepared.sockets)
        app.environment.advertise(addresses_of(new))
        app.metrics.declare(new.telemetry.metrics if new.telemetry else ())
        app.exposition.commit(prepared.telemetry)
        if prepared.catalogs is not None:
            app.discovery.commit(new, prepared.catalogs, anew=anew)
        app.locks.commit(new.locks, app.discovery.catalogs)
        app.renders.commit(new.render, anew=anew)
        app.observers.commit(prepared.observers)
        app.checks.commit(new, prepared.checks)
        for warning in new.warnings:
            app.log("warning", warning)

    def _require_running(self) -> None:
        if self._app.shutdown.ending:
            raise self._stopping()

    def _stopping(self) -> ControlError:
        return ControlError(f"cannot reload: corepilot is stopping ({self._app.shutdown.ending})")


_SHORTAGES = (OSError, ImportError, MemoryError)
"""What is raised where descriptors, threads or memory have run out, by imports too."""


def _out_of(what: str, error: BaseException) -> ControlError:
    return ControlError(
        f"cannot {what} now: {getattr(error, 'strerror', None) or error}; raise the limit, or try again later"
    )


def _summary(changes: list[Change]) -> str:
    """Such as "1 job restarted, 2 jobs added, catalog etcd added, telemetry changed"."""
    names: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        names.setdefault((change.what, change.kind), []).append(change.name)
    parts = [f"{_summed(what, named)} {kind}" for (what, kind), named in names.items()]
    return ", ".join(parts) or "nothing has changed"


def _summed(what: str, names: list[str]) -> str:
    if what in {"job", "watch"}:  # there may be hundreds
        return counted(len(names), what, "watches" if what == "watch" else None)
    named = [name for name in names if name]
    return f"{what if len(named) < 2 else f'{what}s'} {' and '.join(named)}".rstrip()
