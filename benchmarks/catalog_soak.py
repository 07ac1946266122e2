"""Catalogs that are hurt again and again: is every change seen, nothing told that is not so, and no lock held twice?

    python benchmarks/catalog_soak.py --backend etcd [--seconds 600] [--every 20] [--seed 1]

One process: a writer with the store at hand, which changes a service and a key; watches on both, and a registration of
their own, which reach the store through the fault proxy; three who compete for a lock, and give it back now and then.
Everything is corepilot's own: Watcher, Registrar and LockKeeper over guarded backends. Every `--every` seconds one
fault; in every second round, the writer goes on meanwhile. Checked in each round:

- soon after the fault the watches show what the writer wrote last, and the store our registration;
- a round in which nothing was written and the store lost nothing brings no event; no event tells what was told already;
- a lock has one holder at a time, and a higher token with each: so a resource that compares them refuses nobody but
  those who have lost it. Where a fault wipes the store, its tokens begin anew.

It ends with status 0 if all was so.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import gevent
from catalog_cost import guarded
from gevent.threadpool import ThreadPool
from stores import NAMES, SERVICE, Holder, Store, chosen, store

from corepilot.discovery.connection import Connection
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.lock_keeper import LockKeeper
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendError
from corepilot.model.configuration import Lock, Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Registration
from corepilot.testing.proxy import FaultProxy

TTL_S = 30
LOCK_TTL_S = 10.0
"""The shortest that Consul takes."""
STOP_S = 0.5
SETTLED_S = 20.0
"""So long after a fault, all has to be in order: longer than the longest pause between two tries of the first minute,
with a call that overruns its deadline before it."""

_THREAD = ThreadPool(1)
"""One that stays: servers end with the thread that has started them."""


class Fault(NamedTuple):
    """What happens to the store, or to the way there.

    Attributes:
        name: For people.
        begin: Begins it. Must not take long.
        end: Ends it; returns when the store serves again.
        loses: Whether the store loses registrations and sessions, or gets others.
        wipes: Whether it loses everything, the numbers of its tokens included.
        longer: How much longer than the others it lasts.
    """

    name: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    loses: bool = False
    wipes: bool = False
    longer: float = 1.0


class Told:
    """The events of a watch, with what it knew at each."""

    def __init__(self) -> None:
        self.contents: list[object] = []
        self.repeated = 0

    def take(self, event: Event, content: object) -> None:
        if event.code == "changed":
            self.repeated += bool(self.contents) and self.contents[-1] == content
            self.contents.append(content)


class Resource:
    """What the lock is for: it compares tokens.

    Attributes:
        wrong: What must not happen and did.
        grants: How often the lock was had.
        lenient: Whether the store forgets locks, so that a second one is given before the first can know. Tokens grow
            all the same.
    """

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.grants = 0
        self.lenient = False
        self._newest = (0, "")
        self._holders: set[str] = set()

    def forget(self) -> None:
        """The store was wiped: it numbers anew."""
        self._newest = (0, "")

    def acquired(self, who: str, token: int) -> None:
        self.grants += 1
        newest, whose = self._newest
        if self._holders - {who} and not self.lenient:
            self.wrong.append(f"{who} was given the lock while {self._holders} held it")
        if token < newest or (token == newest and who != whose):
            self.wrong.append(f"{who} was given token {token} after {newest}: the resource would refuse it")
        self._holders.add(who)
        self._newest = max(self._newest, (token, who))

    def left(self, who: str) -> None:
        self._holders.discard(who)


class Competitor:
    """Wants the lock, holds it for some seconds, gives it back, and wants it again.

    Attributes:
        resting: Whether it is to leave the lock alone.
    """

    def __init__(self, who: str, backend: GuardedBackend, connection: Connection, resource: Resource) -> None:
        assert backend.locks is not None
        self.resting = False
        self._who, self._resource = who, resource
        self._lock = LockKeeper(
            Lock("soak", LOCK_TTL_S), backend.locks, holder=who, tell=self._told, connection=connection, log=_quiet
        )
        self._greenlet = gevent.spawn(self._run)

    @property
    def idle(self) -> bool:
        """Whether it holds nothing."""
        return self._lock.grant is None

    def rest(self) -> None:
        """Give it back, and leave it alone until `resting` is taken back."""
        self.resting = True
        self._leave()

    def close(self) -> None:
        self._greenlet.kill()
        self._lock.give_back()

    def _told(self, what: str) -> None:
        if what == "acquired" and self._lock.grant is not None:
            self._resource.acquired(self._who, self._lock.grant.token)
        elif what == "lost":
            self._resource.left(self._who)

    def _leave(self) -> None:
        self._resource.left(self._who)  # what runs under it is ended first
        self._lock.use(wanted=False, busy=False, stop_s=STOP_S)

    def _run(self) -> None:
        while True:
            if not self.resting:
                self._lock.use(wanted=True, busy=False, stop_s=STOP_S)
            gevent.sleep(random.uniform(4, 9))
            if not self.idle:
                self._leave()
                gevent.sleep(random.uniform(0.5, 2))


class Soak:
    """All that runs for one store.

    Args:
        near: The store as the writer reaches it.
        far: The same behind the proxy.
    """

    def __init__(self, near: Store, far: Store) -> None:
        self.failures: list[str] = []
        self.resource = Resource()
        self._port = 1000
        self._backends = [guarded(near), guarded(far), guarded(far)]
        self._writer, self._ours, third = self._backends
        connections = [Connection(5.0) for _ in self._backends]
        self._written = Registrar(self._writer, log=_quiet, connection=connections[0])
        self._registered = Registrar(self._ours, log=_quiet, connection=connections[1])
        view = CatalogView(near.name, self._ours, connections[1], _quiet)
        self.told = [Told(), Told()]
        self._service = self._watcher(Watch(SERVICE, 1, at_start=True), view, self.told[0])
        self._key = self._watcher(Watch("key", 1, "key", "soak/value", at_start=True), view, self.told[1])
        self.change()
        self._registered.advertise(Registration("ours-1", "ours", "127.0.0.1", 1, (), TTL_S), "passing")
        self._competitors = [
            Competitor(f"competitor {number}", backend, connection, self.resource)
            for number, (backend, connection) in enumerate(
                zip((self._writer, self._ours, third), connections, strict=True)
            )
        ]
        self._heartbeat = gevent.spawn(self._beat)

    def change(self) -> None:
        """Change service and key: soon, if the store does not answer now."""
        self._port += 1
        registration = Registration("soak-1", SERVICE, "127.0.0.1", self._port, (), TTL_S)
        self._written.advertise(registration, "passing")
        try:
            with gevent.Timeout(2.0):
                assert self._writer.keys is not None
                self._writer.keys.put("soak/value", str(self._port).encode())
        except (BackendError, gevent.Timeout):
            pass  # `settle` writes it

    def prepare(self, fault: Fault) -> None:
        """Locks are out of the game where the store is wiped, and not judged by time where it forgets them."""
        self.resource.lenient = self.resource.lenient or fault.loses
        if fault.wipes:
            for one in self._competitors:
                one.rest()
            deadline = time.monotonic() + SETTLED_S
            while not all(one.idle for one in self._competitors) and time.monotonic() < deadline:
                gevent.sleep(0.05)
            gevent.sleep(1.0)  # the answer to a release
            self.resource.forget()

    def go_on(self, fault: Fault) -> None:
        """What `prepare` did is over, a lock's TTL after the fault."""
        if fault.loses:
            gevent.sleep(LOCK_TTL_S / 3 + 1.0)  # who has lost it knows by then: it was to be kept
            self.resource.lenient = False
        for one in self._competitors:
            one.resting = False

    def settle(self, what: str) -> None:
        """Write the last value once more, and wait until everybody has seen everything."""
        deadline = time.monotonic() + SETTLED_S
        missing = "nothing"
        while time.monotonic() < deadline:
            missing = self._missing()
            if not missing:
                return
            gevent.sleep(0.1)
        self.failures.append(f"{what}: {missing} within {SETTLED_S:g} s")

    def close(self) -> None:
        self._heartbeat.kill()
        for one in self._competitors:
            one.close()
        self._service.close()
        self._key.close()
        self._written.close()
        self._registered.close()
        for backend in self._backends:
            backend.close()

    def _missing(self) -> str:
        value = str(self._port).encode()
        try:
            with gevent.Timeout(5.0):
                assert self._writer.keys is not None
                held = self._writer.keys.get("soak/value")
                if held is None or held.value != value:
                    self._writer.keys.put("soak/value", value)
                if [one.port for one in self._service.passing_instances] != [self._port]:
                    return f"the watch shows {self._service.passing_instances}, not port {self._port}"
                if [one.value for one in self._key.entries] != [value]:
                    return f"the watch shows {self._key.entries}, not {value!r}"
                if "passing" not in [one.status for one in self._writer.instances(Query("ours"))]:
                    return "the store did not get our registration"
                return ""
        except gevent.Timeout:
            return "the store did not answer"
        except BackendError as error:
            return str(error)

    def _beat(self) -> None:
        while True:
            gevent.sleep(2.0)
            self._written.report("soak-1", "passing")
            self._registered.report("ours-1", "passing")

    def _watcher(self, watch: Watch, view: CatalogView, told: Told) -> Watcher:
        def take(event: Event) -> None:
            told.take(event, (tuple((one.address, one.port) for one in made.passing_instances), made.entries))

        made = Watcher(watch, [view], take)
        made.start()
        return made


def _quiet(_level: str, _message: str) -> None:
    pass


@contextmanager
def reached(one: Store) -> Iterator[tuple[Store, list[Fault]]]:
    """A store behind the proxy, and what can be done to both."""
    if one.server is None:
        holders: list[Holder] = []
        yield (
            one,
            [
                Fault(
                    "another holder killed",
                    lambda: holders.append(one.hold(3)),
                    lambda: holders.pop().kill(),
                    loses=True,
                ),
                Fault("the directory removed", lambda: _remove(one.where), loses=True, wipes=True),
            ],
        )
        return
    port = int(one.where.rpartition(":")[2])
    with FaultProxy("127.0.0.1", port) as proxy:
        where = f"127.0.0.1:{proxy.port}"
        options: dict[str, Any] = {"address": where}
        if one.name != "consul":
            options = {"endpoints": [f"http://{where}"]} if one.name == "etcd" else {"hosts": where}
        far = one._replace(options=options, where=where)
        stop = getattr(one.server, "kill", None) or one.server.stop
        faults = [
            Fault("the connection cut", proxy.reset),
            Fault("the server killed and restarted", stop, one.server.start, *[one.name == "consul"] * 2),
            Fault("nothing passes", proxy.hold, proxy.heal, longer=2.4),
            Fault("the server paused", one.server.pause, one.server.resume),
            Fault("connections refused", proxy.refuse, proxy.heal),
        ]
        if one.name == "etcd":
            faults.append(Fault("every lease revoked", lambda: _revoke(one), loses=True))
        elif one.name == "consul":
            faults.append(Fault("every registration and session lost", one.server.reset, loses=True))
        yield far, faults


def _remove(path: str) -> None:
    os.rename(path, f"{path}-{time.monotonic_ns()}")  # all at once; what is left goes with the directory above


def _revoke(one: Store) -> None:
    for line in one.server.ctl("lease", "list").splitlines()[1:]:
        one.server.ctl("lease", "revoke", line.strip())


def soak(name: str, seconds: float, every_s: float) -> list[str]:
    """What was wrong."""
    with ExitStack() as stack:
        near = stack.enter_context(store(name))
        far, faults = stack.enter_context(reached(near))
        run = Soak(near, far)
        stack.callback(run.close)
        run.settle("at the start")
        end = time.monotonic() + seconds
        number, lasts_s = 0, min(5.0, every_s / 3)
        while time.monotonic() < end:
            began, fault = time.monotonic(), faults[number // 2 % len(faults)]
            busy = bool(number % 2)
            before = [len(told.contents) for told in run.told]
            run.prepare(fault)
            began = time.monotonic()
            _in_thread(fault.begin)
            until = began + lasts_s * fault.longer
            while time.monotonic() < until:
                if busy:
                    run.change()
                gevent.sleep(0.3)
            _in_thread(fault.end)
            ended = time.monotonic()
            run.settle(fault.name)
            events = sum(len(told.contents) - old for told, old in zip(run.told, before, strict=True))
            took_s = time.monotonic() - ended
            print(f"  {fault.name + (', writing' if busy else ''):<50} in order {took_s:5.1f} s later, {events} events")
            sys.stdout.flush()
            if not busy and not fault.loses and events:
                run.failures.append(f"{fault.name}: {events} events although nothing had changed")
            run.go_on(fault)
            number += 1
            gevent.sleep(max(0.0, began + every_s - time.monotonic()))
        if any(told.repeated for told in run.told):
            run.failures.append("an event told what was told already")
        if not run.resource.grants:
            run.failures.append("nobody ever had the lock")
        print(f"  {number} faults, the lock had {run.resource.grants} times")
        return [*run.failures, *run.resource.wrong]


def _in_thread(call: Callable[[], object]) -> None:
    _THREAD.apply(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    failures: list[str] = []
    for name in chosen(arguments.backend):
        print(name, flush=True)
        failures += [f"{name}: {one}" for one in soak(name, arguments.seconds, arguments.every)]
    for one in failures:
        print(one)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
