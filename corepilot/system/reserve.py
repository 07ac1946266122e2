"""Descriptors in reserve, for what must work when a process is out of them: control connections, the log, the stop."""

import errno
import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class DescriptorReserve:
    """Some open descriptors that stand for nothing, to be given up when there are no others.

    EMFILE is about this process. ENFILE is about the whole machine, where others may take what is given up here.

    Args:
        count: How many to hold, 1 or more.
        short: Called when `refill` has failed: to have it called again after a while.
    """

    def __init__(self, count: int, short: Callable[[], object] = lambda: None) -> None:
        self._count, self._short = count, short
        self._held: list[int] = []
        self.refill()

    @property
    def held(self) -> int:
        """How many are in reserve now."""
        return len(self._held)

    def refill(self) -> bool:
        """Take as many as are missing; whether the reserve is full. To be called now and then after a release."""
        while len(self._held) < self._count:
            try:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                self._short()
                return False
        return True

    def release(self, count: int | None = None) -> int:
        """Give up some descriptors, or all; returns how many were given up. They come back with `refill` only."""
        given = len(self._held) if count is None else min(count, len(self._held))
        for _ in range(given):
            os.close(self._held.pop())
        return given

    def use(self, action: Callable[[], T], count: int = 1) -> T:
        """Do something that opens descriptors; where there are none left, do it again with some of the reserve.

        Args:
            action: What to do. When it has failed for want of descriptors it must have left nothing open.
            count: How many it opens.

        Raises:
            OSError: what the action raises; for want of descriptors only if the reserve did not suffice either.
        """
        try:
            return action()
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS or not self.release(count):
                raise
        try:
            return action()
        except OSError:
            self.refill()
            raise

    def close(self) -> None:
        """Give up all. Idempotent."""
        self.release()
