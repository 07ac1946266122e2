"""One run of a command: a process group, its output, and how it is told to end. In the hub, without ever waiting."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from corepilot.jobs.environment import ChildEnvironment, with_changes
from corepilot.model.command import Command, Listener, OutputSettings
from corepilot.model.job import StopPolicy
from corepilot.output.log import Log
from corepilot.output.pipe import OutputPipe
from corepilot.output.records import Fields
from corepilot.system.groups import MARK
from corepilot.system.kernel import signal
from corepilot.system.limits import SHORTAGES
from corepilot.system.memory_file import memory_file
from corepilot.system.process import NOT_EXECUTABLE, Reaper, SpawnError, signal_group, signal_process, spawn

if TYPE_CHECKING:  # few jobs need them
    from corepilot.output.delivery import Delivery
    from corepilot.system.launching import LaunchReport

_AS_USUAL = OutputSettings()
FIRST_SOCKET = 3
"""The descriptor of a job's first listening socket (sd_listen_fds(3))."""

CHECK_LOG_BYTES = 64 * 1024
"""How much of one check's output is logged."""


class Spawner:
    """What a run needs of the process: one for all jobs.

    Attributes:
        loop: gevent's loop.
        reaper: Who waits for the processes.
        log: Where output goes.
        environment: What commands are started with.
        sockets: The descriptors of listening sockets that jobs are handed.
    """

    def __init__(self, loop: Any, reaper: Reaper, log: Log, environment: ChildEnvironment) -> None:
        self.loop, self.reaper, self.log, self.environment = loop, reaper, log, environment
        self.sockets: Callable[[Sequence[Listener]], Sequence[int]] = lambda _listen: ()

    def deliveries(self, settings: OutputSettings) -> Iterator[Delivery]:
        """Where the output of a run goes: one place for both streams, or one for stdout and one for stderr.

        Raises:
            OSError: No thread can be started that writes files.
        """
        from corepilot.output.delivery import Delivery  # few jobs need it

        log = self.log
        separate = settings.separate or settings.error_file is not None
        for stream in ("stdout", "stderr") if separate else ("",):
            own = (settings.error_file or settings.file) if stream == "stderr" else settings.file
            file = log.job_file(own, self.loop) if own is not None else None
            yield Delivery(log.output, lambda: log.congested, settings, stream, file)


class Run:
    """A process group from its start until it is empty.

    Args:
        spawner: See `Spawner`.
        command: What runs.
        exited: Called with this run and the exit status (128+n for a signal) when the main process ends.
        mark: Value of the variable that tells whose processes these are.
        name: The command's name, for CONTAINERPILOT_<NAME>_PID.
        check: Whether it is a check: its output is bounded, and its end kept.
        withhold: Of a check, whether its output is logged only if it fails.
        more: Variables of this run.
        stdin: What it finds on its standard input; None for /dev/null.
        inherited: What else it has open, as for `spawn`.
        stop: Says how it is told to end: what a reload changes holds for a run that goes on.
        cgroup: The directory of its control group; "" for corepilot's own.

    Attributes:
        failure: Why the program was never executed, though the process was there; "" if it was.

    Raises:
        SpawnError: it could not be started; nothing is left.
    """

    def __init__(
        self,
        spawner: Spawner,
        command: Command,
        exited: Any,
        *,
        mark: str,
        name: str,
        check: bool,
        withhold: bool = False,
        more: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        stop: Callable[[], StopPolicy] = StopPolicy,
        inherited: Mapping[int, int] = MappingProxyType({}),
        cgroup: str = "",
    ) -> None:
        self._spawner = spawner
        self._exited = exited
        self._name = name
        self._program = command.argv[0]
        self._stop, self._inherited, self._cgroup = stop, inherited, cgroup
        self._report: LaunchReport | None = None
        self.failure = ""
        self.alive = True
        self.terminated = False
        self.forced = False
        self.pipes: list[OutputPipe] = []
        try:
            if not command.raw:
                self._open_pipes(command, check=check, withhold=withhold)
            self.pid = self._spawn(command, {**(more or {}), MARK: mark}, stdin)
        except SpawnError:
            self.close()
            raise
        except OSError as error:
            self.close()
            why = f"cannot start {command.argv[0]!r}: {error.strerror}"
            raise SpawnError(why, NOT_EXECUTABLE, shortage=error.errno in SHORTAGES) from error
        spawner.environment.running(name, self.pid)

    def _open_pipes(self, command: Command, *, check: bool, withhold: bool) -> None:
        """One for both streams, or one for each. They are this run's as soon as they are open."""
        spawner, limit = self._spawner, CHECK_LOG_BYTES if check else None
        opened = partial(
            OutputPipe,
            spawner.loop,
            spawner.log,
            log_limit_bytes=limit,
            keep=check,
            withhold=withhold,
            terminal=command.settings.tty,
        )
        if command.output == _AS_USUAL:
            self.pipes.append(opened())
            return
        for delivery in spawner.deliveries(command.output):
            try:
                pipe = opened(delivery=delivery)
            except OSError:
                delivery.close()
                raise
            self.pipes.append(pipe)

    @property
    def tail(self) -> str:
        """The end of its output, for people: what stderr says comes last."""
        return "\n".join([pipe.tail for pipe in self.pipes if pipe.tail])

    def _spawn(self, command: Command, own: Mapping[str, str], stdin: bytes | None) -> int:
        if stdin is None:
            return self._spawn_reading(command, own, None)
        descriptor = memory_file(stdin)
        try:
            return self._spawn_reading(command, own, descriptor)
        finally:
            os.close(descriptor)

    def _spawn_reading(self, command: Command, own: Mapping[str, str], stdin: int | None) -> int:
        spawner, settings = self._spawner, command.settings
        output = self.pipes[0].write_end if self.pipes else None
        errors = self.pipes[1].write_end if len(self.pipes) > 1 else None
        environment = spawner.environment.current() if settings.inherit else {}
        if settings.only_variables:
            variables = with_changes(environment, settings.environment, own)
            return spawn(
                command.argv, variables, spawner.reaper, self._ended,
                output=output, errors=errors, stdin=stdin, inherited=self._inherited,
            )  # fmt: skip
        from corepilot.jobs.settings import request_of
        from corepilot.system.launching import launch

        request = request_of(command.argv, environment, settings, own, own_output=not command.raw, cgroup=self._cgroup)
        if settings.tty and stdin is None:
            stdin = output
        sockets = dict(enumerate(spawner.sockets(settings.listen), FIRST_SOCKET))
        pid, self._report = launch(
            request, spawner.reaper, self._ended, spawner.loop,
            output=output, errors=errors, stdin=stdin, inherited={**sockets, **self._inherited}, session=settings.tty,
        )  # fmt: skip
        return pid

    def read(self, fields: Fields) -> None:
        """Begin to read its output, which belongs to what `fields` name."""
        for pipe in self.pipes:
            pipe.start(fields)

    @property
    def remains(self) -> bool:
        """Whether anything is left of its group. Orphans of it are ours, so that its number is nobody else's."""
        return signal_group(self.pid, signal.SIGKILL if self.forced else 0)

    def end(self) -> None:
        """Tell the group to end, once: to many programs a second SIGTERM means not to clean up."""
        if self.terminated:
            return
        self.terminated = True
        policy = self._stop()
        for number in (policy.signal, signal.SIGCONT):  # a stopped process sees the signal only when it goes on
            if policy.mode == "process" and self.alive:
                signal_process(self.pid, number)
            else:
                signal_group(self.pid, number)

    def kill(self) -> None:
        """Kill the group, and what is forked in it meanwhile."""
        self.forced = True
        signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Read no more. Idempotent."""
        for pipe in self.pipes:
            pipe.close()
            pipe.release(logged=False)
        if self._report is not None:
            self._report.close()

    def _ended(self, status: int) -> None:
        self.alive = False
        self._spawner.environment.running(self._name, None)
        if self._report is not None:
            failed, reason = self._report.finish()
            self.failure = f"cannot start {self._program!r}: {reason}" if failed else ""
        if self.remains:  # what the command left in its group goes with it (contract, section 4.2)
            self.terminated = self.terminated and self._stop().mode == "group"  # if not, it was not told yet
            self.end()
        for pipe in self.pipes:
            pipe.finish()
            pipe.release(logged=status != 0)
        self._exited(self, status)
