"""Calls that block, made in a few native threads, while the greenlets that want the answers let the hub turn.

A native thread cannot be interrupted. So a call that is not wanted any more, because its deadline has passed or its
greenlet was killed, is given up together with its thread: another thread takes that one's place, and it ends when the
call returns after all. Calls that do not return are counted, and beyond `STUCK_MAX` of them nothing is called any more
until some have returned: then the boundary counts faults, and switches the plugin off.

What was given up may still be carried out, and must not undo what is asked for afterwards. So while such a call is
under way, another one about the same subject (an instance, a key, a lock) waits for it, within its own deadline.

gevent's own pool is not used, because it takes a thread that hangs for one of its number for ever.
"""

import time
from _queue import SimpleQueue
from _thread import allocate_lock
from collections.abc import Callable
from typing import Any

from gevent.event import Event

from corepilot.discovery.backend import STREAM_BLOCK_S
from corepilot.discovery.wakeup import Wakeup
from corepilot.errors import BackendUnavailableError
from corepilot.plugin.stalls import entrance
from corepilot.system.native_thread import start_native_thread

THREADS = 4
"""Calls of one backend that are made at the same time, at most."""

STUCK_MAX = 8
"""Calls and streams of one backend that were given up and have not returned, at most."""

GRACE_S = 2 * STREAM_BLOCK_S
"""Seconds after which what was given up and has not returned counts: streams have to be given some, and a client whose
timeout ends just after the deadline is no trouble."""


class ThreadsStuckError(RuntimeError):
    """Too many calls have never returned. No `BackendError`: the plugin is at fault, not the catalog."""


class Stuck:
    """The native threads of one backend that were given up and have not returned. Asked and changed from any thread.

    Args:
        told: Told in the hub's thread how many there are, when there are more than ever before.
    """

    def __init__(self, told: Callable[[int], None] = lambda _count: None) -> None:
        self._lock = allocate_lock()  # held for microseconds
        self._due_at: dict[object, float] = {}
        self._told = told
        self._most = 0

    @property
    def count(self) -> int:
        """How many there are, those left out whose grace is not over."""
        now = time.monotonic()
        with self._lock:
            return sum(due_at <= now for due_at in self._due_at.values())

    def add(self, which: object) -> None:
        """One more was given up; it counts in `GRACE_S`. In the hub's thread."""
        with self._lock:
            self._due_at[which] = time.monotonic() + GRACE_S
        count = self.count
        if count > self._most:
            self._most = count
            self._told(count)

    def discard(self, which: object) -> None:
        """It has returned."""
        with self._lock:
            self._due_at.pop(which, None)

    def require_few(self) -> None:
        """Refuse to start anything while there are too many.

        Raises:
            ThreadsStuckError: there are.
        """
        count = self.count
        if count >= STUCK_MAX:
            raise ThreadsStuckError(
                f"{count} calls have not returned, long after their deadlines, each in a native thread that nothing "
                "can end; no more are made until some return: the client needs timeouts of its own, of a few seconds"
            )


class _Job:
    """One call. What both threads change, they change under the lock of `NativeCalls`."""

    __slots__ = ("answer", "arguments", "done", "error", "function", "given_up", "returned", "running", "subject")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], subject: str) -> None:
        self.function, self.arguments, self.subject = function, arguments, subject
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = Event()
        self.running = self.returned = self.given_up = False


class NativeCalls:
    """The native threads of one backend. Those that are not needed are not started; idle ones wait for more.

    Args:
        wakeup: Tells the hub that a call has returned. It stays the caller's.
        stuck: Where calls that were given up are counted.
    """

    def __init__(self, wakeup: Wakeup, stuck: Stuck) -> None:
        self._wakeup, self._stuck = wakeup, stuck
        self._lock = allocate_lock()  # held for microseconds
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: set[_Job] = set()  # the hub's thread only
        self._belated: dict[str, _Job] = {}  # given up while they ran, by subject: no more than threads that are stuck
        self._threads = 0  # without those that were given up
        self._closed = False

    @entrance
    def call(self, function: Callable[..., Any], *arguments: Any, subject: str = "") -> Any:
        """Make a call in one of the threads, and wait for what it returns or raises. No deadline of its own.

        Args:
            function: What to call.
            arguments: What with.
            subject: What it changes; "" for a question, which may overtake others.

        Raises:
            BackendUnavailableError: `close` was called, before or meanwhile.
            ThreadsStuckError: nothing is called any more.
            BaseException: what the function raised, and what ends the waiting greenlet: then the call is given up.
        """
        if self._closed:
            raise _closed()
        self._stuck.require_few()
        while (belated := self._belated.get(subject)) is not None and not self._closed:
            belated.done.wait()
        if self._closed:
            raise _closed()
        job = _Job(function, arguments, subject)
        self._jobs.add(job)
        try:
            self._start_thread()
            self._queue.put(job)
            job.done.wait()
        finally:
            self._jobs.discard(job)
            self._give_up(job)
        if job.error is not None:
            raise job.error
        return job.answer

    def close(self) -> None:
        """Fail the calls under way, and let every thread end when it is idle. Does not wait. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for job in self._jobs:
            self._give_up(job)
            if not job.returned:
                job.error = _closed()
            job.done.set()
        for job in list(self._belated.values()):
            job.done.set()
        for _ in range(self._threads):
            self._queue.put(None)

    def _start_thread(self) -> None:
        with self._lock:
            if self._threads >= min(len(self._jobs), THREADS):
                return
            self._threads += 1
        self._wakeup.open()
        try:
            start_native_thread(self._work)
        except RuntimeError:
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    raise _no_thread() from None

    def _give_up(self, job: _Job) -> None:
        with self._lock:
            if job.returned or job.given_up:
                return
            job.given_up = True
            if job.running:
                self._threads -= 1
                self._stuck.add(job)
                if job.subject:
                    self._belated[job.subject] = job
                    job.done.clear()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and self._did(job):
            pass

    def _did(self, job: _Job) -> bool:
        """Make one call; False if this thread has been replaced meanwhile."""
        with self._lock:
            if job.given_up:
                return True
            job.running = True
        answer, error = None, None
        try:
            answer = job.function(*job.arguments)
        except BaseException as raised:  # noqa: BLE001  - whatever it is, it is raised where the call was made
            error = raised
        return self._returned(job, answer, error)

    def _returned(self, job: _Job, answer: Any, error: BaseException | None) -> bool:
        with self._lock:
            if job.given_up:
                self._stuck.discard(job)
                self._belated.pop(job.subject, None)
                self._wakeup.post(job.done.set)
                return False
            job.answer, job.error, job.returned = answer, error, True
        self._wakeup.post(job.done.set)
        return True


def _closed() -> BackendUnavailableError:
    return BackendUnavailableError("cannot use the catalog: its client was closed")


def _no_thread() -> BackendUnavailableError:
    return BackendUnavailableError(
        "cannot use the catalog: no native thread can be started for its client, which blocks"
    )
