"""Pipes of runs that have ended, whose daemons still write."""

from corepilot.output.pipe import OutputPipe

HELD_MAX = 8
"""How many ended runs of a job may have left processes behind whose output is still read."""


class HeldPipes:
    """The pipes of the last `HELD_MAX` ended runs of one job; they are read until they are closed."""

    def __init__(self) -> None:
        self._pipes: list[OutputPipe] = []

    def hold(self, pipe: OutputPipe) -> None:
        """Go on reading a pipe; the oldest is closed when there are too many."""
        self._pipes = [one for one in self._pipes if one.open]
        self._pipes.append(pipe)
        if len(self._pipes) > HELD_MAX:
            self._pipes.pop(0).close()

    def close(self) -> None:
        """Close all. Idempotent."""
        while self._pipes:
            self._pipes.pop().close()
