"""`corepilot lock NAME -- COMMAND`: runs a command while a lock of the catalog is ours, in the words of flock(1).

It is one of corepilot's three processes in small: a guard above it ends the command when this process dies or hangs,
at the latest when the promise of the lock ends; and when the guard dies, this process ends the command.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Protocol

from corepilot import guard
from corepilot.cli.arguments import UsageError
from corepilot.cli.catalog_access import CatalogArguments, Opener, catalogs_of
from corepilot.config.schema.names import LOCK_HINT, is_lock_name
from corepilot.config.text.units import DurationError, parse_duration
from corepilot.errors import ConfigError, CorepilotError
from corepilot.model.configuration import Configuration, Lock
from corepilot.model.plugin import PluginReference
from corepilot.system import kernel
from corepilot.system.children import children
from corepilot.system.groups import descendants, group_of
from corepilot.wording.escaping import escaped

NOT_HAD = 75
"""Exit status when the lock could not be acquired, or was lost: EX_TEMPFAIL of sysexits.h."""

TTL_S = 30.0
"""Seconds that a lock without an entry in the configuration lives, unless the end of the command needs more."""

_PARTS, _MARGIN_S = 3, 1.0
"""As `corepilot.config.rules.locks` has it for jobs."""

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Arguments(CatalogArguments, Protocol):
    """What the command looks at.

    Attributes:
        positionals: The lock's name, and the command.
        program: The command.
        nonblock: Do not wait for the lock.
        timeout: How long to wait for it, as a duration; None for ever.
    """

    positionals: list[str]
    program: list[str]
    nonblock: bool
    timeout: str | None


def lock(arguments: Arguments) -> int:
    """Have the lock, run the command, give the lock back; returns the command's exit status, or NOT_HAD.

    Raises:
        UsageError: the command line has no lock, or no command.
        ConfigError, PluginError: there is no catalog that keeps locks.
    """
    names = arguments.positionals[: len(arguments.positionals) - len(arguments.program)]
    if len(names) != 1 or not arguments.program:
        raise UsageError("cannot run a command under a lock: write corepilot lock NAME -- COMMAND ARGS…")
    if not is_lock_name(names[0]):
        raise UsageError(f"cannot use the lock {names[0]!r}: {LOCK_HINT}")
    wait_s = _wait_s(arguments)
    configuration, faults = catalogs_of(arguments)
    wanted = _lock(configuration, names[0])
    plugin = configuration.catalog(wanted.catalog)
    if plugin is None:
        raise ConfigError(f"cannot use the lock {wanted.name}: its catalog cannot be used here", *faults)

    def supervisor(channel: guard.Channel) -> int:
        try:
            return _Holder(arguments, plugin, wanted, channel, wait_s=wait_s, stop_s=_stop_s(configuration)).run()
        except CorepilotError as error:
            _complain(str(error))
            return 1

    return guard.supervise(supervisor)


def _wait_s(arguments: Arguments) -> float | None:
    if arguments.nonblock:
        return 0.0
    if arguments.timeout is None:
        return None
    try:
        return max(parse_duration(arguments.timeout, bare_integer_seconds=True), 0.0)
    except DurationError as error:
        raise UsageError(f"cannot wait for {arguments.timeout!r}: {error}") from error


def _lock(configuration: Configuration, name: str) -> Lock:
    stop_s = _stop_s(configuration)
    needed_s = _PARTS * (stop_s + _MARGIN_S)
    for one in configuration.locks:
        if one.name == name:
            if one.ttl_s < needed_s:
                raise ConfigError(
                    f"cannot use the lock {name}: its ttl of {one.ttl_s:g} s is too short to end a command in time; "
                    f"with a stopTimeout of {stop_s:g} s it needs {needed_s:g} s: raise the ttl, or lower stopTimeout"
                )
            return one
    able = [catalog for catalog, plugin in configuration.catalogs if "locks" in plugin.capabilities]
    if len(able) != 1:
        which = "no catalog keeps locks" if not able else f"{' and '.join(able)} can both keep it"
        raise ConfigError(f"cannot acquire the lock {name}: {which}; say which in locks: [{{ name, ttl, catalog }}]")
    return Lock(name, max(TTL_S, needed_s), able[0])


def _stop_s(configuration: Configuration) -> float:
    """Seconds from SIGTERM to SIGKILL for a command whose lock is lost: the configuration's, as for jobs."""
    return max(configuration.stop_timeout_s, 0.0)


class _Holder:
    """The process below the guard: keeps the lock, and the command's process group."""

    def __init__(
        self,
        arguments: Arguments,
        plugin: PluginReference,
        lock: Lock,
        channel: guard.Channel,
        *,
        wait_s: float | None,
        stop_s: float,
    ) -> None:
        self._program = arguments.program
        self._environment = arguments.environment
        self._plugin, self._lock, self._channel, self._wait_s, self._stop_s = plugin, lock, channel, wait_s, stop_s
        self._signal = 0
        self._pid = 0
        self._lost = False
        self._guard_lost = False
        self._asked_to_end: set[int] = set()
        self._status: int | None = None

    def run(self) -> int:
        import gevent
        from gevent.event import Event

        from corepilot.discovery.connection import Connection
        from corepilot.discovery.guarded_calls import CALL_S
        from corepilot.discovery.lock_keeper import LockKeeper
        from corepilot.system.process import Reaper, SpawnError, spawn

        loop: Any = gevent.get_hub().loop
        self._news = Event()
        watchers = [loop.signal(number, ref=False) for number in _FORWARDED]
        for number, watcher in zip(_FORWARDED, watchers, strict=True):
            watcher.start(self._asked, number)
        self._line = loop.io(self._channel.fileno(), 1, ref=False)
        self._line.start(self._look_at_guard)
        reaper = Reaper(loop)
        self._channel.listening()
        self._channel.ready(self._stop_s)
        kernel.unblock_signals()
        backend = Opener(self._environment).open(self._plugin)
        locks = backend.locks
        assert locks is not None  # noqa: S101  - it is declared, and looked at when the backend is made
        holder = f"{os.uname().nodename}/{os.getpid()}"
        keeper = self._keeper = LockKeeper(
            self._lock, locks, holder=holder, tell=self._told, connection=Connection(CALL_S), log=self._log
        )
        keeper.use(wanted=True, busy=False, stop_s=self._stop_s)
        try:
            if not self._had():
                return 128 + self._signal if self._signal else NOT_HAD
            grant = keeper.grant
            token = {"COREPILOT_LOCK_TOKEN": str(grant.token)} if grant is not None else {}
            try:
                self._pid = spawn(self._program, {**self._environment, **token}, reaper, self._ended, stdin=0)
            except SpawnError as error:
                _complain(str(error))
                return error.status
            keeper.use(wanted=True, busy=True, stop_s=self._stop_s)
            self._announce()
            self._wait_for_end()
            return NOT_HAD if self._lost else self._status or 0
        finally:
            self._pid = 0
            self._announce()
            keeper.use(wanted=False, busy=False, stop_s=self._stop_s)
            keeper.give_back()
            backend.close()

    def _had(self) -> bool:
        """Wait for the lock; with no time to wait for one answer of the catalog.

        Raises:
            BackendRefusedError: the catalog will not keep such a lock for us, however long we wait.
        """
        deadline = None if self._wait_s is None else time.monotonic() + self._wait_s
        while not self._signal and self._keeper.grant is None:
            self._news.clear()
            if self._keeper.refused is not None:
                raise self._keeper.refused
            answered = self._keeper.asked or bool(self._keeper.last_error)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0 and (answered or self._wait_s):
                return False
            self._news.wait(0.05 if left is not None and left <= 0 else left)
        return self._keeper.grant is not None

    def _wait_for_end(self) -> None:
        """Until the command has ended, and all that it has started, in whatever session: then the lock is free."""
        kill_at: float | None = None
        while self._status is None or self._left():
            self._news.clear()
            if self._lost or self._guard_lost or self._status is not None:
                if kill_at is None:
                    kill_at = time.monotonic() + self._stop_s
                self._end_left(force=time.monotonic() >= kill_at)
            self._news.wait(0.02 if kill_at is not None else None)

    def _left(self) -> set[int]:
        """The command's processes: we are a child subreaper, so all of them are below us."""
        return descendants(os.getpid())

    def _end_left(self, *, force: bool) -> None:
        """Ask everything to end, once, or kill it.

        Later only orphans are asked: what a process runs in order to end is left to it.
        """
        left = self._left()
        asked = left & children() if self._asked_to_end else left
        for pid in left if force else asked - self._asked_to_end:
            with suppress(ProcessLookupError, PermissionError):  # it has ended, or is not ours to signal
                os.kill(pid, signal.SIGKILL if force else signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)
        self._asked_to_end |= left

    def _told(self, what: str) -> None:
        if what == "lost" and self._pid:
            self._lost = True
        self._announce()
        self._news.set()

    def _announce(self) -> None:
        groups = {self._pid, *map(group_of, self._left())} - {0, os.getpgrp()} if self._pid else set()
        self._channel.locked(0, self._keeper.until, sorted(groups))

    def _log(self, level: str, message: str) -> None:
        self._news.set()
        if level in {"warning", "error"} and self._keeper.refused is None:  # a refusal ends the command, which says it
            _complain(message)

    def _asked(self, number: int) -> None:
        """A signal: it is the command's, and without one it ends the wait."""
        self._signal = number
        if self._pid:
            self._send(number)
        if number in {signal.SIGTERM, signal.SIGINT}:
            # The command ends as it likes, as under flock: the guard waits with us.
            self._channel.stopping(_FOR_EVER_S, 128 + number)
        self._news.set()

    def _look_at_guard(self) -> None:
        """The line to the guard has become readable: it has died, and whoever called us believes that we have, too.

        The kernel sends SIGTERM then, which alone would leave the command all the time that it likes.
        """
        if self._channel.guard_lost() and not self._guard_lost:
            self._line.stop()
            self._guard_lost = True
            self._signal = self._signal or signal.SIGTERM
            self._news.set()
            if self._pid:
                _complain(f"the guard has died: the command is ended within {self._stop_s:g} s")

    def _ended(self, status: int) -> None:
        self._status = status
        self._news.set()

    def _send(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it has ended, or is not ours to signal
            os.killpg(self._pid, number)
            if number == signal.SIGTERM:
                os.killpg(self._pid, signal.SIGCONT)


_FOR_EVER_S = 365 * 86400.0


def _complain(message: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads any more; the command is ended all the same
        sys.stderr.write(f"corepilot: {escaped(message)}\n")
        sys.stderr.flush()
