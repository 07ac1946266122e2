"""Follows one thing in one catalog: opens a stream, hands on what it yields, and opens another one when it is over.

All that is in a catalog shares one `Connection`: while the catalog does not answer, one of its registrations and
streams tries, and any answer wakes all the others. A stream that is refused has pauses of its own, because only it is.
So has one that fails while the catalog answers others: the datacenter it asks for cannot be reached, say.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, cast

import gevent
from gevent.event import Event

from corepilot.discovery.connection import Connection
from corepilot.errors import BackendError, BackendTimeoutError, BackendUnavailableError
from corepilot.output.repeat import Repeat
from corepilot.plugin.boundary import PluginFaultError
from corepilot.system.backoff import Backoff, chance
from corepilot.system.leaving import Leaving
from corepilot.wording.failures import one_line_traceback

FIRST_S = 15.0
"""How long a stream may take to its first answer."""
REOPEN_S = 300.0
"""How long a stream is trusted, ±20 %: every store's own history has watches that fell silent (our decision)."""
STEADY_S = 30.0
"""A stream that lasted so long was a good one: the next failure is a new one."""


class Follower:
    """One stream after the other, in a greenlet between `start` and `close`.

    Args:
        what: What is followed, for messages: `watch.web`.
        subject: The same as the catalog knows it: `web`.
        open_stream: Opens a stream; a generator.
        take: Takes what it yields. Must not switch.
        connection: What is known of the catalog: shared by all that is asked there.
        log: Takes a level and a message.
        wait_s: Seconds before the first look.
        first_s: The most that a stream's first answer may take, in seconds.
        reopen_s: How long a stream is used, about, in seconds.
        backoff: The pauses after what fails only here.

    Attributes:
        connected: Whether there is a stream that has answered.
        last_error: Why there is none; "" while there is one.
    """

    def __init__(
        self,
        what: str,
        subject: str,
        open_stream: Callable[[], Iterator[Any]],
        take: Callable[[Any], None],
        *,
        connection: Connection,
        log: Callable[[str, str], None],
        wait_s: float = 0.0,
        first_s: float = FIRST_S,
        reopen_s: float = REOPEN_S,
        backoff: Backoff | None = None,
    ) -> None:
        self.connected = False
        self.last_error = ""
        self._what, self._subject = what, subject
        self._open, self._take_answer = open_stream, take
        self._connection = connection
        self._repeats = Repeat(log)
        self._wait_s, self._first_s, self._reopen_s = wait_s, first_s, reopen_s
        self._backoff = backoff or Backoff()
        self._wake = Event()
        self._lost_at: float | None = None
        self._begun_at = 0.0
        self._answered = False
        self._failures = 0  # in a row
        self._answers = 0  # to all who ask there, when the first of those tries began
        self._closed = False
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin. Returns at once. Idempotent."""
        if self._greenlet is None:
            self._connection.waiting.add(self._wake.set)
            self._greenlet = gevent.spawn(self._run)

    def close(self) -> None:
        """End; nothing is taken after this. Returns at once. Idempotent."""
        self._closed = True
        self._connection.waiting.discard(self._wake.set)
        if self._greenlet is not None:
            self._greenlet.kill(Leaving(), block=False)

    @property
    def lag_s(self) -> float:
        """How long there has been no stream that answers: how old what was taken may be. 0 while there is one."""
        return 0.0 if self._lost_at is None else time.monotonic() - self._lost_at

    def _run(self) -> None:
        """The greenlet: one stream after the other, with a pause after each that failed."""
        gevent.sleep(self._wait_s)
        self._lost_at = time.monotonic()
        while True:
            self._wait_for_connection()
            self._begun_at, self._answered = time.monotonic(), False
            if not self._failures:
                self._answers = self._connection.answers
            self._connection.begun(self._begun_at)
            error = self._follow()
            if self._closed:
                return  # it ends by its greenlet's end, or when the client of the catalog is closed
            if error is None:
                continue
            now = time.monotonic()
            self.connected = False
            self._lost_at = self._lost_at or now
            self.last_error = str(error)
            self._repeats.failed("stream", f"{self._what}: {error}; trying again, keeping what is known")
            if now - self._begun_at > STEADY_S:
                self._backoff.reset()
            self._failures += not self._answered
            if not isinstance(error, BackendUnavailableError | BackendTimeoutError):
                self._connection.next_one(now)
                gevent.sleep(self._backoff.next_s())
            elif self._answered or self._connection.answers == self._answers:
                pause_s = error.retry_after_s if isinstance(error, BackendUnavailableError) else 0.0
                self._connection.down(self._begun_at, now, answered=self._answered, pause_s=pause_s)
            else:
                self._wake.clear()  # the catalog answers others: only this is out of reach
                self._wake.wait(self._backoff.next_s())

    def _wait_for_connection(self) -> None:
        while True:
            self._wake.clear()
            pause_s = self._connection.wait_s(time.monotonic(), self._failures)
            if not pause_s:
                return
            self._wake.wait(pause_s)

    def _follow(self) -> Exception | None:
        """Use one stream until it is over; None if it is only time for another one."""
        first = gevent.Timeout(self._first_s)
        reopen = gevent.Timeout(self._reopen_s * (0.8 + 0.4 * chance()))
        try:
            with reopen, closing(cast("Generator[Any]", self._open())) as stream:
                with first:
                    self._take(next(stream))
                for answer in stream:
                    self._take(answer)
        except gevent.Timeout as over:
            if over is reopen:
                return None
            return BackendTimeoutError(
                f"cannot watch {self._subject}: no answer from the catalog within {self._first_s:g} s"
            )
        except (BackendError, PluginFaultError) as error:
            return error
        except Exception as error:  # noqa: BLE001  - a bug in a plugin must not end the watch
            return RuntimeError(f"cannot watch {self._subject}: a bug in the backend: {one_line_traceback(error)}")
        finally:
            # One that was raised holds this frame by its traceback: they would wait for the garbage collector together,
            # and with them all that the stream has.
            del first, reopen
        return RuntimeError(f"cannot watch {self._subject}: a bug in the backend: its stream just ended")

    def _take(self, answer: Any) -> None:
        if self._closed:
            return  # the greenlet is to be killed, at the hub's next turn
        self._answered, self._failures = True, 0
        if not self.connected:
            self.connected = True
            self._lost_at = None
            self.last_error = ""
            self._backoff.reset()
            self._repeats.recovered("stream", f"{self._what}: the catalog answers again")
            self._connection.up()
        self._take_answer(answer)
