"""The facet `keys`: keys below `<prefix>/keys/`, and those of others by their absolute names."""

from collections.abc import Iterator

from corepilot.discovery.keys import Keys
from corepilot.model.catalog import Entries, Entry
from corepilot_etcd.encoding import Found, Span, found_in, parts, span_below, text_of
from corepilot_etcd.mirror import Mirror
from corepilot_etcd.pulse import Pulse
from corepilot_etcd.transport import Transport


class EtcdKeys(Keys):
    """Keys of etcd. See `corepilot.discovery.keys.Keys` for what the methods promise.

    Args:
        transport: The cluster.
        prefix: Where corepilot's own keys are.
        pulse: Looks after watches.
    """

    def __init__(self, transport: Transport, prefix: str, pulse: Pulse) -> None:
        self._transport, self._pulse = transport, pulse
        self._base = f"{prefix}/keys/"

    def place(self, key: str) -> str:
        """Below the prefix, unless it is absolute."""
        return self._place(key).decode()

    def get(self, key: str) -> Entry | None:
        """A linearizable read."""
        span = Span(self._place(key))
        answer = self._transport.call("/v3/kv/range", span.message())
        with self._transport.reading():
            for message in parts(answer, "kvs"):
                return _entry(key, found_in(message))
        return None

    def put(self, key: str, value: bytes) -> None:
        """One write. A lease that the key may have is taken from it."""
        message = {"key": text_of(self._place(key)), "value": text_of(value)}
        self._transport.call("/v3/kv/put", message)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """A transaction that compares the revision of the last write; it is sent once."""
        place = text_of(self._place(key))
        if version is not None and not (version.isascii() and version.isdecimal() and int(version)):
            return False  # never a version of ours
        compare = {"key": place, "target": "MOD", "result": "EQUAL", "mod_revision": version or "0"}
        put = {"request_put": {"key": place, "value": text_of(value)}}
        answer = self._transport.call("/v3/kv/txn", {"compare": [compare], "success": [put]}, repeatable=False)
        return answer.get("succeeded") is True

    def delete(self, key: str) -> None:
        """Delete one key."""
        self._transport.call("/v3/kv/deleterange", {"key": text_of(self._place(key))})

    def list(self, prefix: str) -> Entries:
        """A range read, all of it at one revision."""
        mirror = self._below(prefix)
        mirror.load()
        return mirror.values()

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """A range read, then a watch. Nothing is sent before the first `next`."""
        mirror = self._below(key) if prefix else self._mirror(key, Span(self._place(key)))
        yield from self._pulse.follow(mirror)

    def _mirror(self, asked: str, span: Span) -> Mirror[Entry]:
        hidden = "" if asked.startswith("/") else self._base

        def read(found: Found) -> Entry | None:
            try:
                return _entry(found.key.decode().removeprefix(hidden), found)
            except UnicodeDecodeError:
                return None  # no text names it

        return Mirror(self._transport, span, read)

    def _below(self, prefix: str) -> Mirror[Entry]:
        if not prefix:  # all of ours
            return self._mirror(prefix, span_below(self._base))
        return self._mirror(prefix, span_below(f"{self._place(prefix.removesuffix('/')).decode()}/"))

    def _place(self, key: str) -> bytes:
        """The key of the store."""
        return (key if key.startswith("/") else f"{self._base}{key}").encode()


def _entry(key: str, found: Found) -> Entry:
    return Entry(key, found.value, str(found.modified))
