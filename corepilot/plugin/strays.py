"""What plugins' code raises outside of any call: in a greenlet, a timer or a thread of its own, or in a finalizer.

gevent and Python would print a traceback, with whatever secret its text holds and without a plugin's name, and gevent
would have `SystemExit` end corepilot. Here it is a fault of the plugin whose file the traceback shows. Tracebacks
of ours are one line of the log, a bug.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import gevent
from gevent.exceptions import HubDestroyed

from corepilot.plugin.foreign import class_name, traceback_of
from corepilot.plugin.stalls import PluginStalledError, is_foreign, is_ours, within
from corepilot.wording.failures import one_line_traceback

if TYPE_CHECKING:
    from types import FrameType

    from corepilot.plugin.boundary import Boundary


class Strays:
    """Takes the place of gevent's and Python's handlers of last resort, between `start` and `stop`.

    Args:
        boundaries: Of every plugin instance in use; it changes.
        log: Takes a level and a message.
        note: Told what runs in the hub's thread; see `Boundary`.
    """

    def __init__(
        self, boundaries: Sequence[Boundary], log: Callable[[str, str], None], note: Callable[[str], None]
    ) -> None:
        self._boundaries, self._log, self._note = boundaries, log, note
        self._hub: Any = gevent.get_hub()
        self._before: tuple[Any, Any] | None = None

    def start(self) -> None:
        """Begin. Idempotent, and puts back what a plugin has taken away."""
        if self._before is None:
            self._before = self._hub.handle_error, sys.unraisablehook
        self._hub.handle_error = self._failed
        sys.unraisablehook = self._unraisable
        threading: Any = sys.modules.get("threading")
        if threading is not None:
            threading.excepthook = self._thread_failed

    def stop(self) -> None:
        """End. Idempotent."""
        if self._before is not None:
            del self._hub.handle_error
            sys.unraisablehook = self._before[1]
            threading: Any = sys.modules.get("threading")
            if threading is not None:
                threading.excepthook = threading.__excepthook__
            self._before = None

    def accuse(self, frame: FrameType | None) -> None:
        """Note whose code is about to be interrupted, in case that nothing comes of it."""
        while frame is not None:
            owner = self._owner(frame.f_code.co_filename)
            if owner is not None:
                self._note(f"{owner.title}, {frame.f_code.co_name}")
                return
            frame = frame.f_back

    def _failed(self, context: Any, kind: Any, error: Any, trace: Any) -> None:
        """See `gevent.hub.Hub.handle_error`."""
        if context is None or kind is HubDestroyed or not isinstance(error, BaseException):
            if self._before is not None:
                self._before[0](context, kind, error, trace)
        elif not isinstance(error, gevent.GreenletExit):
            what = "a greenlet" if isinstance(context, gevent.Greenlet) else "a callback"
            self._take(f"{what} of its own", error)

    def _unraisable(self, unraised: Any) -> None:
        """See `sys.unraisablehook`. The log is not for here: a finalizer runs anywhere, within the log too."""
        if unraised.exc_value is not None and _files(unraised.exc_value):
            self._hub.loop.run_callback_threadsafe(self._take, "a finalizer", unraised.exc_value)
        elif self._before is not None:
            self._before[1](unraised)

    def _thread_failed(self, failed: Any) -> None:
        """See `threading.excepthook`. Called in the thread."""
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            self._hub.loop.run_callback_threadsafe(self._take, "a thread of its own", failed.exc_value)

    def _take(self, what: str, error: BaseException) -> None:
        files = _files(error)
        owner = next((found for found in map(self._owner, files) if found is not None), None)
        stalled = isinstance(error, PluginStalledError)
        foreign = stalled or any(map(is_foreign, files)) or not any(map(is_ours, files))
        if owner is None and foreign and len(self._boundaries) == 1:
            owner = self._boundaries[0]
        if owner is not None:
            self._note("")
            owner.strayed(what, error, stalled=stalled)
        elif stalled:
            self._log("error", f"{what} held the event loop up, and was interrupted; in use: {self._titles()}")
        else:
            whose = f"a plugin (in use: {self._titles()})" if foreign else "corepilot"
            self._log("error", f"a bug in {whose}: {what} failed: {self._masked(_told(error))}")

    def _owner(self, path: str) -> Boundary | None:
        return next((one for one in self._boundaries if one.owns(path)), None)

    def _titles(self) -> str:
        return ", ".join([one.title for one in self._boundaries])

    def _masked(self, text: str) -> str:
        for one in self._boundaries:
            text = one.masked(text)
        return text


def _files(error: BaseException) -> list[str]:
    """The files that an exception came through, the innermost first."""
    files: list[str] = []
    trace = traceback_of(error)
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return files[::-1]


def _told(error: BaseException) -> str:
    try:
        return within(one_line_traceback, error)
    except BaseException:  # noqa: BLE001  - its own methods
        return class_name(type(error))
