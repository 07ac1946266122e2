"""A stream that blocks, followed in a native thread of its own; a greenlet takes what is newest.

Between the two is one place: what is newer takes the place of what nobody has fetched, as every watch may leave out
what did not last. So neither a hub that is slow nor a store that is fast makes anything grow.
"""

from _thread import allocate_lock
from collections.abc import Callable, Iterator
from typing import Any

from gevent.event import Event

from corepilot.discovery.native_calls import Stuck
from corepilot.discovery.wakeup import Wakeup
from corepilot.errors import BackendUnavailableError
from corepilot.system.native_thread import start_native_thread

_NOTHING = object()


class NativeStream:
    """One stream, which begins when it is first asked for something.

    Args:
        make: Makes the plugin's generator; called in the thread, like all its methods.
        wakeup: Tells the hub that there is something.
        stuck: Where a thread counts that has not ended when its stream was closed, until it does.
    """

    def __init__(self, make: Callable[[], Iterator[Any]], wakeup: Wakeup, stuck: Stuck) -> None:
        self._make, self._wakeup, self._stuck = make, wakeup, stuck
        self._lock = allocate_lock()  # held for microseconds
        self._newest: Any = _NOTHING
        self._error: BaseException | None = None
        self._started = self._ended = self._closed = False
        self._news = Event()

    def follow(self) -> Iterator[Any]:
        """What the stream yields, without what was replaced before it was fetched, and without repetitions.

        Raises:
            BackendUnavailableError: the client was closed, or there is no thread for it.
            ThreadsStuckError: too many have not ended.
            BaseException: what the plugin's generator raised.
        """
        try:
            self._start()
            while True:
                self._news.wait()
                self._news.clear()
                found, error, ended = self._take()
                if found is not _NOTHING:
                    yield found
                    if ended:
                        self._news.set()
                elif error is not None:
                    raise error
                elif ended:
                    return
        finally:
            self.close()

    def close(self, error: BaseException | None = None) -> None:
        """Follow it no more: the thread ends when the plugin's generator has yielded or raised. Does not wait.

        Args:
            error: For whoever waits in it.
        """
        with self._lock:
            if self._closed or self._ended:
                return
            self._closed = self._ended = True
            self._error, self._newest = error, _NOTHING
            if self._started:
                self._stuck.add(self)
        self._news.set()

    def _start(self) -> None:
        self._stuck.require_few()
        self._wakeup.open()
        with self._lock:
            if self._closed:
                return
            self._started = True
        try:
            start_native_thread(self._work)
        except RuntimeError:
            with self._lock:
                self._started = False
            raise BackendUnavailableError(
                "cannot watch: no native thread can be started for this catalog's client, which blocks"
            ) from None

    def _take(self) -> tuple[Any, BaseException | None, bool]:
        with self._lock:
            found, self._newest = self._newest, _NOTHING
            return found, self._error, self._ended

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            self._pass_on()
        except BaseException as raised:  # noqa: BLE001  - whatever it is, it is raised where the stream is followed
            error = raised
        with self._lock:
            if self._closed:
                self._stuck.discard(self)
                return
            self._ended, self._error = True, error
        self._wakeup.post(self._news.set)

    def _pass_on(self) -> None:
        stream = self._make()
        if not hasattr(stream, "__next__"):
            raise TypeError(f"watch must return a generator, and returned {stream!r:.80}")
        try:
            last: Any = _NOTHING
            for told in stream:
                found = tuple(told) if isinstance(told, list) else told  # it may be the plugin's own, which changes it
                with self._lock:
                    if self._closed:
                        return
                    if found == last:
                        continue
                    waits = self._newest is not _NOTHING
                    last = self._newest = found
                if not waits:
                    self._wakeup.post(self._news.set)
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()
