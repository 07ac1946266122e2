"""The locks of the configuration: who needs each, who keeps it, and what the guard does when we do not.

Whatever runs under a lock has to be gone when the promise ends. A supervisor that works sees to it by itself, in time
(`corepilot.discovery.lock_keeper`). One that hangs cannot: so the guard knows, for each lock, the end of the promise
and the process groups, and kills them then.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import gevent

from corepilot.jobs.starting import missing
from corepilot.jobs.supervision import Ending, LockUser
from corepilot.model.configuration import Lock
from corepilot.model.event import Event
from corepilot.model.job import stop_s

if TYPE_CHECKING:
    from corepilot.discovery.lock_keeper import LockKeeper
    from corepilot.supervisor.catalog import Catalog


class LockCounts(NamedTuple):
    """What is measured of a lock: whether it is held, and how often it was acquired and lost."""

    held: bool
    acquisitions: int
    losses: int


class Announcing(Protocol):
    """The guard's end of what is promised; see `corepilot.guard.channel.Channel`."""

    def locked(self, slot: int, until: float, groups: Iterable[int], marks: Iterable[str] = ()) -> None:
        """Say until when processes of these groups, or with these marks, may be there."""


class JobLocks:
    """All locks.

    Args:
        publish: Puts an event on the bus.
        guard: Told of promises.
        holder: Who we are, for people who look at a lock.
    """

    def __init__(self, publish: Callable[[Event], None], guard: Announcing, holder: str) -> None:
        self._publish, self._guard, self._holder = publish, guard, holder
        self._keepers: dict[str, LockKeeper] = {}
        self._retired: dict[LockKeeper, Catalog] = {}
        self._leaving: set[LockKeeper] = set()  # those of the retired that are giving theirs back
        self._catalogs: dict[str, Catalog] = {}
        self._slots: dict[str, int] = {}  # of those with processes that the guard knows
        self._users: dict[str, dict[LockUser, bool]] = {}
        self._hooks: dict[str, set[str]] = {}  # marks of what has hooked a stop under each, until nothing runs there
        self._given: dict[str, dict[str, str]] = {}  # what the last run under each found in its environment
        self._before: dict[str, LockCounts] = {}  # of earlier keepers of the same locks

    def commit(self, locks: "tuple[Lock, ...]", catalogs: "Mapping[str, Catalog]") -> None:
        """Go on with the locks of another configuration. One that goes, or whose catalog has another client, is lost.

        It is given back when what runs under it has ended, and its client closed not before that. Its successor on the
        same client asks for nothing until then: to a catalog they are one, and what one of them was granted the other
        would give back.
        """
        wanted = {lock.name: lock for lock in locks}
        counts = {name: count for name, count in self.counts().items() if name in wanted}
        for name, keeper in tuple(self._keepers.items()):
            lock = wanted.get(name)
            facet = catalogs[lock.catalog].backend.locks if lock is not None and lock.catalog in catalogs else None
            if lock is not None and keeper.facet is facet and keeper.lock.changed(catalog=lock.catalog) == lock:
                keeper.lock = lock  # its catalog may have another name
            else:
                del self._keepers[name]
                self._retired[keeper] = self._catalogs.pop(name)
                lost = keeper.grant is not None
                if name in counts:
                    self._before[name] = counts[name]._replace(losses=counts[name].losses + lost)
                if lost:
                    self._publish(Event("lost", f"lock.{name}"))
                self._refresh(name)
        self._before = {name: count for name, count in self._before.items() if name in wanted}
        for name, lock in wanted.items():
            catalog = catalogs.get(lock.catalog)
            if name not in self._keepers and catalog is not None and catalog.backend.locks is not None:
                self._keepers[name] = keeper = self._keeper(lock, catalog)
                self._catalogs[name] = catalog
                catalog.used_by(keeper)
                self._refresh(name)

    def tell(self, job: "LockUser") -> None:
        """A job that needs a lock has moved on."""
        name, state = job.plan.job.lock, job.state
        for other, left in tuple(self._users.items()):
            if other != name and left.pop(job, None) is not None:
                self._refresh(other)
                self._forget_unused(other)
        if not name:
            return
        users = self._users.setdefault(name, {})
        busy = bool(job.groups) or state.stop.stage in {"hooked", "draining", "terminating"}
        starts_again = state.ended and state.stop.outcome == "again"
        waits = state.process.stage != "none" and not (state.process.stage == "standby" and missing(job.plan, state))
        if busy or starts_again or (not state.ended and waits):
            users[job] = busy or state.process.stage == "running"
        else:
            users.pop(job, None)
        self._refresh(name)
        self._forget_unused(name)

    def environment(self, name: str) -> dict[str, str]:
        """What a run under a lock finds in its environment."""
        keeper = self._keepers.get(name)
        grant = keeper.grant if keeper is not None else None
        if grant is None:
            return {}
        self._given[name] = {"COREPILOT_LOCK_TOKEN": str(grant.token)}
        return self._given[name]

    def usable(self, name: str) -> bool:
        """See `corepilot.jobs.supervision.Locks`. By the clock: the loss may not have been noticed yet."""
        keeper = self._keepers.get(name)
        return keeper is not None and keeper.usable

    def ending(self, job: str, mark: str) -> Ending | None:
        """See `corepilot.jobs.supervision.Locks`. After a loss, too: the promise holds on until it is over."""
        for name, users in self._users.items():
            if any(user.plan.job.name == job and user.state.process.runs for user in users):
                self._hooks.setdefault(name, set()).add(mark)
                self._announce(name)
                return Ending(name, self._given.get(name, {}), self._until(name) - time.monotonic())
        return None

    def facts(self) -> Iterator[Event]:
        """What holds of the locks: those that are ours."""
        for name, keeper in self._keepers.items():
            if keeper.grant is not None:
                yield Event("acquired", f"lock.{name}")

    def counts(self) -> dict[str, LockCounts]:
        """What is measured of each lock, over all who have kept it."""
        found = {}
        for name, keeper in self._keepers.items():
            before = self._before.get(name, LockCounts(held=False, acquisitions=0, losses=0))
            acquisitions, losses = before.acquisitions + keeper.acquisitions, before.losses + keeper.losses
            found[name] = LockCounts(keeper.grant is not None, acquisitions, losses)
        return found

    def status(self) -> list[dict[str, object]]:
        """See `LockKeeper.status`."""
        return [keeper.status() for keeper in self._keepers.values()]

    def give_back(self) -> None:
        """All jobs have ended: nobody needs a lock any more. Waits for at most RELEASE_S."""
        every = {keeper: self._catalogs[name] for name, keeper in self._keepers.items()} | self._retired
        self._keepers.clear()
        self._retired.clear()
        gevent.joinall([gevent.spawn(keeper.give_back) for keeper in every])
        for keeper, catalog in every.items():
            catalog.done_with(keeper)

    def _keeper(self, lock: Lock, catalog: "Catalog") -> "LockKeeper":
        from corepilot.discovery.lock_keeper import LockKeeper

        assert catalog.backend.locks is not None  # noqa: S101  - asked by the caller
        keeper = LockKeeper(
            lock,
            catalog.backend.locks,
            holder=self._holder,
            tell=lambda what: self._tell(keeper, what),
            connection=catalog.connection,
            log=catalog.log,
        )
        return keeper

    def _tell(self, keeper: "LockKeeper", what: str) -> None:
        name = keeper.lock.name
        self._announce(name)
        if self._keepers.get(name) is keeper and what != "renewed":
            self._publish(Event(what, f"lock.{name}"))

    def _let_go(self, keeper: "LockKeeper") -> None:
        """Nothing runs any more under a lock that is not configured, or has other settings or another client now."""
        try:
            keeper.give_back()
        finally:
            self._leaving.discard(keeper)
            catalog = self._retired.pop(keeper, None)
            if catalog is not None:
                catalog.done_with(keeper)
                self._refresh(keeper.lock.name)

    def _refresh(self, name: str) -> None:
        keeper, users = self._keepers.get(name), self._users.get(name, {})
        busy = any(users.values())
        ends_s = max([stop_s(one.plan.job, hooked=bool(one.plan.awaited_hook)) for one in users], default=0.0)
        before = [one for one in self._retired if one.lock.name == name]
        if keeper is not None:
            free = all(one.facet is not keeper.facet for one in before)
            keeper.use(wanted=bool(users) and free, busy=busy, stop_s=ends_s)
        for retired in [one for one in before if one not in self._leaving]:
            if busy:
                retired.use(wanted=False, busy=True, stop_s=ends_s)
            else:
                self._leaving.add(retired)
                gevent.spawn(self._let_go, retired)
        self._announce(name)

    def _forget_unused(self, name: str) -> None:
        if not self._users.get(name, True):
            del self._users[name]

    def _announce(self, name: str) -> None:
        """The promise holds on after a loss, until everything that ran is gone."""
        until = self._until(name)
        users = self._users.get(name, {})
        if any(users.values()):
            groups = sorted({group for one in users for group in one.groups})
            marks = sorted({one.mark for one in users} | self._hooks.get(name, set()))
            slot = self._slots.get(name)
            if slot is None:
                taken = self._slots.values()
                slot = self._slots[name] = next(number for number in range(len(taken) + 1) if number not in taken)
            self._guard.locked(slot, until, groups, marks)
            return
        self._hooks.pop(name, None)
        if name in self._slots:
            self._guard.locked(self._slots.pop(name), 0.0, ())

    def _until(self, name: str) -> float:
        """When the promise ends, by the monotonic clock; 0 if nothing is promised."""
        keepers = [*self._keepers.values(), *[one for one in self._retired if one not in self._leaving]]
        return max([one.until for one in keepers if one.lock.name == name], default=0.0)


def holder_of(environment: Mapping[str, str], hostname: str) -> str:
    """Who this process is, for people who look at a lock: `host/pid`."""
    return f"{environment.get('COREPILOT_INSTANCE') or hostname}/{os.getpid()}"
