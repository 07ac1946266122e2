"""When a change is told that others may follow: once it has been quiet, but not for ever. Pure."""

LATEST = 5
"""A change is told at the latest after so many times the quiet that is waited for."""


class Debounce:
    """One thing that changes. All moments are seconds of one clock that never goes back.

    Args:
        quiet_s: Seconds without a change until the last one is told; 0: at once.

    Attributes:
        quiet_s: The same; may be changed.
    """

    def __init__(self, quiet_s: float) -> None:
        self.quiet_s = quiet_s
        self._first_at: float | None = None
        self._last_at = 0.0

    @property
    def pending(self) -> bool:
        """Whether there is a change that has not been told."""
        return self._first_at is not None

    def changed(self, now: float) -> None:
        """There is another change."""
        self._last_at = now
        if self._first_at is None:
            self._first_at = now

    def due_s(self, now: float) -> float:
        """Seconds until the change is to be told; 0 when it is, or when there is none."""
        if self._first_at is None:
            return 0.0
        due_at = min(self._last_at + self.quiet_s, self._first_at + LATEST * self.quiet_s)
        return max(0.0, due_at - now)

    def told(self) -> None:
        """It was told, or there is nothing to tell any more."""
        self._first_at = None
