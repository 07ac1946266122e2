"""Closes what plugins have made: whatever it raises is no harm to the rest."""

from typing import Protocol

from corepilot.output.log import Log
from corepilot.wording.failures import one_line_traceback


class Closable(Protocol):
    """A backend, or a sink."""

    def close(self) -> None:
        """Release everything. By its contract it never raises."""


def let_go(made: Closable, log: Log) -> None:
    """Close it; an exception is logged."""
    try:
        made.close()
    except Exception as error:  # noqa: BLE001  - a plugin's own code, against its contract
        log("error", f"{type(made).__name__} could not be closed: {one_line_traceback(error)}")
