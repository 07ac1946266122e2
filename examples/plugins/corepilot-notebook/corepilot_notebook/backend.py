"""The backend: what `corepilot.discovery.backend.Backend` asks for, on one JSON file."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendRefusedError, BackendUnavailableError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status


class NotebookBackend(Backend):
    _closed = False

    @property
    def address(self) -> str:
        return f"notebook {self.options.path}"

    def register(self, registration: Registration, status: Status, output: str) -> None:  # noqa: ARG002  - not kept
        r = registration
        with self._open() as pages:
            pages[r.id] = [r.service, r.address, r.port, r.tags, status, time.time() + r.ttl_s]

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:  # noqa: ARG002  - as above
        with self._open() as pages:
            if instance_id not in pages:
                raise UnknownInstanceError(f"cannot report on {instance_id}: {self.address} has no page for it")
            pages[instance_id][4:] = [status, time.time() + valid_for_s]

    def deregister(self, instance_id: str) -> None:
        with self._open() as pages:
            pages.pop(instance_id, None)

    def watch(self, query: Query) -> Iterator[Snapshot]:
        if query.datacenter:
            raise BackendRefusedError(f"cannot watch {query.service} in {query.datacenter}: a notebook has one place")
        seen = None
        while not self._closed:  # close() ends watches too
            with self._open() as pages:
                found = tuple(_instance(name, page) for name, page in sorted(pages.items()) if page[0] == query.service)
            snapshot = tuple(one for one in found if not query.tag or query.tag in one.tags)
            if snapshot != seen:
                yield snapshot
                seen = snapshot
            gevent.sleep(self.options.look_s)

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def _open(self) -> Iterator[dict[str, Any]]:
        """The pages, read and, where they were changed, written back. Others wait, for microseconds."""
        if self._closed:
            raise BackendUnavailableError(f"cannot use {self.address}: this client of it was closed")
        try:
            with open(self.options.path, "a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                before = file.read()
                pages = json.loads(before or "{}")
                yield pages
                after = json.dumps(pages)
                if after != before:
                    os.truncate(file.fileno(), 0)
                    file.write(after)
        except (OSError, ValueError) as error:
            raise BackendUnavailableError(f"cannot use {self.address}: {error}") from error


def _instance(name: str, page: list[Any]) -> Instance:
    service, address, port, tags, status, until = page
    return Instance(name, service, address, port, status if until > time.time() else "critical", tuple(tags))
