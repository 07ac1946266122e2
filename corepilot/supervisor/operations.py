"""What clients have asked for and what is not over yet: it goes on whether or not they wait."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Literal

import gevent
from gevent.event import Event as Flag

from corepilot.errors import ControlError

Line = dict[str, object]
Result = Literal["done", "refused", "incomplete", "late"]

KEPT_MAX = 64
"""How many operations are remembered that are over."""

KEPT_LINES_MAX = 20_000
"""How many changes those may have together; a change takes some 300 bytes."""

UNDER_WAY_MAX = 256
"""How many operations may be under way; one more is refused."""

LINES_MAX = 10_000
"""How many changes of one operation are kept for those who read them late."""

POLL_S = 0.02
"""How often the state of jobs is looked at that somebody waits for."""

UP_S = 0.1
"""A job that has failed within this time after its start did not come up (our decision)."""


class Operation:
    """One request and what has come of it so far.

    Attributes:
        id: A number, for `GET /v1/requests/ID`.
        kind: What was asked for.

    Args:
        number: The id.
        kind: See above.
        of_reader: Whether it is over when whoever waits for it goes away: it does nothing else.
    """

    def __init__(self, number: int, kind: str, *, of_reader: bool = False) -> None:
        self.id = number
        self.kind = kind
        self.of_reader = of_reader
        self._lines: list[Line] = []
        self._result: Line | None = None
        self._news = Flag()

    def add(self, **change: object) -> None:
        """Something has happened."""
        if len(self._lines) < LINES_MAX:
            self._lines.append(change)
        self._wake()

    def finish(self, result: Result, message: str = "") -> None:
        """It is over. Later calls change nothing."""
        if self._result is None:
            self._result = {"result": result, "message": message}
            self._wake()

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self._result is not None

    @property
    def changes(self) -> int:
        """How many changes are kept."""
        return len(self._lines)

    def lines(self, timeout_s: float | None) -> Iterator[Line]:
        """Every change as it happens, then the result. Switches greenlets.

        Args:
            timeout_s: Seconds until the result is "late"; the operation goes on. None: as long as it takes.
        """
        try:
            yield from self._follow(timeout_s)
        finally:
            if self.of_reader:
                self.finish("late", "nobody waits for it any more")

    def _follow(self, timeout_s: float | None) -> Iterator[Line]:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        read = 0
        while True:
            news = self._news
            while read < len(self._lines):
                yield self._lines[read]
                read += 1
            if self._result is not None:
                yield self._result
                return
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                yield {"result": "late", "message": f"not finished within {timeout_s:g} s"}
                return
            news.wait(left)

    def state(self) -> Line:
        """All of it, for somebody who asks later."""
        result = self._result or {}
        return {
            "id": self.id,
            "kind": self.kind,
            "finished": self.finished,
            "result": result.get("result", ""),
            "message": result.get("message", ""),
            "changes": list(self._lines),
        }

    def _wake(self) -> None:
        news, self._news = self._news, Flag()
        news.set()


class Operations:
    """The last operations of this process, and the greenlets that carry them out.

    Args:
        stopping: Why everything stops; "" as long as it does not.
    """

    def __init__(self, stopping: Callable[[], str]) -> None:
        self._stopping = stopping
        self._under_way: dict[int, Operation] = {}
        self._over: OrderedDict[int, Operation] = OrderedDict()
        self._count = 0

    def begin(self, kind: str, work: Callable[[Operation], None], *, of_reader: bool = False) -> Operation:
        """Carry out something in a greenlet of its own; an exception ends it as refused, and passes on.

        Raises:
            ControlError: too much is under way.
        """
        if len(self._under_way) >= UNDER_WAY_MAX:
            raise ControlError(f"cannot {kind}: {UNDER_WAY_MAX} requests are under way; try again later")
        self._count += 1
        operation = self._under_way[self._count] = Operation(self._count, kind, of_reader=of_reader)
        gevent.spawn(self._work, operation, work)
        return operation

    def find(self, number: int) -> Operation | None:
        """An operation by its id; None if it never was, or is forgotten."""
        return self._under_way.get(number) or self._over.get(number)

    def wait_until(self, operation: Operation, reached: Callable[[], bool]) -> bool:
        """Wait for something; False if everything stops before, or nobody waits any more. Switches greenlets."""
        while not reached():
            if self._stopping() or (operation.of_reader and operation.finished):
                return False
            gevent.sleep(POLL_S)
        return True

    def _work(self, operation: Operation, work: Callable[[Operation], None]) -> None:
        try:
            work(operation)
        finally:
            operation.finish("refused", "corepilot could not carry it out; see its log")
            self._over[operation.id] = self._under_way.pop(operation.id)
            while len(self._over) > KEPT_MAX or sum(one.changes for one in self._over.values()) > KEPT_LINES_MAX:
                self._over.popitem(last=False)
