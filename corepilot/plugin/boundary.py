"""The boundary: the one piece of code around every call into a plugin's code.

Whatever a call does, the caller gets an answer, an error that the contract allows, or a `PluginFaultError` that names
the plugin, its distribution and the line. A call that waits too long is ended by its deadline (`gevent.Timeout`); one
that does not let the event loop turn is interrupted by the beat (`corepilot.plugin.beat`), which raises
`PluginStalledError` in it: only while `Boundary.call` is on the stack, so that nothing of ours is ever interrupted.

What fails again and again is switched off: `OFF_AFTER` faults without a success in between, or `STALLS_MAX` stalls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gevent
from gevent.event import AsyncResult

from corepilot.errors import PluginError
from corepilot.output.repeat import Repeat
from corepilot.plugin.light import cause
from corepilot.plugin.stalls import PluginStalledError, entrance
from corepilot.system.leaving import Leaving
from corepilot.wording.escaping import escaped

TYPE_CHECKING = (
    False  # what typing.TYPE_CHECKING is to a type checker, without importing it on the way to the first job
)
if TYPE_CHECKING:
    from corepilot.plugin.manager import Loaded

OFF_AFTER = 20
"""Faults in a row after which a plugin is switched off. A catalog's answer that is an error is no fault."""

STALLS_MAX = 3
"""Interrupted calls after which a plugin is switched off: each of them has held up every job's care for two seconds."""

CLOSE = "close"
"""The call that is made all the same: what a plugin holds is to be released."""

LINE_MAX = 4096
"""Characters of a plugin's message that are kept."""

APART_MAX = 8
"""Calls of one plugin that were given up and have not returned."""

_Answer = TypeVar("_Answer")
_END: Any = object()
"""What a stream that has ended answers with."""


class PluginFaultError(PluginError):
    """A plugin did what its contract does not allow. The message names plugin, distribution, version and line."""

    code = "plugin-fault"
    cause = ""
    """What counts as the same fault: the call and what came of it."""


class Boundary:
    """One instance of a plugin, seen from our side.

    Args:
        loaded: The plugin.
        log: Takes a level and a message; the plugin's name is in front already.
        note: Told what runs in the hub's thread, and "" afterwards: for whoever has to name it when it never returns.

    Attributes:
        kind: Such as "observer".
        plugin: Such as "audit".
        name: Such as "observer 'audit'".
        title: With distribution and version: "observer 'audit' (corepilot-audit 1.2)".
        faults: How many there were.
        off: Why it is switched off; "" while it is not.
    """

    def __init__(
        self, loaded: Loaded, log: Callable[[str, str], None], note: Callable[[str], None] = lambda _what: None
    ) -> None:
        self.kind, self.plugin = loaded.kind, loaded.name
        self.name = f"{loaded.kind} {loaded.name!r}"
        self.title = f"{self.name} ({loaded.distribution})"
        self.faults = 0
        self.off = ""
        self._module = loaded.module
        self._secrets = tuple(loaded.secrets)
        self._log, self._note = log, note
        self._row = self._stalls = self._apart = 0
        self._repeats = Repeat(log)

    @entrance
    def call(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        allowed: tuple[type[BaseException], ...] = (),
        judge: Callable[[Any], str] | None = None,
    ) -> Any:
        """Make one call. It may switch greenlets, and is not bounded in time as long as it lets the hub turn.

        Args:
            what: What is called, for messages: "register".
            function: The plugin's.
            arguments: For it.
            allowed: Exceptions that are answers.
            judge: Says what is wrong with the answer, "" if it is fine.

        Raises:
            PluginFaultError: it failed, stalled or answered nonsense, or the plugin is switched off.
            gevent.Timeout, Leaving: those of the caller.
        """
        if self.off and what != CLOSE:
            raise PluginFaultError(f"{self.title} is switched off: {self.off}")
        self._note(f"{self.title}, {what}")
        try:
            answer = function(*arguments)
        except allowed:
            self._row = 0
            raise
        except (Leaving, gevent.Timeout):
            raise
        except PluginStalledError as error:
            self._stalls += 1
            raise self._fault(what, f"held the event loop up, and was interrupted ({error})", "stalled") from None
        except BaseException as error:
            if isinstance(error, MemoryError):
                raise
            raise self._fault(what, f"raised {self._cause(error)}", type(error).__name__) from error
        finally:
            self._note("")
        wrong = judge(answer) if judge is not None else ""
        if wrong:
            raise self._fault(what, wrong, "wrong")
        self._row = 0
        return answer

    def apart(
        self,
        what: str,
        function: Callable[..., Any],
        *arguments: Any,
        deadline_s: float,
        allowed: tuple[type[BaseException], ...] = (),
        judge: Callable[[Any], str] | None = None,
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
                done.set((self.call(what, function, *arguments, allowed=allowed, judge=judge), None))
            except BaseException as error:  # noqa: BLE001  - `call` lets only a few pass, and this greenlet ends with it
                done.set((None, error))
            finally:
                self._apart -= 1

        greenlet = gevent.spawn(run)
        try:
            answer, error = done.get(timeout=deadline_s)
        except gevent.Timeout:
            greenlet.kill(Leaving(), block=False)
            raise self._fault(what, f"did not return within {deadline_s:g} s, and was given up", "late") from None
        except BaseException:
            greenlet.kill(Leaving(), block=False)
            raise
        if error is None:
            return answer
        if isinstance(error, (gevent.Timeout, gevent.GreenletExit)):
            raise self._fault(what, f"raised {type(error).__name__}", type(error).__name__)
        raise error

    def follow(
        self,
        what: str,
        stream: Iterator[_Answer],
        *,
        allowed: tuple[type[BaseException], ...],
        judge: Callable[[Any], str],
    ) -> Iterator[_Answer]:
        """Pass a plugin's generator on, every step through the boundary. Closing it closes the plugin's."""
        try:
            while True:
                # Not by StopIteration: raised by any other call, it is a fault like every exception.
                found = self.call(
                    what, next, stream, _END, allowed=allowed, judge=lambda one: "" if one is _END else judge(one)
                )
                if found is _END:
                    return
                yield found
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                try:
                    self.call(f"closing the stream of {what}", close)
                except PluginFaultError as error:
                    self.report(error)

    def quietly(self, what: str, function: Callable[..., Any], *arguments: Any, deadline_s: float = 0.0) -> None:
        """Make a call whose failure changes nothing for the caller: it is logged. Only where no deadline of ours runs.

        Args:
            what: As for `call`.
            function: The plugin's.
            arguments: For it.
            deadline_s: Seconds after which it is given up; 0 to make the call here.
        """
        try:
            if deadline_s:
                self.apart(what, function, *arguments, deadline_s=deadline_s)
            else:
                self.call(what, function, *arguments)
        except PluginFaultError as error:
            self.report(error)
        except gevent.Timeout:  # the plugin's own, which it has let pass
            self.report(self._fault(what, "raised Timeout", "Timeout"))

    def report(self, error: PluginFaultError) -> None:
        """Write a fault to the log, now and then where there are many of one call."""
        self._repeats.failed(error.cause, str(error), "error")

    def trouble(self, cause: str, message: str) -> None:
        """Warn of trouble that may go on, now and then."""
        self._repeats.failed(cause, message)

    def recovered(self, cause: str, message: str) -> None:
        """Say that it is over."""
        self._repeats.recovered(cause, message)

    def say(self, level: str, message: object) -> None:
        """The `log` of the plugin's context: escaped, cut, without the values of secret options."""
        text = escaped(self.masked(str(message))[:LINE_MAX])
        self._log(level if level in {"debug", "info", "warning", "error"} else "info", text)

    def masked(self, text: str) -> str:
        """A text of the plugin's without the values of secret options, and of those that the user referred to."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def switch_off(self, why: str) -> None:
        """Call it no more. Idempotent."""
        if not self.off:
            self.off = why
            self._log("error", f"{self.title} is switched off: {why}; a reload that changes its entry tries it again")

    def _fault(self, what: str, fault: str, cause: str) -> PluginFaultError:
        self.faults += 1
        self._row += 1
        made = PluginFaultError(f"{self.title}: {what} {fault}")
        made.cause = f"{what} {cause}"
        if self._stalls >= STALLS_MAX:
            self.switch_off(f"it held the event loop up {self._stalls} times")
        elif self._row >= OFF_AFTER:
            self.switch_off(f"it failed {self._row} times in a row, at last: {what} {fault}")
        return made

    def _cause(self, error: BaseException) -> str:
        return escaped(self.masked(cause(error, self._module))[:LINE_MAX])
