"""A reload that somebody has asked for: how much of it, and what becomes of it."""

from typing import Literal

from gevent.event import AsyncResult

from corepilot.errors import CorepilotError
from corepilot.supervisor.difference import Difference

Mode = Literal["changed", "all", "everything"]
STRENGTH: dict[Mode, int] = {"changed": 0, "all": 1, "everything": 2}
"""Of several that wait the strongest is carried out."""


class Reload:
    """One of them, and its results.

    Attributes:
        mode: "changed": only what is configured otherwise. "all": every job is restarted. "everything": everything
            begins anew, as ContainerPilot's reload.
        judged: The report, "" if the configuration was accepted; set after prepare, before commit.
        done: Set with the difference when everything has been stopped and begun; with None if it was refused.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode
        self.judged: AsyncResult[str | CorepilotError] = AsyncResult()
        self.done: AsyncResult[Difference | CorepilotError | None] = AsyncResult()

    def fail(self, error: CorepilotError) -> None:
        """It cannot be carried out."""
        # As a value: an AsyncResult's exception carries a copy of its traceback, which takes imports to make.
        if not self.judged.ready():
            self.judged.set(error)
        if not self.done.ready():
            self.done.set(error)

    def await_judged(self) -> str:
        """Wait for the report; "" if the configuration was accepted. Switches greenlets.

        Raises:
            CorepilotError: the reload could not be carried out.
        """
        found = self.judged.get() or ""
        if isinstance(found, CorepilotError):
            raise found
        return found

    def await_done(self) -> Difference | None:
        """Wait until everything has been stopped and begun; None if the reload was refused. Switches greenlets.

        Raises:
            CorepilotError: the reload could not be carried out.
        """
        found = self.done.get()
        if isinstance(found, CorepilotError):
            raise found
        return found
