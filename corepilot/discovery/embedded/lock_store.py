"""Locks as files: who makes the file with the next token has the lock, unless the one before is held.

No step needs a lock among the clients, so that nobody who is stopped or killed between any two system calls can stand
in the way of the others:

1. Look at the file with the highest token. While its stamp has not lapsed the lock is held, also by a holder that has
   died: what it ran is ended by the stamp, not by its death. That is the answer.
2. Make the file with the next token; of several who try only one can (open(2), O_EXCL). Write the stamp, lock it.
3. fsync(2) the file and the directory: the counter never goes back, whatever happens to the machine.
4. Look at the older files once more, and whether there is one with a higher token. If there is, or an older one is
   held, the claim is taken back. The token was never told, so it may be used again.

A holder keeps its lock the other way round: it moves its stamp, and then looks for a higher token. So of a holder that
wakes up late and a successor at least one sees the other (as in Dekker's algorithm: each writes before it reads), and
never both go on. Older files are removed by the next holder; the last one stays, as the counter.

The first token of a lock is the time, in seconds: on a file system that does not outlive the machine, such as /run, the
next ones are higher than those before.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from corepilot.discovery.embedded.client import ATTEMPTS, Client
from corepilot.discovery.embedded.directories import Place
from corepilot.discovery.embedded.durable import synchronise, synchronise_directory
from corepilot.discovery.embedded.held_lock import HeldLock
from corepilot.discovery.embedded.lock_file import HIGHEST, LockRecord, LockState, file_name, inspect, tokens
from corepilot.discovery.embedded.lock_view import LockView
from corepilot.discovery.embedded.record import LONGEST_S
from corepilot.discovery.locks import Locks
from corepilot.errors import BackendRefusedError, BackendUnavailableError, LockLostError
from corepilot.model.catalog import Grant
from corepilot.system.semaphore import BoundedSemaphore

DIRECTORY = ".locks"
"""No service's directory begins with a dot."""

_REREAD_S = 30.0


class EmbeddedLocks(Locks):
    """The facet `locks`. Costs one descriptor for each lock that is held.

    In a shared catalog everybody may take every lock: there the directory is not sticky.

    Args:
        client: The catalog.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._place = Place(client.directories, DIRECTORY, keep_sticky=False)
        self._held: dict[str, HeldLock] = {}
        self._turn = BoundedSemaphore(1)

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:
        """See `Locks.acquire`. The delay is not needed: a lock is ended by its holder or by its TTL, by nothing else.

        Raises:
            BackendRefusedError: the TTL or the holder cannot be used, we may not write there, or no token is higher.
            BackendUnavailableError: the disk is full, the directory is being removed, or the catalog was closed.
        """
        del delay_s
        action = f"acquire the lock {name}"
        self._client.require_open(action)
        if not 0 < ttl_s <= LONGEST_S / 2:
            raise BackendRefusedError(f"cannot {action}: its TTL is more than 0 s, at most {LONGEST_S / 2:g} s")
        asked_at = self._client.clock()
        with self._turn:
            held = self._held.get(name)
            try:
                if held is not None:
                    if self._renewed(name, held, ttl_s):
                        return Grant(held.token, ttl_s)
                    self._drop(name)
                return self._take(name, holder, asked_at + ttl_s, ttl_s, action)
            except OSError as error:
                raise self._client.explain(action, error) from error
            except ValueError as error:
                raise BackendRefusedError(f"cannot {action}: {error}; give it a shorter holder") from error

    def keep(self, name: str) -> float:
        """See `Locks.keep`. After the TTL it is lost, whether or not somebody has taken it meanwhile.

        Raises:
            LockLostError: it is not ours.
            BackendError: see there.
        """
        action = f"keep the lock {name}"
        self._client.require_open(action)
        held = self._held.get(name)
        if held is not None:
            ttl_s = held.ttl_s
            try:
                if self._renewed(name, held, ttl_s):
                    return ttl_s
            except OSError as error:
                raise self._client.explain(action, error) from error
            self._drop(name)
        raise LockLostError(f"cannot {action}: it is not ours; acquire it again")

    def release(self, name: str) -> None:
        """See `Locks.release`.

        Raises:
            BackendError: never for a lock that is not ours. One that is ours is free when its TTL is over.
        """
        held = self._held.pop(name, None)
        if held is None:
            return
        try:
            if held.in_place():
                held.release()
        except OSError as error:
            raise self._client.explain(f"release the lock {name}", error) from error
        finally:
            held.drop()

    def watch(self, name: str) -> Iterator[str | None]:
        """See `Locks.watch`."""
        action = f"watch the lock {name}"
        self._client.require_open(action)

        def view(breathe: Callable[[], None]) -> LockView:
            del breathe
            return LockView(self._place.path, name, self._client.clock, self._client.ignored)

        nobody: tuple[str, ...] = ()
        for holders in self._client.follow(action, self._place, view, nobody, _REREAD_S):
            yield holders[0] if holders else None

    def close(self) -> None:
        """Let go of everything: to all others we have died, and our stamps have still to pass. Idempotent."""
        while self._held:
            _, held = self._held.popitem()
            held.drop()

    def _renewed(self, name: str, held: HeldLock, ttl_s: float) -> bool:
        """Move the stamp, then look whether somebody has taken the lock; the order matters.

        If so the stamp goes back to where it was: it was not a renewal, and keeps nobody waiting.
        """
        now, before = self._client.clock(), held.record.until
        if now >= before:
            return False
        held.keep(now + ttl_s, ttl_s)
        if held.in_place() and self._tokens(name)[-1:] == [held.token]:
            return True
        held.keep(before, held.ttl_s)
        return False

    def _tokens(self, name: str) -> list[int]:
        return tokens(self._place.path, name, self._client.ignored)

    def _drop(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            held.drop()

    def _take(self, name: str, holder: str, until: float, ttl_s: float, action: str) -> Grant | None:
        for attempt in range(ATTEMPTS):
            self._place.make()
            try:
                return self._claim(name, holder, until, ttl_s, action)
            except FileNotFoundError:  # the directory was removed by somebody
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _claim(self, name: str, holder: str, until: float, ttl_s: float, action: str) -> Grant | None:
        clock, directory = self._client.clock, self._place.path
        last = max(self._tokens(name), default=0)
        if last and not self._is_free(name, last):
            return None
        if last == HIGHEST:
            path = os.path.join(directory, file_name(name, last))
            raise BackendRefusedError(f"cannot {action}: no token is higher than that of {path}; remove that file")
        token = last + 1 if last else int(time.time())
        record = LockRecord(holder, clock(), until, clock.boot, 0, os.getpid())
        try:
            path = os.path.join(directory, file_name(name, token))
            shared = self._client.directories.shared
            held = HeldLock.create(path, token, record, ttl_s, readable_by_all=shared)
        except (FileExistsError, BlockingIOError):
            return None  # somebody else is taking it just now
        try:
            synchronise(held.descriptor)
            synchronise_directory(directory)
            self._client.require_open(action)
            granted = self._stands(name, held)
            self._require_in_time(until, ttl_s, action)
        except BaseException:
            held.withdraw()
            raise
        if not granted:
            held.withdraw()
            return None
        self._held[name] = held
        with suppress(OSError):
            for older in self._tokens(name):
                if older < token:
                    os.unlink(os.path.join(directory, file_name(name, older)))
        return Grant(token, ttl_s)

    def _stands(self, name: str, held: HeldLock) -> bool:
        """Whether a claim has come true: nobody has claimed a higher token, and none of the lower ones is held."""
        found = self._tokens(name)
        return (
            held.in_place()
            and found[-1:] == [held.token]
            and all(self._is_free(name, token) for token in found if token < held.token)
        )

    def _require_in_time(self, until: float, ttl_s: float, action: str) -> None:
        if self._client.clock() >= until:
            raise BackendUnavailableError(f"cannot {action}: the disk took longer than its TTL of {ttl_s:g} s")

    def _is_free(self, name: str, token: int) -> bool:
        try:
            found = inspect(os.path.join(self._place.path, file_name(name, token)), self._client.clock)
        except FileNotFoundError:
            return True  # a claim that was taken back, or somebody has removed it
        return found.state is LockState.FREE
