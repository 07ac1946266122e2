"""One run of a command: a process group, its output, and how it is told to end. In the hub, without ever waiting."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from corepilot.jobs.environment import ChildEnvironment
from corepilot.model.job import Command
from corepilot.output.log import Log
from corepilot.output.pipe import OutputPipe
from corepilot.output.records import Fields
from corepilot.system.groups import MARK
from corepilot.system.limits import SHORTAGES
from corepilot.system.memory_file import memory_file
from corepilot.system.process import NOT_EXECUTABLE, Reaper, SpawnError, signal_group, spawn

CHECK_LOG_BYTES = 64 * 1024
"""How much of one check's output is logged."""


class Spawner:
    """What a run needs of the process: one for all jobs.

    Attributes:
        loop: gevent's loop.
        reaper: Who waits for the processes.
        log: Where output goes.
        environment: What commands are started with.
    """

    def __init__(self, loop: Any, reaper: Reaper, log: Log, environment: ChildEnvironment) -> None:
        self.loop, self.reaper, self.log, self.environment = loop, reaper, log, environment


class Run:
    """A process group from its start until it is empty.

    Args:
        spawner: See `Spawner`.
        command: What runs.
        exited: Called with this run and the exit status (128+n for a signal) when the main process ends.
        mark: Value of the variable that tells whose processes these are.
        name: The command's name, for CONTAINERPILOT_<NAME>_PID.
        check: Whether it is a check: its output is bounded, and its end kept.
        more: Variables of this run.
        stdin: What it finds on its standard input; None for /dev/null.

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
        more: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> None:
        self._spawner = spawner
        self._exited = exited
        self._name = name
        self.alive = True
        self.terminated = False
        self.forced = False
        self.pipe: OutputPipe | None = None
        try:
            if not command.raw:
                limit = CHECK_LOG_BYTES if check else None
                self.pipe = OutputPipe(spawner.loop, spawner.log, log_limit_bytes=limit, keep=check)
            environment = {
                **spawner.environment.current(),
                **dict(command.settings.environment),
                **(more or {}),
                MARK: mark,
            }
            self.pid = self._spawn(command, environment, stdin)
        except SpawnError:
            self.close()
            raise
        except OSError as error:
            self.close()
            why = f"cannot start {command.argv[0]!r}: {error.strerror}"
            raise SpawnError(why, NOT_EXECUTABLE, shortage=error.errno in SHORTAGES) from error
        spawner.environment.running(name, self.pid)

    def _spawn(self, command: Command, environment: Mapping[str, str], stdin: bytes | None) -> int:
        output = self.pipe.write_end if self.pipe else None
        reaper = self._spawner.reaper
        if stdin is None:
            return spawn(command.argv, environment, reaper, self._ended, output=output)
        descriptor = memory_file(stdin)
        try:
            return spawn(command.argv, environment, reaper, self._ended, output=output, stdin=descriptor)
        finally:
            os.close(descriptor)

    def read(self, fields: Fields) -> None:
        """Begin to read its output, which belongs to what `fields` name."""
        if self.pipe is not None:
            self.pipe.start(fields)

    @property
    def remains(self) -> bool:
        """Whether anything is left of its group. Orphans of it are ours, so that its number is nobody else's."""
        return signal_group(self.pid, signal.SIGKILL if self.forced else 0)

    def end(self) -> None:
        """Tell the group to end, once: to many programs a second SIGTERM means not to clean up."""
        if not self.terminated:
            self.terminated = True
            signal_group(self.pid, signal.SIGTERM)
            signal_group(self.pid, signal.SIGCONT)  # a stopped process sees the signal only when it goes on

    def kill(self) -> None:
        """Kill the group, and what is forked in it meanwhile."""
        self.forced = True
        signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Read no more. Idempotent."""
        if self.pipe is not None:
            self.pipe.close()

    def _ended(self, status: int) -> None:
        self.alive = False
        self._spawner.environment.running(self._name, None)
        if self.remains:  # what the command left in its group goes with it (contract, section 4.2)
            self.end()
        if self.pipe is not None:
            self.pipe.finish()
        self._exited(self, status)
