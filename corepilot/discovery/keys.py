"""The facet `keys`: values under names, for configuration and state that instances share.

A backend that has it declares the capability "keys" and gives an instance as `Backend.keys`. The conformance suite is
`corepilot.testing.backends.KeySuite`. What the module of the backend's contract says of greenlets, deadlines and errors
holds here too.

A key is a text of segments with "/" between them, such as `app/limits`; segments are not empty, and neither "." nor
"..". Where the store has a place that is corepilot's own (`prefix` of etcd and ZooKeeper, the embedded catalog's
directory), keys are below it; a key that begins with "/" is an absolute one of the store, for what other programs keep
there. Where there is no such place (Consul), the slash at the beginning means nothing.

corepilot judges keys, prefixes and the length of values before it asks a backend, which therefore need not. A backend
refuses what its store cannot hold beyond that, with BackendRefusedError.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from corepilot.model.catalog import Entries, Entry

VALUE_MAX = 512 * 1024
"""Bytes of a value, at most: Consul's limit, the smallest among the stores (consul/docs/dynamic-app-config/kv)."""

KEY_MAX = 512
"""Bytes of a key in UTF-8, at most."""


class Keys(ABC):
    """The keys of one catalog, over the backend's connection. It lives and is closed with the backend.

    A value that is written is read by everybody whose call begins after the write has returned. What several keys hold
    at one moment, only a store with transactions can tell: `list` and `watch` of a prefix may mix two moments, but
    never stop at such a mixture.
    """

    def place(self, key: str) -> str:
        """The name that a key has in the store, for people: what they find there with another program. No I/O.

        Raises:
            BackendRefusedError: the key cannot be used there.
        """
        return key

    @abstractmethod
    def get(self, key: str) -> Entry | None:
        """What a key holds; None if there is no such key.

        Raises:
            BackendError: it is not known.
        """

    @abstractmethod
    def put(self, key: str, value: bytes) -> None:
        """Make a key hold a value, whatever it held. Idempotent.

        Raises:
            BackendRefusedError: the value is longer than the store takes, or the key cannot be used there.
            BackendError: the key holds the old value or the new one.
        """

    @abstractmethod
    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        """Write only if nobody else has written.

        Args:
            key: The key.
            value: What it is to hold.
            version: `Entry.version` as it was read; None: there is no such key.

        Returns:
            Whether it was written. False: the key holds something else, or is there, or is gone.

        Raises:
            BackendError: it may or may not have been written. Read it again.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Take a key away. Idempotent: a key that is not there is no error. Keys below it stay.

        Raises:
            BackendError: it may or may not be there.
        """

    @abstractmethod
    def list(self, prefix: str) -> Entries:
        """All keys that begin with a prefix and a slash, at any depth, sorted. The prefix itself is left out.

        Args:
            prefix: Segments, such as `app`; a slash at its end means nothing. "": all keys that are not absolute.

        Raises:
            BackendError: nothing is known.
        """

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        """Yield what a key, or every key below a prefix, holds: at once, and again after every change.

        A generator under the rules of `Backend.watch`: it may repeat itself, may leave out what did not last, never the
        last state; it raises on any loss. A key that is not there is an empty tuple. Without the capability "watch"
        corepilot asks `get` or `list` every few seconds instead.

        Raises:
            BackendError: the stream is over.
        """
        raise NotImplementedError
