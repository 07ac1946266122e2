"""The handlers of the signals that ask for a stop, put back at once where a plugin has taken one.

A signal that is ignored when it comes is gone. The look at the footprint every ten seconds would be too late where a
plugin ignores it again with every call; so these are looked at after each call, and at the end of each turn of the
event loop for what plugins do by themselves. Between the two lines of a plugin that takes a handler and returns, a
signal can still be lost: nothing but the kernel knows of it.
"""

from corepilot.system.kernel import signal

_STOPPING = (("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT))


class StopHandlers:
    """The handlers as they are now, to be kept. For the main thread, as all that Python knows of signals."""

    def __init__(self) -> None:
        self._kept = tuple([(name, number, signal.getsignal(number)) for name, number in _STOPPING])

    def put_back(self) -> str:
        """Put back what has been changed, and say what it was: "the handler of SIGTERM"; "" where nothing was.

        About 0.2 µs where nothing was.
        """
        changed = ""
        for name, number, handler in self._kept:
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
                changed = f"{changed} and {name}" if changed else f"the handler of {name}"
        return changed
