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

    from corepilot.guard.channel import Promise

_NEVER = float("inf")


class Promises:
    """The promises of all locks.

    Args:
        locked: What the supervisor has announced, and goes on to change.
    """

    def __init__(self, locked: dict[int, Promise]) -> None:
        self._locked = locked
        self._broken: dict[int, float] = {}

    def due(self) -> float:
        """Return when the first of them ends, on the monotonic clock; infinity without any."""
        if self._locked:
            import corepilot.guard.under_lock  # noqa: F401  - loaded while it can be; later its file may be gone
        return min([promise.until for promise in self._locked.values()], default=_NEVER)

    def end(self, now: float) -> list[int]:
        """Kill what runs under locks whose promises have ended while the supervisor is there, which then hangs.

        Returns:
            Of each that has not been returned before, how many process groups were announced.
        """
        killed = []
        for slot, promise in tuple(self._locked.items()):
            if promise.until > now:
                continue
            from corepilot.guard.under_lock import UnderLock

            del self._locked[slot]
            below = UnderLock(promise)
            below.look()  # while it is alive: what is dead has no mark, and is nobody's parent
            for group in promise.groups:
                send(-group, signal.SIGKILL)  # the supervisor's children, or its orphans: the number is theirs
            below.kill()
            if promise.until != self._broken.get(slot):  # what was said before the hang is heard again after it
                self._broken[slot] = promise.until
                killed.append(len(promise.groups))
        return killed

    def follow(self) -> Callable[[float], float] | None:
        """Keep the promises of a supervisor that has died; see `end_tree`, `sooner`. None where there are none."""
        if not self._locked:
            return None
        from corepilot.guard.under_lock import UnderLock

        kept = [UnderLock(promise) for promise in self._locked.values()]

        def look(now: float) -> float:
            for promise in kept:
                if promise.until <= now:
                    promise.kill()
                else:
                    promise.look()
            return min([promise.until for promise in kept if promise.until > now], default=_NEVER)

        return look
