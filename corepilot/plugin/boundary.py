"""The boundary: the one piece of code around every call into a plugin's code.

Whatever a call does, the caller gets an answer, an error that the contract allows, or a `PluginFaultError` that names
the plugin, its distribution and the line. A call that waits too long is ended by its deadline (`gevent.Timeout`); one
that does not let the event loop turn is interrupted by the beat (`corepilot.plugin.beat`), which raises
`PluginStalledError` in it: only where nothing of ours would be interrupted (`corepilot.plugin.stalls`).

Nothing that a plugin made comes out of here as it is: an answer is taken by a function of ours, within the call, and an
exception that the contract allows is made anew, of the contract's class, with its text masked, cut and escaped.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import gevent
from gevent.event import AsyncResult

from corepilot import errors
from corepilot.plugin.conduct import Conduct
from corepilot.plugin.conduct import PluginFaultError as PluginFaultError  # noqa: PLC0414  - for callers
from corepilot.plugin.foreign import class_name, kinds_of, said
from corepilot.plugin.stalls import PluginStalledError, within
from corepilot.system.leaving import Leaving
from corepilot.system.writing import try_write

TYPE_CHECKING = (
    False  # what typing.TYPE_CHECKING is to a type checker, without importing it on the way to the first job
)
if TYPE_CHECKING:
    from corepilot.plugin.manager import Loaded

CLOSE = "close"
"""The call that is made all the same: what a plugin holds is to be released."""

MODE = "mode"
"""What is asked for the status only: that it succeeds, however often people look, says nothing of the other calls."""

APART_MAX = 8
"""Calls of one plugin that were given up and have not returned."""

MAKING_S = 1.0
"""Seconds for what must not wait at all: making an instance, starting it, its properties."""

_Answer = TypeVar("_Answer")
_END: Any = object()
"""What a stream that has ended answers with."""

_ANSWERS = (*[one for one in vars(errors).values() if isinstance(one, type)], TimeoutError, OSError)
"""Of what class an exception is made anew; those that the caller allows come in addition."""


class WrongAnswerError(Exception):
    """Raised by a function that takes an answer. Its text follows the call's name: "must return a text, and …"."""


class Boundary(Conduct):
    """One instance of a plugin, seen from our side: the calls.

    Args:
        loaded: The plugin.
        log: Takes a level and a message; the plugin's name is in front already.
        note: Told what runs in the hub's thread, and "" afterwards: for whoever has to name it when it never returns.
        put_back: Puts the handlers back that a stop depends on; see `StopHandlers`.
    """

    def __init__(
        self,
        loaded: Loaded,
        log: Callable[[str, str], None],
        note: Callable[[str], None] = lambda _what: None,
        put_back: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__(loaded, log)
        self._note, self._put_back = note, put_back
        self._apart = 0
        self._process, self._depth = os.getpid(), sys.getrecursionlimit()

    def call(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        allowed: tuple[type[BaseException], ...] = (),
        take: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Make one call. It may switch greenlets, and is not bounded in time as long as it lets the hub turn.

        Args:
            what: What is called, for messages: "register".
            function: The plugin's.
            arguments: For it.
            allowed: Exceptions that are answers. `gevent.Timeout` is in it where the caller has set one.
            take: Makes the answer ours. Called within the call, since what it looks at may be the plugin's code.

        Raises:
            PluginFaultError: it failed, stalled or answered nonsense, or the plugin is switched off.
            Leaving: the caller's greenlet is to end.
        """
        if self.off and what != CLOSE:
            raise PluginFaultError(f"{self.title} is switched off: {self.off}")
        self._note(f"{self.title}, {what}")
        try:
            answer = within(function, *arguments)
            if take is not None:
                answer = within(take, answer)
        except Leaving:
            raise
        except allowed as error:
            self._row = 0
            if isinstance(error, gevent.Timeout):
                raise
            raise self._ours(what, error, allowed) from None
        except WrongAnswerError as wrong:
            raise self._fault(what, self._clean(said(wrong)), "wrong") from None
        except PluginStalledError as error:
            raise self._stalled(what, error) from None
        except BaseException as error:  # noqa: BLE001  - whatever a plugin raises
            raise self._fault(what, f"raised {self._cause(error)}", class_name(type(error))) from None
        finally:
            self._back(what)
        if what != MODE:
            self._row = 0
        return answer

    def apart(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        deadline_s: float,
        allowed: tuple[type[BaseException], ...] = (),
        take: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Make a call in a greenlet of its own, and give it up when its time is over, whatever it does with that.

        Raises:
            PluginFaultError: as for `call`, or the time is over, or too many calls are given up already.
        """
        if self._apart >= APART_MAX:
            raise PluginFaultError(f"{self.title}: {what} is not called: {self._apart} calls never returned")
        done: Any = AsyncResult()
        self._apart += 1

        def run() -> None:
            try:
                done.set((self.call(what, function, *arguments, allowed=allowed, take=take), None))
            except BaseException as error:  # noqa: BLE001  - `call` lets only a few pass, and this greenlet ends with it
                done.set((None, error))
            finally:
                self._apart -= 1

        greenlet = gevent.spawn(run)
        try:
            done.wait(deadline_s)
        except BaseException:
            greenlet.kill(Leaving(), block=False)
            raise
        if not done.ready():
            greenlet.kill(Leaving(), block=False)
            raise self._fault(what, f"did not return within {deadline_s:g} s, and was given up", "late")
        answer, error = done.get()
        if error is None:
            return answer
        if isinstance(error, gevent.GreenletExit):
            raise self._fault(what, f"raised {class_name(type(error))}", class_name(type(error)))
        raise error

    def begin(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        allowed: tuple[type[BaseException], ...],
        take: Callable[[Any], Any],
        ended: Callable[[Any, BaseException | None], None],
    ) -> Callable[[], None]:
        """Make a call in a greenlet of its own, which nobody waits for: whoever has begun it keeps its time.

        Args:
            what: As for `call`.
            function: The plugin's.
            arguments: For it.
            allowed: As for `call`.
            take: As for `call`.
            ended: Told of the answer, or of what was raised instead, in that greenlet; not once it is given up.

        Returns:
            What gives the call up, whatever it does with that.

        Raises:
            PluginFaultError: too many calls that were given up never returned.
        """
        if self._apart >= APART_MAX:
            raise PluginFaultError(f"{self.title}: {what} is not called: {self._apart} calls never returned")
        self._apart += 1
        given_up = False

        def run() -> None:
            answer, failure = None, None
            try:
                answer = self.call(what, function, *arguments, allowed=allowed, take=take)
            except BaseException as error:  # noqa: BLE001  - `call` lets only a few pass, and this greenlet ends with it
                failure = error
            finally:
                self._apart -= 1
            if not given_up:
                if isinstance(failure, gevent.GreenletExit):
                    failure = self._fault(what, f"raised {class_name(type(failure))}", class_name(type(failure)))
                ended(answer, failure)

        greenlet = gevent.spawn(run)

        def give_up() -> None:
            nonlocal given_up
            given_up = True
            greenlet.kill(Leaving(), block=False)

        return give_up

    def follow(
        self,
        what: str,
        stream: Iterator[Any],
        *,
        allowed: tuple[type[BaseException], ...],
        take: Callable[[Any], _Answer],
    ) -> Iterator[_Answer]:
        """Pass a plugin's generator on, every step through the boundary. Closing it closes the plugin's."""
        try:
            while True:
                # Not by StopIteration: raised by any other call, it is a fault like every exception.
                found = self.call(
                    what, next, stream, _END, allowed=allowed, take=lambda one: one if one is _END else take(one)
                )
                if found is _END:
                    return
                yield found
        finally:
            self.quietly(f"closing the stream of {what}", _close, stream, allowed=(gevent.Timeout,))

    def quietly(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        deadline_s: float = 0.0,
        allowed: tuple[type[BaseException], ...] = (),
    ) -> None:
        """Make a call whose failure changes nothing for the caller: it is logged.

        Args:
            what: As for `call`.
            function: The plugin's.
            arguments: For it.
            deadline_s: Seconds after which it is given up; 0 to make the call here.
            allowed: As for `call`.
        """
        try:
            if deadline_s:
                self.apart(what, function, *arguments, deadline_s=deadline_s, allowed=allowed)
            else:
                self.call(what, function, *arguments, allowed=allowed)
        except PluginFaultError as error:
            self.report(error)

    def _ours(self, what: str, error: BaseException, allowed: tuple[type[BaseException], ...]) -> BaseException:
        """An exception that is an answer, as one of ours: its class and its methods may be the plugin's."""
        try:
            text = self._clean(within(said, error))
            pause_s = within(_pause_of, error)
        except PluginStalledError as stalled:
            return self._stalled(what, stalled)
        ours = (*_ANSWERS, *allowed)
        kind: Any = next(one for one in kinds_of(error) if any(one is other for other in ours))
        made: BaseException = kind(text or class_name(type(error)))
        if isinstance(made, errors.BackendUnavailableError):
            made.retry_after_s = pause_s
        return made

    def _back(self, what: str) -> None:
        """A call is over: see that what we need for the very next step is as it was before."""
        if os.getpid() != self._process:
            # The child of a fork in the plugin: there is one supervisor, and the hub and the log's thread are its.
            with suppress(OSError):
                try_write(2, f"corepilot: {self.title}: {what} has forked; its child ends\n".encode(), 1.0)
            os._exit(0)
        self._note("")
        taken = self._put_back()
        if taken:
            self.trouble(taken, f"{self.title}: {what} changed {taken}; it is put back")
        if sys.getrecursionlimit() != self._depth:
            sys.setrecursionlimit(self._depth)
            self.trouble("recursion limit", f"{self.title}: {what} changed the recursion limit; it is put back")


def _close(stream: Any) -> None:
    close = getattr(stream, "close", None)
    if close is not None:
        close()


def _pause_of(error: BaseException) -> float:
    """The pause that an error asks for, 0 for anything but a number of seconds."""
    try:
        found = getattr(error, "retry_after_s", 0.0)
    except Exception:  # noqa: BLE001  - a property of the plugin's
        return 0.0
    return float(found) if type(found) in {int, float} and 0 < found < math.inf else 0.0
