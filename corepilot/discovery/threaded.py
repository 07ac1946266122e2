"""A backend whose client blocks, as one whose calls let the hub turn: `Backend.blocking`.

The constructor, `address`, and the facets are asked for in the hub's thread, because none of them may do I/O. All else
happens in native threads with every signal blocked, so that signals reach the hub.
"""

from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.discovery.keys import Keys
from corepilot.discovery.locks import Locks
from corepilot.discovery.native_calls import STUCK_MAX, NativeCalls, Stuck
from corepilot.discovery.native_stream import NativeStream
from corepilot.discovery.wakeup import Wakeup
from corepilot.errors import BackendUnavailableError
from corepilot.model.catalog import Entries, Entry, Grant
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot.system.native_thread import start_native_thread


def made_in_threads(
    kind: Callable[[Any, BackendContext], Backend], options: Any, context: BackendContext
) -> "ThreadedBackend":
    """An instance of a blocking backend, inside what makes its calls in native threads; it may log from any of them."""
    wakeup = Wakeup()
    hub = get_ident()

    def log(level: str, message: str) -> None:
        if get_ident() == hub:
            context.log(level, message)
        else:
            wakeup.offer(lambda: context.log(level, message))

    return ThreadedBackend(kind(options, replace(context, log=log)), wakeup)


def unblocked(backend: Backend) -> Backend:
    """A backend that was made already, or where it is a blocking one, what makes its calls in native threads."""
    return ThreadedBackend(backend) if type(backend).blocking else backend


class _Threads:
    """The native threads of one backend: those of its calls, and one for each of its streams."""

    def __init__(self, wakeup: Wakeup, stuck: Stuck) -> None:
        self._wakeup, self.stuck = wakeup, stuck
        self._calls = NativeCalls(self._wakeup, self.stuck)
        self._streams: set[NativeStream] = set()
        self._closed = False
        self.call = self._calls.call

    def follow(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """See `NativeStream.follow`."""
        if self._closed:
            raise BackendUnavailableError("cannot watch: the client was closed")
        stream = NativeStream(make, self._wakeup, self.stuck)
        self._streams.add(stream)
        try:
            yield from stream.follow()
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End all that waits. Does not wait for any thread. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.close(BackendUnavailableError("cannot watch: the client was closed"))
        self._calls.close()
        self._wakeup.close()


class ThreadedBackend(Backend):
    """Stands for a blocking backend. Raises what that one raises, and `ThreadsStuckError`.

    Args:
        backend: The blocking one. It is this one's to close.
        wakeup: Made for it; this one's to close.
    """

    def __init__(self, backend: Backend, wakeup: Wakeup | None = None) -> None:
        super().__init__(backend.options, backend.context)
        self._backend = backend
        self._threads = _Threads(wakeup or Wakeup(), Stuck(self._left_behind))
        self._closed = False
        if isinstance(backend.keys, Keys):
            self.keys = _ThreadedKeys(backend.keys, self._threads)
        if isinstance(backend.locks, Locks):
            self.locks = _ThreadedLocks(backend.locks, self._threads)

    def __repr__(self) -> str:
        return f"{self._backend!r} in native threads"

    @property
    def address(self) -> str:
        """See Backend."""
        return self._backend.address

    @property
    def stuck(self) -> int:
        """How many threads were given up and have not returned."""
        return self._threads.stuck.count

    @property
    def mode(self) -> str:
        """How it is reached, for people; with the number of threads that were given up and have not returned."""
        own, stuck = str(getattr(self._backend, "mode", "")), self.stuck
        return ", ".join(filter(None, (own, "native threads", f"{stuck} stuck" if stuck else "")))

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """See Backend."""
        self._threads.call(self._backend.register, registration, status, output, subject=registration.id)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """See Backend."""
        self._threads.call(self._backend.report, instance_id, status, output, valid_for_s, subject=instance_id)

    def deregister(self, instance_id: str) -> None:
        """See Backend."""
        self._threads.call(self._backend.deregister, instance_id, subject=instance_id)

    def instances(self, query: Query) -> Snapshot:
        """See Backend."""
        found: Snapshot = self._threads.call(self._backend.instances, query)
        return found

    @property
    def lists_services(self) -> bool:
        """See Backend."""
        return self._backend.lists_services

    def service_names(self) -> tuple[str, ...]:
        """See Backend."""
        found: tuple[str, ...] = self._threads.call(self._backend.service_names)
        return found

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """See Backend."""
        return self._threads.follow(lambda: self._backend.watch(query))

    def close(self) -> None:
        """See Backend. The plugin's own `close` runs in a thread, which nobody waits for."""
        if self._closed:
            return
        self._closed = True
        self._threads.close()
        # Without a thread for it: the process ends, or is beyond help.
        with suppress(RuntimeError):
            start_native_thread(self._close)

    def _left_behind(self, count: int) -> None:
        self.context.log(
            "warning",
            f"{count} call{'s have' if count > 1 else ' has'} not returned after the deadline, each in a native thread "
            f"that nothing can end; with {STUCK_MAX} of them no more are made: the client needs timeouts of its own",
        )

    def _close(self) -> None:
        try:
            self._backend.close()
        except Exception as error:  # noqa: BLE001  - there is nobody to raise it to
            self.context.log("error", f"close raised {error!r:.500}")


class _ThreadedKeys(Keys):
    def __init__(self, keys: Keys, threads: _Threads) -> None:
        self._keys, self._threads = keys, threads

    def place(self, key: str) -> str:
        return self._keys.place(key)

    def get(self, key: str) -> Entry | None:
        found: Entry | None = self._threads.call(self._keys.get, key)
        return found

    def put(self, key: str, value: bytes) -> None:
        self._threads.call(self._keys.put, key, value, subject=f"the key {key}")

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        done: bool = self._threads.call(self._keys.compare_and_set, key, value, version, subject=f"the key {key}")
        return done

    def delete(self, key: str) -> None:
        self._threads.call(self._keys.delete, key, subject=f"the key {key}")

    def list(self, prefix: str) -> Entries:
        found: Entries = self._threads.call(self._keys.list, prefix)
        return found

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        return self._threads.follow(lambda: self._keys.watch(key, prefix=prefix))


class _ThreadedLocks(Locks):
    def __init__(self, locks: Locks, threads: _Threads) -> None:
        self._locks, self._threads = locks, threads

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        found: Grant | None = self._threads.call(
            self._locks.acquire, name, holder, ttl_s, delay_s, subject=f"the lock {name}"
        )
        return found

    def keep(self, name: str) -> float:
        left_s: float = self._threads.call(self._locks.keep, name, subject=f"the lock {name}")
        return left_s

    def release(self, name: str) -> None:
        self._threads.call(self._locks.release, name, subject=f"the lock {name}")

    def watch(self, name: str) -> Iterator[str | None]:
        return self._threads.follow(lambda: self._locks.watch(name))
