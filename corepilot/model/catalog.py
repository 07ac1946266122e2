"""What the other facets of a catalog tell: keys with their values, and locks."""

from __future__ import annotations

from corepilot.model.value import Value


class Entry(Value):
    """One key and what it holds. Sorts by key.

    Attributes:
        key: As it was asked for: see `corepilot.discovery.keys.Keys`.
        value: At most `VALUE_MAX` bytes.
        version: Another text after every write of the key, also after one that deletes it and makes it again. It says
            nothing else: it is only to be given back to `compare_and_set`.
    """

    key: str
    value: bytes
    version: str = ""


Entries = tuple[Entry, ...]
"""Sorted by key, keys unique. May be empty."""


class Grant(Value):
    """A lock that is ours.

    Attributes:
        token: The fencing token. Whoever holds the lock later has a higher one for as long as the store keeps its data,
            also after a restart. etcd, Consul and ZooKeeper start anew when they lose their data, and a later holder
            may then get a lower token; the embedded catalog does not, as its first token is the time.
        ttl_s: Seconds after which the lock is free, counted from the call that brought this answer, unless it is kept.
            Never more than was asked for; a store with one lease for everything may give less.
    """

    token: int
    ttl_s: float
