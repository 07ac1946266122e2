"""What a watch knows of one lock: who holds it, and until when."""

import os
from collections.abc import Callable, Mapping

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.lock_file import LockState, file_name, inspect, tokens
from corepilot.discovery.embedded.names import directory_name

_AGAIN_S = (0.002, 0.008, 0.032, 0.128, 0.512, 2.0)


class LockView:
    """The holder of one lock. The methods are `View`'s.

    Args:
        directory: Where the locks' files are.
        lock: Its name.
        clock: Now.
        ignore: Told of a file that cannot be read: its path, and why.

    Attributes:
        files: How many have to be looked at.
    """

    def __init__(self, directory: str, lock: str, clock: BootClock, ignore: Callable[[str, str], None]) -> None:
        self.files = 1
        self._directory, self._lock, self._clock, self._ignore = directory, lock, clock, ignore
        self._prefix = f"{directory_name(lock)}~"
        self._complete = False
        self._holders: tuple[str, ...] = ()
        self._name = ""
        self._lapses_at: float | None = None
        self._again: tuple[float, int] | None = None

    @property
    def unclear(self) -> frozenset[str]:
        """The name of the file that has to be looked at again, because its holder was writing, or dying."""
        return frozenset() if self._again is None else frozenset((self._name,))

    def read_all(self, *, locks: bool = True) -> set[str]:
        """Look at the file with the highest token.

        Raises:
            OSError: the directory cannot be read; or, the first time, the file.
        """
        del locks  # it is one file
        changed = self._look(0)
        self._complete = True
        # That a stamp has lapsed is nothing that somebody would have announced.
        return {self._name} if changed and self._holders else set()

    def read(self, names: Mapping[str, int], closed: int) -> None:
        """Look at it if something has happened to a file of this lock."""
        events = [mask for name, mask in names.items() if name.startswith(self._prefix)]
        if events:
            self._look(0)
            if self._holders and self._again is None and any(mask & closed for mask in events):
                # The kernel tells of the close just before it releases the lock: look again when it has. It matters
                # for a holder with another boot id, whose stamp counts only while it has the file.
                self._look_later(0)

    def read_unclear(self) -> None:
        """Look again when that is due, or when the holder's stamp lapses."""
        now = self._clock()
        again, before = self._again, self._holders
        if again is not None and again[0] <= now:
            self._look(again[1] + 1)
            if not self.unclear and before and before == self._holders:
                self._look_later(again[1] + 1)
        elif self._lapses_at is not None and self._lapses_at <= now:
            self._look(0)

    def next_inspection_s(self) -> float | None:
        """Seconds until that; None for never."""
        moments = [] if self._again is None else [self._again[0]]
        if self._lapses_at is not None:
            moments.append(self._lapses_at)
        return max(0.0, min(moments) - self._clock()) if moments else None

    def snapshot(self) -> tuple[str, ...]:
        """The holder; empty while the lock is free."""
        return self._holders

    def _look(self, attempt: int) -> bool:
        """Look at the file that counts; returns whether somebody else is shown now."""
        now = self._clock()
        try:
            last = max(tokens(self._directory, self._lock, self._ignore), default=0)
            self._name = file_name(self._lock, last)
            found = inspect(os.path.join(self._directory, self._name), self._clock) if last else None
        except FileNotFoundError:  # the next holder has removed it meanwhile; or the stream finds out that all is gone
            return self._keep(min(attempt, len(_AGAIN_S) - 1), now)
        except OSError as error:
            if not self._complete:
                raise
            self._ignore(self._directory, f"{error.strerror}; keeping what is known of the lock {self._lock}")
            return self._keep(len(_AGAIN_S) - 1, now)
        if found is not None and found.state is LockState.UNCLEAR:
            return self._keep(min(attempt, len(_AGAIN_S) - 1), now)
        self._again = None
        record = None if found is None else found.record
        holders = () if record is None else (record.holder,)
        self._lapses_at = None if record is None else record.until
        changed, self._holders = holders != self._holders, holders
        return changed

    def _keep(self, attempt: int, now: float) -> bool:
        """What is known stays until it lapses."""
        self._look_later(attempt)
        if self._lapses_at is None or now < self._lapses_at:
            return False
        self._lapses_at, self._holders = None, ()
        return True

    def _look_later(self, attempt: int) -> None:
        self._again = (self._clock() + _AGAIN_S[attempt], attempt) if attempt < len(_AGAIN_S) else None
