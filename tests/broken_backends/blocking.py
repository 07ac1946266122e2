"""A backend that blocks and breaks no rule, and some that break one, with the test that has to catch it."""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from corepilot.discovery.backend import STREAM_BLOCK_S, Backend, BackendContext
from corepilot.errors import BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status


class Shelf:
    """What several clients share: instances by id, and who wakes whom."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.instances: dict[str, Instance] = {}

    def set(self, instance: Instance) -> None:
        with self.changed:
            self.instances[instance.id] = instance
            self.changed.notify_all()

    def forget(self) -> None:
        with self.changed:
            self.instances.clear()
            self.changed.notify_all()


class BlockingBackend(Backend):
    blocking = True
    wait_s: float | None = STREAM_BLOCK_S / 2

    def __init__(self, options: Shelf, context: BackendContext) -> None:
        super().__init__(options, context)
        self.shelf = options
        self._closed = False

    @property
    def address(self) -> str:
        return "a shelf"

    def register(self, registration: Registration, status: Status, output: str) -> None:  # noqa: ARG002  - not kept
        self._answer()
        r = registration
        self.shelf.set(Instance(r.id, r.service, r.address, r.port, status, r.tags))

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:  # noqa: ARG002  - as above
        self._answer()
        with self.shelf.changed:
            found = self.shelf.instances.get(instance_id)
        if found is None:
            raise UnknownInstanceError(f"cannot report on {instance_id}: it is not there")
        self.shelf.set(found.changed(status=status))

    def deregister(self, instance_id: str) -> None:
        self._answer()
        with self.shelf.changed:
            self.shelf.instances.pop(instance_id, None)
            self.shelf.changed.notify_all()

    def watch(self, query: Query) -> Iterator[Snapshot]:
        if query.datacenter:
            raise BackendRefusedError(f"cannot watch {query.service} in {query.datacenter}: there is one place")
        while True:
            self._answer()
            with self.shelf.changed:
                found = self._found(query)
            yield found
            with self.shelf.changed:
                if found == self._found(query) and not self._closed:
                    self.shelf.changed.wait(self.wait_s)

    def close(self) -> None:
        self._closed = True

    def _found(self, query: Query) -> Snapshot:
        every = sorted(one for one in self.shelf.instances.values() if one.service == query.service)
        return tuple(one for one in every if not query.tag or query.tag in one.tags)

    def _answer(self) -> None:
        time.sleep(0.001)
        if self._closed:
            raise BackendUnavailableError("cannot use the shelf: the client was closed")


class StreamWaitsForEver(BlockingBackend):
    wait_s = None


class WorksOnAfterClose(BlockingBackend):
    def close(self) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class RaisesInItsThread(BlockingBackend):
    def register(self, *arguments: Any, **named: Any) -> None:
        super().register(*arguments, **named)
        raise KeyError("register")


class ExitsInItsThread(BlockingBackend):
    def report(self, *_arguments: Any, **_named: Any) -> None:
        sys.exit(4)


class StreamIsNoGenerator(BlockingBackend):
    def watch(self, query: Query) -> Any:
        return [self._found(query)]


class BlocksInTheConstructor(BlockingBackend):
    def __init__(self, options: Shelf, context: BackendContext) -> None:
        super().__init__(options, context)
        time.sleep(0.2)


BROKEN: dict[type[Backend], tuple[str, str]] = {
    StreamWaitsForEver: ("a_watch_that_is_closed_ends_its_thread", "must end its thread"),
    WorksOnAfterClose: ("nothing_is_left_behind", "close must end every thread"),
    RaisesInItsThread: ("every_status_can_be_registered", "errors must be those of the contract: register"),
    ExitsInItsThread: ("every_status_can_be_reported", "errors must be those of the contract: report"),
    StreamIsNoGenerator: ("a_watch_opens_with_what_is_there", "watch must return a generator"),
    BlocksInTheConstructor: ("making_one_is_fast_and_does_no_io", "__init__ must return at once"),
}
"""The backend; the test of the suites that has to fail, and what it has to say."""
