"""How long to wait before the next try: longer each time, never longer than a bound, never the same for two of us."""

import os
from collections.abc import Callable

FIRST_S = 0.5
MOST_S = 15.0


def chance() -> float:
    """A random number in [0, 1). `random` would load OpenSSL for its seed."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Backoff:
    """Pauses that double, each shortened by a random part of at most half, so that many do not try in step.

    The n-th pause is between half and all of min(first_s * 2^(n-1), most_s).

    Args:
        first_s: The first pause, in seconds, before it is shortened.
        most_s: No pause is longer.
        random: Gives a number in [0, 1).

    Attributes:
        most_s: The same; may be changed.
    """

    def __init__(self, first_s: float = FIRST_S, most_s: float = MOST_S, random: Callable[[], float] = chance) -> None:
        self._first_s = first_s
        self.most_s = most_s
        self._random = random
        self._whole_s = first_s

    def next_s(self) -> float:
        """The next pause, in seconds."""
        whole = self._whole_s
        self._whole_s = min(2 * whole, self.most_s)
        return whole * (1.0 - self._random() / 2)

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._whole_s = self._first_s
