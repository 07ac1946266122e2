"""The promises of locks: that nothing of what runs under one is left when it ends, whatever becomes of the supervisor.

A supervisor that works keeps them by itself. The guard keeps those of one that hangs, and of one that has died: there
what runs under a lock has less time to end than the other processes.
"""

from __future__ import annotations

from corepilot.guard.tree import send
from corepilot.system.kernel import signal

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

_NEVER = float("inf")


class Promises:
    """The promises of all locks.

    Args:
        locked: What the supervisor has announced, and goes on to change: of each lock, the end of its promise on the
            monotonic clock, and its process groups.
    """

    def __init__(self, locked: dict[int, tuple[float, list[int]]]) -> None:
        self._locked = locked
        self._broken: dict[int, float] = {}

    def due(self) -> float:
        """Return when the first of them ends, on the monotonic clock; infinity without any."""
        if self._locked:
            import corepilot.guard.under_lock  # noqa: F401  - loaded while it can be; later its file may be gone
        return min([until for until, _ in self._locked.values()], default=_NEVER)

    def end(self, now: float) -> list[int]:
        """Kill what runs under locks whose promises have ended while the supervisor is there, which then hangs.

        Returns:
            Of each that has not been returned before, how many process groups were announced.
        """
        killed = []
        for slot, (until, groups) in tuple(self._locked.items()):
            if until > now:
                continue
            from corepilot.guard.under_lock import UnderLock

            del self._locked[slot]
            for group in groups:
                send(-group, signal.SIGKILL)  # the supervisor's children, or its orphans: the number is theirs
            UnderLock(until, groups).kill()
            if until != self._broken.get(slot):  # what it has said before it hung is heard again when it goes on
                self._broken[slot] = until
                killed.append(len(groups))
        return killed

    def follow(self) -> Callable[[float], float] | None:
        """Keep the promises of a supervisor that has died; see `end_tree`, `sooner`. None where there are none."""
        if not self._locked:
            return None
        from corepilot.guard.under_lock import UnderLock

        kept = [UnderLock(until, groups) for until, groups in self._locked.values()]

        def look(now: float) -> float:
            for promise in kept:
                if promise.until <= now:
                    promise.kill()
                else:
                    promise.look()
            return min([promise.until for promise in kept if promise.until > now], default=_NEVER)

        return look
