"""Log lines about trouble that goes on: one at once, then at most two a minute with a count, and one when it ends."""

import time
from collections.abc import Callable

_MOST_CAUSES = 256


class _Trouble:
    __slots__ = ("kept_back", "logged_at", "message", "times")

    def __init__(self, logged_at: float) -> None:
        self.logged_at = logged_at
        self.times = 0
        self.kept_back = 0
        self.message = ""


class Repeat:
    """Keeps one fault from filling the log.

    Nothing is written later than it is asked for: there is no timer. Lines that were kept back are counted in the next
    one that is let through.

    Args:
        log: Takes a level and a message.
        every_s: Seconds between two lines of one cause. At the default 30 it is two a minute.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, log: Callable[[str, str], None], *, every_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._every_s = every_s
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def failed(self, cause: str, message: str, level: str = "warning") -> None:
        """Say that something went wrong, unless it has been said lately.

        Args:
            cause: What counts as the same trouble. At most 256 are told apart; the oldest one is forgotten.
            message: The line, for the case that it is written.
            level: Its level.
        """
        now = self._clock()
        trouble = self._troubles.get(cause)
        if trouble is None:
            if len(self._troubles) >= _MOST_CAUSES:
                del self._troubles[next(iter(self._troubles))]
            trouble = self._troubles[cause] = _Trouble(now)
        elif now - trouble.logged_at < self._every_s:
            trouble.times += 1
            trouble.kept_back += 1
            return
        trouble.times += 1
        trouble.logged_at = now
        kept_back, trouble.kept_back = trouble.kept_back, 0
        self._log(level, f"{message} ({kept_back} more like this)" if kept_back else message)

    def once(self, cause: str, message: str, level: str = "warning") -> None:
        """Say something the first time only, until `recovered`."""
        if cause not in self._troubles:
            self.failed(cause, message, level)

    def recovered(self, cause: str, message: str, level: str = "info") -> None:
        """Say that it is over, if it ever began; how often it failed is added."""
        trouble = self._troubles.pop(cause, None)
        if trouble is not None:
            times = "once" if trouble.times == 1 else f"{trouble.times} times"
            self._log(level, f"{message} (had failed {times})")

    def forget(self, cause: str) -> None:
        """Begin anew with a cause, without a word."""
        self._troubles.pop(cause, None)
