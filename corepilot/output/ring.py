"""The last of what jobs have written, for `corepilot logs`: bounded in bytes, all together and for each job.

A batch of lines is kept as one text: that is one copy of memory, and a tenth of what a line an object would take.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from corepilot.output.records import Fields, Records

ENTRY_BYTES = 256
"""What a batch costs beside its text, as it is counted here."""

SHARE = 4
"""One job has at most this part of the whole, so that one that writes much does not take the others' place."""

_LEFT = 7 / 8
"""How full the ring is after it was too full: making room costs the same however many jobs there are."""


class Kept(NamedTuple):
    """Lines that one run wrote.

    Attributes:
        number: Counts batches, over all jobs.
        wall_ns: When they were read, in nanoseconds of Unix time.
        fields: Whose they are.
        stream: See `Records`.
        text: The lines, with newlines between them.
    """

    number: int
    wall_ns: int
    fields: Fields
    stream: str
    text: bytes

    @property
    def lines(self) -> list[bytes]:
        """The lines, without newlines."""
        return self.text.split(b"\n")

    @property
    def size(self) -> int:
        """What it counts in the bound, in bytes."""
        return len(self.text) + ENTRY_BYTES


Wanted = Callable[[str], bool]
"""Whether the lines of a job or check are wanted, by the first of their fields, such as "app" or "check.app"."""


class Ring:
    """Keeps batches, and forgets the oldest ones of whoever has most. A subscriber of `Output`.

    Args:
        limit_bytes: What is kept at most; 0 or more.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._count = 0
        self._bytes = 0
        self._entries: dict[str, deque[Kept]] = {}
        self._sizes: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many bytes are kept, `ENTRY_BYTES` for each batch included."""
        return self._bytes

    def resize(self, limit_bytes: int) -> None:
        """Keep this much from now on."""
        self._limit = limit_bytes
        for name in list(self._entries):
            self._shrink(name, limit_bytes // SHARE)
        self._make_room()

    def take(self, records: Records) -> None:
        """Keep lines."""
        share = self._limit // SHARE
        text = b"\n".join(records.shown)
        if len(text) + ENTRY_BYTES > share:
            text = text[-max(share - ENTRY_BYTES, 0) :].partition(b"\n")[2] if share > ENTRY_BYTES else b""
            if not text:
                return
        self._count += 1
        kept = Kept(self._count, records.wall_ns, records.fields, records.stream, text)
        name = str(records.fields[0][1]) if records.fields else ""
        entries = self._entries.get(name)
        if entries is None:
            entries = self._entries[name] = deque()
            self._sizes[name] = 0
        entries.append(kept)
        self._sizes[name] += kept.size
        self._bytes += kept.size
        if self._sizes[name] > share:
            self._shrink(name, share)
        if self._bytes > self._limit:
            self._make_room()

    def read(self, wanted: Wanted, *, since_ns: int = 0, last: int | None = None) -> list[Kept]:
        """What is kept, the oldest first.

        Args:
            wanted: Of whom.
            since_ns: Only what was read at this time or later, in nanoseconds of Unix time.
            last: At most this many lines, the last ones; None for all.
        """
        from heapq import merge  # not on the boot path

        found = list(
            merge(*[entries for name, entries in self._entries.items() if wanted(name)], key=lambda kept: kept.number)
        )
        found = [kept for kept in found if kept.wall_ns >= since_ns]
        return found if last is None else _last(found, last)

    def _shrink(self, name: str, limit: int) -> None:
        entries = self._entries[name]
        while entries and self._sizes[name] > limit:
            size = entries.popleft().size
            self._sizes[name] -= size
            self._bytes -= size
        if not entries:
            del self._entries[name], self._sizes[name]

    def _make_room(self) -> None:
        if self._bytes <= self._limit:
            return
        target = int(self._limit * _LEFT)
        while self._bytes > target:
            most = max(self._sizes, key=self._sizes.__getitem__)
            self._shrink(most, min(self._sizes[most] // 2, self._sizes[most] - 1))


def _last(found: Sequence[Kept], count: int) -> list[Kept]:
    left, chosen = count, []
    for kept in reversed(found):
        if left <= 0:
            break
        lines = kept.lines
        if len(lines) > left:
            kept = kept._replace(text=b"\n".join(lines[-left:]))  # noqa: PLW2901  - what of it is wanted
        chosen.append(kept)
        left -= len(lines)
    return chosen[::-1]


def names_of(jobs: Sequence[str]) -> Wanted:
    """Whether lines belong to one of these jobs, or to one of their checks; of no jobs: to any.

    Args:
        jobs: As the log calls them: `worker@2` for a replica, whose checks are `check.worker@2` or `check.worker.db@2`.
    """
    if not jobs:
        return lambda _name: True
    exact = frozenset(chain.from_iterable((job, f"check.{job}") for job in jobs))
    named = [(f"check.{name}.", at + replica) for name, at, replica in (job.partition("@") for job in jobs)]

    def wanted(name: str) -> bool:
        return name in exact or any(name.startswith(begin) and name.endswith(end) for begin, end in named)

    return wanted
