"""Watches over all plugins of this process: one boundary for each instance, the beat, and the footprint.

The footprint is looked at every ten seconds, once there is a plugin: signal handlers, working directory and umask that
somebody has changed are put back at once, because the stop depends on them, and the plugins in use are named. The
handlers of the signals that ask for a stop are looked at at the end of every turn: a signal that is ignored is lost.
"""

import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from corepilot.output.repeat import Repeat
from corepilot.plugin.beat import Beat
from corepilot.system.process import LOST
from corepilot.wording.counting import counted

if TYPE_CHECKING:
    from types import FrameType

    from corepilot.plugin.boundary import Boundary
    from corepilot.plugin.footprint import Footprint
    from corepilot.plugin.manager import Loaded
    from corepilot.plugin.stop_handlers import StopHandlers
    from corepilot.plugin.strays import Strays

LOOK_S = 10.0
"""Seconds between two looks at the footprint."""

STOPPING_LOOK_S = 0.5
"""The same during a stop, which waits for processes to end."""


class Collector(Protocol):
    """Who collects exited processes; see `corepilot.system.process.Reaper`."""

    def catch_again(self) -> None:
        """Have the handler of SIGCHLD back."""

    def find_lost(self) -> int:
        """Find children that somebody else has collected."""


class Oversight:
    """One for the process.

    Args:
        loop: gevent's.
        log: Takes a level and a message.
        lines: Takes a level and messages that belong together.
        note: Told what runs in the hub's thread; see `Boundary`.
        working: Told when the loop works; see `Beat`.
        turned: Told how long each of its turns took.
        reaper: Who collects exited processes.

    Attributes:
        boundaries: Of every plugin instance in use.
    """

    def __init__(
        self,
        loop: Any,
        log: Callable[[str, str], None],
        lines: Callable[[str, list[str]], None],
        *,
        note: Callable[[str], None],
        working: Callable[[float], None],
        turned: Callable[[float], None],
        reaper: Collector | None = None,
    ) -> None:
        self._reaper = reaper
        self._loop, self._log, self._lines, self._note = loop, log, lines, note
        self.boundaries: list[Boundary] = []
        self._timer: Any = None
        self._footprint: Footprint | None = None
        self._threads: set[str] = set()
        self._past: Counter[tuple[str, ...]] = Counter()
        self._strays: Strays | None = None
        self._stop_handlers: StopHandlers | None = None
        self._told_turned = turned
        self._repeats = Repeat(log)
        self._beat = Beat(
            loop, working=working, stalled=self._stalled, turned=self._turned, interrupting=self._interrupting
        )

    def start(self) -> None:
        """Watch the event loop from now on."""
        self._beat.start()

    def hurry(self) -> None:
        """A stop has begun: nothing may hold the event loop up for long any more."""
        self._beat.hurry()

    def in_use(self) -> str:
        """Who may have done something that is nobody's call: "In use: observer 'audit' (corepilot-audit 1.2)"."""
        return f"In use: {', '.join([one.title for one in self.boundaries]) or 'no plugin any more'}"

    def look_often(self) -> None:
        """A stop has begun: what is lost now is waited for."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._look_every(STOPPING_LOOK_S)

    def stop(self) -> None:
        """End. Idempotent."""
        self._beat.stop()
        if self._strays is not None:
            self._strays.stop()
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def boundary(self, loaded: "Loaded") -> "Boundary":
        """The boundary of a new instance. Give it back with `release`."""
        from corepilot.plugin.boundary import Boundary
        from corepilot.plugin.footprint import Footprint
        from corepilot.plugin.stop_handlers import StopHandlers
        from corepilot.plugin.strays import Strays

        if self._stop_handlers is None:
            self._stop_handlers = StopHandlers()
        made = Boundary(
            loaded,
            lambda level, message: self._log(level, f"{loaded.name}: {message}"),
            self._note,
            self._stop_handlers.put_back,
        )
        self.boundaries.append(made)
        if self._strays is None:
            self._strays = Strays(self.boundaries, self._log, self._note)
            self._strays.start()
        if self._timer is None:
            self._footprint, self._threads = Footprint.take(), _foreign_threads()
            self._look_every(LOOK_S)
        return made

    def release(self, boundary: "Boundary") -> None:
        """An instance is not in use any more."""
        if boundary in self.boundaries:
            self.boundaries.remove(boundary)
            self._past[boundary.kind, boundary.plugin] += boundary.faults

    def signals_are_ours(self) -> None:
        """The signal handlers as they are now are corepilot's own, and no plugin's."""
        if self._footprint is not None:
            self._footprint = self._footprint.with_present_handlers()

    def faults(self) -> dict[tuple[str, ...], float]:
        """How many faults there were so far, by kind and name, of instances that are gone too."""
        found = Counter(self._past)
        for one in self.boundaries:
            found[one.kind, one.plugin] += one.faults
        return dict(found)

    def off(self) -> dict[tuple[str, ...], float]:
        """How many instances in use are switched off, by kind and name."""
        found: Counter[tuple[str, ...]] = Counter()
        for one in self.boundaries:
            found[one.kind, one.plugin] += bool(one.off)
        return dict(found)

    def _look_every(self, seconds: float) -> None:
        self._timer = self._loop.timer(seconds, seconds, ref=False)
        self._timer.start(self._look)

    def _look(self) -> None:
        before = self._footprint
        if before is None:
            return
        if self._strays is not None:
            self._strays.start()  # the module threading may have been imported meanwhile
        now = before.take()
        # Native threads are ours as well: the log's, the resolver's. Those of the module threading are not.
        changed = before.changes_to(now._replace(threads=before.threads))
        threads = _foreign_threads()
        if threads - self._threads:
            changed.append(f"the threads, by {', '.join(sorted(threads - self._threads))}")
        self._threads = threads
        lost = self._reaper.find_lost() if self._reaper is not None else 0
        if lost:
            self._log("error", f"somebody else has collected {counted(lost, 'process', 'processes')} of ours; "
                               f"the exit status is unknown and counts as {LOST}. {self.in_use()}")  # fmt: skip
        if not changed:
            return
        before.restore()
        if self._reaper is not None and before.reaps:
            self._reaper.catch_again()
        self._footprint = before.take()
        self._log("error", f"something changed {' and '.join(changed)}; signals, directory and umask are put back. "
                           f"{self.in_use()}")  # fmt: skip

    def _turned(self, seconds: float) -> None:
        if self._stop_handlers is not None:
            taken = self._stop_handlers.put_back()
            if taken:
                self._repeats.failed(
                    taken, f"something changed {taken} outside of any call; it is put back. {self.in_use()}", "error"
                )
        self._told_turned(seconds)

    def _interrupting(self, frame: "FrameType | None") -> None:
        if self._strays is not None:
            self._strays.accuse(frame)

    def _stalled(self, seconds: float, stack: list[str]) -> None:
        head = f"the event loop has not turned for {seconds:.1f} s, and nothing can be interrupted here:"
        self._lines("error", [head, *stack])


def _foreign_threads() -> set[str]:
    """Names of the threads that the module threading has started: corepilot starts none with it.

    A dummy stands for a thread that it has not started: one of ours, in which a blocking backend's client has asked for
    the current thread.
    """
    threading = sys.modules.get("threading")
    if threading is None:
        return set()
    ours = (type(threading.main_thread()), threading._DummyThread)  # noqa: SLF001  - it has no public name
    return {one.name for one in threading.enumerate() if not isinstance(one, ours)}
