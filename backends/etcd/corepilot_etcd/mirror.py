"""What a span of keys holds, kept up to date: a range read, and a watch from the revision after it.

The pages behind it: etcd.io/docs/v3.4/learning/api (revisions, watches) and …/api_guarantees: events of a watch are
ordered, unique and none is left out, unless the store has compacted them away; then it says so, and everything has to
be read again. Whoever iterates gets told that something has changed, and looks at the mirror.
"""

from collections.abc import Callable, Generator, Iterator
from operator import itemgetter
from typing import Any, Generic, NoReturn, TypeVar

from corepilot.errors import BackendUnavailableError
from corepilot.http.time_slice import TimeSlice
from corepilot_etcd.encoding import Found, Message, Span, found_in, parts, revision_of, text_of
from corepilot_etcd.member import MessageStream, TooLongError
from corepilot_etcd.refusals import CompactedError, error_of
from corepilot_etcd.transport import Transport

PAGE_KEYS = 500
"""Keys of one answer: with values of a few hundred bytes as many as can be parsed in a few milliseconds."""

_TRIES = 5

_Read = TypeVar("_Read", bound=tuple[Any, ...])


class Mirror(Generic[_Read]):
    """The keys of a span, as far as somebody can read them.

    Args:
        transport: The cluster.
        span: Which keys.
        read: What a key means to whoever looks; None for what does not concern him.

    Attributes:
        revision: Up to which the mirror is what the store holds.
        span: Which keys.
        stream: The watch; None before it is open.
    """

    def __init__(self, transport: Transport, span: Span, read: Callable[[Found], _Read | None]) -> None:
        self.revision = 0
        self.stream: MessageStream | None = None
        self.span = span
        self._transport, self._read = transport, read
        self._keys: set[bytes] = set()
        self._values: dict[bytes, _Read] = {}
        self._slice = TimeSlice()

    @property
    def known(self) -> int:
        """How many keys there are, those that `read` has dropped included."""
        return len(self._keys)

    @property
    def name(self) -> str:
        """The first key, for people."""
        return self.span.key.decode("utf-8", "replace")

    def values(self) -> tuple[_Read, ...]:
        """All that could be read, as tuples that begin with a text sort: after a few changes that costs little."""
        return tuple(sorted(self._values.values(), key=itemgetter(0)))

    def follow(self) -> Generator[None]:
        """Yield when the mirror is complete, and again after each change. A generator; ends by raising.

        Raises:
            BackendError: it is not kept up to date any more.
        """
        try:
            while True:
                self.load()
                yield
                yield from self._changes()
        finally:
            self._end()

    def load(self) -> None:
        """Read all of it now."""
        for tries_left in reversed(range(_TRIES)):
            try:
                self._load()
            except CompactedError:
                if not tries_left:
                    raise
            else:
                return

    def _load(self) -> None:
        self._keys, self._values = set(), {}
        start, revision, limit = self.span.key, 0, PAGE_KEYS if self.span.end else 1
        while True:
            asked: Message = {**self.span.message(), "key": text_of(start), "limit": limit}
            if revision:
                asked["revision"] = revision
            try:
                answer = self._transport.call("/v3/kv/range", asked)
            except TooLongError:
                if limit == 1:
                    raise
                limit = limit // 8 or 1  # somebody keeps large values there
                continue
            with self._transport.reading():
                revision = revision or revision_of(answer)
                page = parts(answer, "kvs")
                for message in page:
                    found = found_in(message)
                    self._put(found)
                    self._slice.check()
            if not page or not answer.get("more"):
                self.revision = revision
                return
            start = found.key + b"\0"

    def _changes(self) -> Iterator[None]:
        """Yield after each change until everything has to be read again."""
        create = {**self.span.message(), "start_revision": self.revision + 1, "progress_notify": True, "fragment": True}
        stream = self.stream = self._transport.open("/v3/watch", {"create_request": create})
        try:
            for message in stream:
                if message.get("canceled"):
                    reason = message.get("cancel_reason", "")
                    if "compact_revision" in message or "has been compacted" in str(reason):
                        return
                    self._cancelled(str(reason))
                with self._transport.reading():
                    changed = self._apply(message)
                if changed:
                    yield
        finally:
            self._end()

    def _apply(self, message: Message) -> bool:
        """Take over a message of the watch; whether anything has changed."""
        events = parts(message, "events")
        last = self.revision
        for event in events:
            if not isinstance(event, dict):
                raise ValueError("an event is not an object")  # noqa: TRY004  - the type of the answer
            found = found_in(event.get("kv"))
            if found.modified <= self.revision:
                continue  # told twice
            last = max(last, found.modified)
            if event.get("type") == "DELETE":
                self._remove(found.key)
            else:
                self._put(found)
            self._slice.check()
        changed = last > self.revision
        if changed and not message.get("fragment"):
            self.revision = last  # the other half of a revision may come in the next fragment
        return changed

    def _put(self, found: Found) -> None:
        self._keys.add(found.key)
        value = self._read(found)
        if value is None:
            self._values.pop(found.key, None)
        else:
            self._values[found.key] = value

    def _remove(self, key: bytes) -> None:
        self._keys.discard(key)
        self._values.pop(key, None)

    def _end(self) -> None:
        if self.stream is not None:
            self.stream.end()
            self.stream = None

    def _cancelled(self, reason: str) -> NoReturn:
        where = f"watch {self.name} at {self._transport.origin}"
        if "permission denied" in reason:
            raise error_of(where, 403, {"code": 7, "message": reason})
        if "leader" in reason or not reason:
            raise BackendUnavailableError(f"cannot {where}: {reason or 'the store ended the watch'}")
        raise error_of(where, 200, {"code": 14, "message": reason})
