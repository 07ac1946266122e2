"""How a run shows that it is ready: the base of what `corepilot.jobs.announced` has, and all that most jobs need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corepilot.output.pipe import OutputPipe


class Shown:
    """How one run shows that it is ready. This one shows nothing.

    Attributes:
        environment: Variables that the run finds.
        descriptors: What the run is to find under numbers of its own: our descriptor for each.
    """

    environment: Mapping[str, str] = {}
    descriptors: Mapping[int, int] = {}

    def begin(self, pid: int, pipes: Sequence[OutputPipe]) -> None:
        """The run has been started."""

    def close(self) -> None:
        """The run has ended, or could not be started. Idempotent."""


NOTHING = Shown()
