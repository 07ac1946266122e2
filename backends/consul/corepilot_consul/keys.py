"""Keys in Consul's key/value store (developer.hashicorp.com/consul/api-docs/kv).

A version is the key's ModifyIndex: the index of the write in the servers' log, so it also differs after a key was
deleted and made again. One exception, which harms nobody: a write of what a key holds already is none for Consul.
"""

from binascii import a2b_base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from corepilot.discovery.keys import Keys
from corepilot.http.percent import quoted
from corepilot.http.time_slice import TimeSlice
from corepilot.model.catalog import Entries, Entry
from corepilot_consul.elements import each
from corepilot_consul.light_consul import Consul
from corepilot_consul.transport import Transport
from corepilot_consul.watch import Answer, Streams, answer_of

INTERVAL_S = 10.0
"""How long a query for keys blocks, and how often they are asked for where queries do not block."""


class Item(NamedTuple):
    """A key as Consul tells it.

    Attributes:
        key: Its name.
        value: What it holds.
        modified: Its ModifyIndex.
        session: The session that has locked it; "" for none.
    """

    key: str
    value: bytes
    modified: int
    session: str


class ConsulKeys(Keys):
    """The keys of one agent's datacenter. See `corepilot.discovery.keys.Keys`.

    Args:
        client: py-consul's.
        transport: Its transport.
        streams: Where watches are kept.
    """

    def __init__(self, client: Consul, transport: Transport, streams: Streams) -> None:
        self._kv, self._transport, self._streams = client.kv, transport, streams

    def place(self, key: str) -> str:
        """Without the slash at its beginning, which means nothing."""
        return key.removeprefix("/")

    def get(self, key: str) -> Entry | None:
        """See Keys. Asked of the leader, who makes sure that it still is one: whatever was written is seen."""
        entries = self._entry(key, self._now(_quoted(key)))
        return entries[0] if entries else None

    def put(self, key: str, value: bytes) -> None:
        """See Keys."""
        self._written(key, value)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """See Keys. Consul's check-and-set, with 0 for a key that is not there."""
        if version is None:
            return self._written(key, value, cas=0)
        # Whatever else is given back was never a version of ours, and Consul would take "0" for None.
        known = version.isascii() and version.isdecimal() and len(version) < 21 and 0 < int(version) < 2**64
        return known and self._written(key, value, cas=int(version))

    def delete(self, key: str) -> None:
        """See Keys."""
        self._kv.delete(_quoted(key))

    def list(self, prefix: str) -> Entries:
        """See Keys."""
        return self._below(prefix, self._now(_folder(prefix), recurse=True))

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """See Keys. Blocking queries; nothing is sent before the first `next`."""
        path = _folder(key) if prefix else _quoted(key)

        def ask(index: int, wait_s: int) -> Answer:
            return answer_of(self._kv.get(path, recurse=prefix, index=index or None, wait=f"{wait_s}s"))

        def read(body: bytes) -> Entries:
            return self._below(key, body) if prefix else self._entry(key, body)

        return self._streams.follow(INTERVAL_S, ask, read)

    def _now(self, path: str, *, recurse: bool = False) -> bytes:
        return answer_of(self._kv.get(path, recurse=recurse, consistency="consistent")).body

    def _written(self, key: str, value: bytes, cas: int | None = None) -> bool:
        done = self._kv.put(_quoted(key), value, cas=cas)
        if not isinstance(done, bool):
            self._transport.nonsense(f"/v1/kv/{_quoted(key)}", "it is neither true nor false")
        return done

    def _entry(self, key: str, body: bytes) -> Entries:
        return tuple([Entry(key, one.value, str(one.modified)) for one in items(self._transport, key, body)][:1])

    def _below(self, prefix: str, body: bytes) -> Entries:
        slash = "/" if prefix.startswith("/") else ""
        found = [one for one in items(self._transport, prefix, body) if not one.key.endswith("/")]
        return tuple(sorted(Entry(slash + one.key, one.value, str(one.modified)) for one in found))


def items(transport: Transport, key: str, body: bytes) -> list[Item]:
    """The keys in the body of an answer; none in an empty one. Switches to the hub when it takes long.

    Raises:
        BackendUnavailableError: it is not what Consul answers.
    """
    if not body:
        return []
    try:
        return [_item(one) for one in each(body, TimeSlice().check)]
    except ValueError as error:
        transport.nonsense(f"/v1/kv/{quoted(key, safe='/')}", str(error))


def _item(held: Any) -> Item:
    if not isinstance(held, dict):
        raise ValueError("an entry is no object")  # noqa: TRY004  - the type of the answer, not of an argument
    key, value, index, session = (held.get(name) for name in ("Key", "Value", "ModifyIndex", "Session"))
    right = isinstance(key, str) and isinstance(value or "", str) and type(index) is int and index > 0
    if not right or not isinstance(session or "", str):
        raise ValueError("a key has a field of the wrong type")
    return Item(str(key), a2b_base64(value or ""), index or 0, session or "")


def _quoted(key: str) -> str:
    """A key as it stands in a path."""
    return quoted(key.removeprefix("/"), safe="/")


def _folder(prefix: str) -> str:
    """What the keys below a prefix begin with; "" for all."""
    text = prefix.removeprefix("/").removesuffix("/")
    return f"{_quoted(text)}/" if text else ""
