"""Output as records: what a job or check has written, handed once to everybody who takes it.

The unit is a batch of lines with what they have in common. A record for each line would cost more than formatting it.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from corepilot.output.repeat import Repeat
from corepilot.wording.failures import one_line_traceback

Fields = tuple[tuple[str, str | int], ...]
"""Names and values beside a message: ("job", name) or ("check", "check.<job>"), and ("pid", pid)."""


class Records(NamedTuple):
    """Lines that one run wrote, in order. Immutable: everybody gets the same object.

    Attributes:
        lines: The lines without their newline, as they were written; at least one; not to be changed.
        fields: Whose they are.
        wall_ns: When they were read, in nanoseconds of Unix time.
        monotonic_s: The same moment on the clock that never goes back.
        stream: "stdout" or "stderr", where the job's streams are told apart; else "".
        structured: Lines that are JSON objects are to stay what they are where that is possible.
        logged: They belong into the log, and not only into a file of their own.
        prefix: What people see in front of each line; see `shown`.
    """

    lines: Sequence[bytes]
    fields: Fields
    wall_ns: int
    monotonic_s: float
    stream: str = ""
    structured: bool = False
    logged: bool = True
    prefix: bytes = b""

    @property
    def shown(self) -> Sequence[bytes]:
        """The lines as people see them: with the prefix, but for those that are passed through as structure."""
        prefix = self.prefix
        if not prefix:
            return self.lines
        if self.structured:
            return [line if is_object(line) else prefix + line for line in self.lines]
        return [prefix + line for line in self.lines]

    @classmethod
    def now(cls, lines: Sequence[bytes], fields: Fields, stream: str = "") -> "Records":
        """Records of lines that were read just now."""
        return cls(lines, fields, time.time_ns(), time.monotonic(), stream)


def is_object(line: bytes) -> bool:
    """Whether a line looks like a JSON object."""
    return line[:1] == b"{" and line[-1:] == b"}"


Take = Callable[[Records], object]


class Subscription:
    """One who takes records.

    Attributes:
        name: What messages call it.
        failures: How often it raised.
    """

    __slots__ = ("_output", "failures", "name", "take")

    def __init__(self, output: "Output", name: str, take: Take) -> None:
        self._output = output
        self.name = name
        self.take = take
        self.failures = 0

    def close(self) -> None:
        """Take no more records. Idempotent; also while records are being handed out."""
        self._output.remove(self)


class Output:
    """Hands records to subscribers, in the order of their subscription.

    Args:
        log: Takes a level and a message about a subscriber that failed. It is no subscriber itself.
    """

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._repeats = Repeat(log)
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, name: str, take: Take) -> Subscription:
        """Hand all records from now on to `take`.

        Args:
            name: What messages call the subscriber.
            take: Called in the hub, between two reads of a job's pipe: it never waits or switches greenlets, and
                takes microseconds. It bounds what it keeps. If it raises, that is logged (at most twice a minute) and
                counted; the others get the records all the same, and it gets the next ones.
        """
        subscription = Subscription(self, name, take)
        self._subscriptions += (subscription,)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """What `Subscription.close` does."""
        self._subscriptions = tuple([one for one in self._subscriptions if one is not subscription])

    def publish(self, records: Records) -> None:
        """Hand records to everybody who has subscribed. Never raises."""
        for subscription in self._subscriptions:
            try:
                subscription.take(records)
            except Exception as error:  # noqa: BLE001  - one subscriber's bug must not cost the others their records
                subscription.failures += 1
                name = subscription.name
                self._repeats.failed(name, f"a bug: {name} failed to take output: {one_line_traceback(error)}", "error")
