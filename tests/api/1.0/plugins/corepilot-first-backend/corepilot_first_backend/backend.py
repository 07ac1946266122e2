"""The backend: services, and the facets over the same file."""

import time
from collections.abc import Iterator
from typing import Any

import gevent
from corepilot_first_backend.file import File
from corepilot_first_backend.keys import FileKeys
from corepilot_first_backend.locks import FileLocks

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status


class FirstBackend(Backend):
    """Keeps everything in one JSON file."""

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        self._file = File(options.path, options.look_s)
        self.keys, self.locks = FileKeys(self._file), FileLocks(self._file)

    @property
    def address(self) -> str:
        """Where the catalog is."""
        return f"first-backend {self.options.path}"

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """Make the file hold the instance."""
        r = registration
        with self._file.open() as held:
            held["services"][r.id] = [r.service, r.address, r.port, r.tags, status, time.time() + r.ttl_s]

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """Set its status."""
        with self._file.open() as held:
            if instance_id not in held["services"]:
                raise UnknownInstanceError(f"cannot report on {instance_id}: {self.address} does not hold it")
            held["services"][instance_id][4:] = [status, time.time() + valid_for_s]

    def deregister(self, instance_id: str) -> None:
        """Take it out."""
        with self._file.open() as held:
            held["services"].pop(instance_id, None)

    def service_names(self) -> tuple[str, ...]:
        """Every service."""
        with self._file.open() as held:
            return tuple(sorted({page[0] for page in held["services"].values()}))

    def instances(self, query: Query) -> Snapshot:
        """What there is now."""
        if query.datacenter:
            raise BackendRefusedError(f"cannot watch {query.service} in {query.datacenter}: there are no datacenters")
        with self._file.open() as held:
            found = [_instance(name, page) for name, page in sorted(held["services"].items())]
        return tuple(one for one in found if one.service == query.service and (not query.tag or query.tag in one.tags))

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """Yield all instances at once, and again after every change."""
        seen = None
        while True:
            found = self.instances(query)
            if found != seen:
                yield found
                seen = found
            gevent.sleep(self._file.look_s)

    def close(self) -> None:
        """End the watches."""
        self._file.closed = True


def _instance(name: str, page: list[Any]) -> Instance:
    service, address, port, tags, status, until = page
    return Instance(name, service, address, port, status if until > time.time() else "critical", tuple(tags))
