"""The facet `locks`: one holder at a time, with a fencing token.

A backend that has it declares the capability "locks" and gives an instance as `Backend.locks`. The conformance suite is
`corepilot.testing.backends.LockSuite`. What the module of the backend's contract says of greenlets, deadlines and
errors holds here too.

Who owns what. corepilot owns time: it asks for a lock when it is free, keeps it every third of its TTL, and has ended
what runs under it by the time the TTL of the last answered call is over. The backend only translates. No lock is safe
by itself: a process that was paused may wake up after its TTL. So every grant carries a token, and a resource that
compares tokens refuses the older holder.

Tokens grow for as long as the store keeps its data, restarts included. Those of etcd, Consul and ZooKeeper count the
writes of the store: one that was wiped or restored from a backup starts anew from there, and a later holder may get a
lower token than an earlier one, which no client can tell. The embedded catalog starts with the time in seconds, so its
tokens grow also then, unless the clock was set back.

A lock's name is a text of letters, digits, ".", "_" and "-", and neither "." nor "..". A client competes for a lock by
calling `acquire`, and does so until it calls `release`: a store that keeps a queue (ZooKeeper) keeps the client's place
in it. corepilot judges names before it asks a backend, which therefore need not.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from corepilot.model.catalog import Grant


class Locks(ABC):
    """The locks of one catalog, over the backend's connection. It lives and is closed with the backend."""

    @abstractmethod
    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        """Take a lock if it is free. Does not wait for it. Idempotent: whoever holds it gets the same token again.

        Also after an answer that was lost: what this client may have been granted then is found again, or is released
        before anything new is asked for.

        Args:
            name: The lock.
            holder: Who asks, for people: one line of text.
            ttl_s: Seconds after which it is to be free if it is not kept.
            delay_s: Seconds that a successor is to wait when the store ends the grant before its TTL (Consul's
                LockDelay). A store without such a thing ignores it.

        Returns:
            The grant, or None while somebody else holds it.

        Raises:
            BackendRefusedError: the store cannot keep such a lock: the TTL is too short, there is no permission.
            BackendError: it may or may not be ours. Ask again, or release it.
        """

    @abstractmethod
    def keep(self, name: str) -> float:
        """Renew a lock that is ours.

        Returns:
            Seconds for which it is ours, from the moment this call was made. Only an answer of the store counts: what
            the backend believes is nothing.

        Raises:
            LockLostError: it is not ours any more.
            BackendError: it is not known; it is ours until the TTL of the last answer is over.
        """

    @abstractmethod
    def release(self, name: str) -> None:
        """Give a lock back, and compete for it no longer. Idempotent: also for one that is not ours.

        Raises:
            BackendError: it is free when its TTL is over.
        """

    @abstractmethod
    def watch(self, name: str) -> Iterator[str | None]:
        """Yield who holds a lock, None while it is free: at once, and again after every change.

        A generator under the rules of `Backend.watch`. It need not tell of a lock that changed hands and back between
        two looks. It does not compete.

        Raises:
            BackendError: the stream is over.
        """
