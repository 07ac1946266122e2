"""Whether a catalog that answers says anything but no: a wrong password, say, is refused at every call. Pure."""

_SAME = {"report": "register", "deregister": "register"}
"""Calls that need the same permission as another one, which is made once only."""

_SERVED = frozenset({"ok", "unknown", "lost"})


class Answers:
    """The last answer to each kind of call; a call that was not answered changes nothing."""

    def __init__(self) -> None:
        self._served: dict[str, bool] = {}

    def take(self, operation: str, result: str) -> None:
        """A call has come back: its name, and its result as in `corepilot.discovery.guarded_calls`."""
        if result in _SERVED or result == "refused":
            self._served[_SAME.get(operation, operation)] = result in _SERVED

    @property
    def refused(self) -> bool:
        """Whether the last answer to every kind of call was a refusal. False before the first answer."""
        return bool(self._served) and not any(self._served.values())
