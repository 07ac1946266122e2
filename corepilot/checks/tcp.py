"""The check `tcp`: a connection is made, and closed at once."""

from typing import Any

from corepilot.checks.check import Check, CheckContext
from corepilot.checks.place import Place


class TcpCheck(Check):
    """A job is healthy when its port, or its unix socket, accepts a connection."""

    def __init__(self, options: Any, context: CheckContext) -> None:
        super().__init__(options, context)
        self._place = Place(options.address, context)

    def ask(self, deadline_s: float) -> str:
        """See Check."""
        self._place.touch(deadline_s)
        return f"connected to {self._place}"
