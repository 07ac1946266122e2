"""All that runs for one store: a writer, watches, registrations, and three who compete for the lock.

Everything is corepilot's own: Watcher, Registrar and LockKeeper over guarded backends.
"""

import random
import time
from collections.abc import Callable

import gevent
from catalog_cost import guarded
from soaking.faults import Fault
from soaking.judge import Allowed, Resource, Told
from soaking.outsider import LOCK, LOCK_TTL_S, STOP_S
from stores import SERVICE, Store

from corepilot.discovery.connection import Connection
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.lock_keeper import LockKeeper
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendError
from corepilot.model.configuration import Lock, Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Registration

TTL_S = 30
SETTLED_S = 20.0
"""So long after a fault, all has to be in order: longer than the longest pause between two tries of the first minute,
with a call that overruns its deadline before it."""
FIRST_PORT = 1000
"""The writer's are higher, those of others lower."""
KEY = "soak/value"

Log = Callable[[str, str], None]


class Competitor:
    """Wants the lock, holds it for some seconds, gives it back, and wants it again.

    Attributes:
        resting: Whether it is to leave the lock alone.
    """

    def __init__(self, who: str, backend: GuardedBackend, connection: Connection, resource: Resource, log: Log) -> None:
        assert backend.locks is not None
        self.resting = False
        self._who, self._resource = who, resource
        self._lock = LockKeeper(
            Lock(LOCK, LOCK_TTL_S), backend.locks, holder=who, tell=self._told, connection=connection, log=log
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
        self._resource.left(self._who)  # nothing is told of what follows
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


class Participants:
    """The writer, the watches, the registrations, the competitors.

    Args:
        near: The store as the writer reaches it.
        far: The same behind the proxy.
        resource: What the lock is for.
        wrong: Takes what must not have happened.
        log: Takes a level and a message.

    Attributes:
        written: What was written, in order.
        told: What the watches of the service, of the key and of its prefix told.
    """

    def __init__(self, near: Store, far: Store, resource: Resource, wrong: Callable[[str], None], log: Log) -> None:
        self.written = [FIRST_PORT]
        self.told = [
            Told(what, kind, wrong, self.written)
            for what, kind in (("service", "services"), ("key", "keys"), ("prefix", "keys"))
        ]
        self._resource, self._wrong = resource, wrong
        self._backends = [guarded(near), guarded(far), guarded(far)]
        self._writer, ours, third = self._backends
        connections = [Connection(5.0) for _ in self._backends]
        self._written = Registrar(self._writer, log=log, connection=connections[0])
        self._registered = Registrar(ours, log=log, connection=connections[1])
        view = CatalogView(near.name, ours, connections[1], log)
        watches = (
            Watch(SERVICE, 1, at_start=True),
            Watch("key", 1, "key", KEY, at_start=True),
            Watch("prefix", 1, "prefix", KEY.partition("/")[0] + "/", at_start=True),
        )
        self._watchers = [self._watcher(watch, view, told) for watch, told in zip(watches, self.told, strict=True)]
        self.change()
        self._registered.advertise(Registration("ours-1", "ours", "127.0.0.1", 1, (), TTL_S), "passing")
        self._competitors = [
            Competitor(f"competitor {number}", backend, connection, resource, log)
            for number, (backend, connection) in enumerate(zip((self._writer, ours, third), connections, strict=True))
        ]
        self._heartbeat = gevent.spawn(self._beat)

    def change(self) -> None:
        """Change service and key: soon, if the store does not answer now."""
        self.written.append(self.written[-1] + 1)
        registration = Registration("soak-1", SERVICE, "127.0.0.1", self.written[-1], (), TTL_S)
        self._written.advertise(registration, "passing")
        try:
            with gevent.Timeout(2.0):
                assert self._writer.keys is not None
                self._writer.keys.put(KEY, str(self.written[-1]).encode())
        except (BackendError, gevent.Timeout):
            pass  # `settle` writes it

    def prepare(self, fault: Fault) -> None:
        """Tell the judges what is excused. Locks are out of the game where their numbers begin anew."""
        for told in self.told:
            told.begin(Allowed(told.kind in fault.loses, fault.late))
        self._resource.lenient = self._resource.lenient or "locks" in fault.loses
        if "tokens" in fault.loses or fault.takes_lock:
            for one in self._competitors:
                one.rest()
            deadline = time.monotonic() + SETTLED_S
            while not all(one.idle for one in self._competitors) and time.monotonic() < deadline:
                gevent.sleep(0.05)
            gevent.sleep(1.0)  # the answer to a release
        if "tokens" in fault.loses:
            self._resource.forget()

    def compete(self) -> None:
        """Whoever rests wants the lock again."""
        for one in self._competitors:
            one.resting = False

    def go_on(self, fault: Fault) -> None:
        """What `prepare` did is over, after the time in which a holder finds out that its lock is gone."""
        for told in self.told:
            told.end()
        if "locks" in fault.loses:
            gevent.sleep(LOCK_TTL_S / 3 + 1.0)
            self._resource.lenient = False
        self.compete()

    def settle(self, what: str, others: int = 0) -> None:
        """Wait until everybody has seen what was written last; what had no answer is written once more.

        Args:
            what: What has happened, for the finding.
            others: How many instances of others there are.
        """
        deadline = time.monotonic() + SETTLED_S
        missing = "nothing"
        while time.monotonic() < deadline:
            missing = self._missing(others)
            if not missing:
                return
            gevent.sleep(0.1)
        self._wrong(f"{what}: {missing} within {SETTLED_S:g} s")

    def close(self) -> None:
        self._heartbeat.kill()
        for one in self._competitors:
            one.close()
        for watcher in self._watchers:
            watcher.close()
        self._written.close()
        self._registered.close()
        for backend in self._backends:
            backend.close()

    def _missing(self, others: int) -> str:
        port = self.written[-1]
        value = str(port).encode()
        service, *of_keys = self._watchers
        ports = [one.port for one in service.passing_instances]
        try:
            with gevent.Timeout(5.0):
                assert self._writer.keys is not None
                held = self._writer.keys.get(KEY)
                if held is None or held.value != value:
                    self._writer.keys.put(KEY, value)
                if port not in ports or len(ports) != 1 + others:
                    return f"the watch shows the ports {ports}, not {port} and {others} more"
                for watcher in of_keys:
                    if [one.value for one in watcher.entries] != [value]:
                        return f"the watch of the {watcher.watch.name} shows {watcher.entries}, not {value!r}"
                for name, wanted in ((SERVICE, port), ("ours", 1)):
                    found = self._writer.instances(Query(name))
                    if (wanted, "passing") not in [(one.port, one.status) for one in found]:
                        return f"the store has {found}, without the port {wanted}"
                if not all(one.status()["connected"] for one in self._watchers):
                    return "a watch has no stream"
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
            ports = tuple(sorted((one.address, one.port) for one in made.passing_instances))
            ours = [port for _, port in ports if port > FIRST_PORT]
            told.take(event, (*ports, *made.entries), ours or [int(one.value) for one in made.entries])

        made = Watcher(watch, [view], take)
        made.start()
        return made
