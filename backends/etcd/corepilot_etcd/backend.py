"""The etcd backend: instances as keys under leases, watches from the revision after a range read.

The API is etcd's v3 as its own gateway speaks it, JSON over HTTP (etcd.io/docs/v3.4/dev-guide/api_grpc_gateway).
"""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

from corepilot.discovery.backend import Backend, BackendContext, facet
from corepilot.errors import BackendRefusedError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot_etcd.cluster import Cluster
from corepilot_etcd.encoding import Found
from corepilot_etcd.keeper import Keeper
from corepilot_etcd.leases import Leases
from corepilot_etcd.mirror import Mirror
from corepilot_etcd.names import service_names
from corepilot_etcd.pulse import Pulse
from corepilot_etcd.record import instance_of, services_below
from corepilot_etcd.registrations import Registrations
from corepilot_etcd.transport import Transport

if TYPE_CHECKING:
    from corepilot_etcd.keys import EtcdKeys
    from corepilot_etcd.locks import EtcdLocks

USUAL_PREFIX = "/corepilot"
"""The default of the option. The light module that has it imports this one; a test compares them."""


class EtcdBackend(Backend):
    """One client of one cluster. See `corepilot.discovery.backend.Backend` for what the methods promise."""

    options: Cluster

    def __init__(self, options: Cluster, context: BackendContext) -> None:
        super().__init__(options, context)
        self._transport = Transport(options)
        leases = Leases(self._transport)
        self._registrations = Registrations(self._transport, leases, options.prefix)
        self._keeper = Keeper(leases, self._registrations.lapse, self._registrations.settle, context.log)
        self._pulse = Pulse(self._transport, f"{options.prefix}/")
        self._foreign: set[str] = set()
        if warning := options.tls.warning():
            context.log("warning", warning)

    @facet
    def keys(self) -> "EtcdKeys":
        """The facet."""
        from corepilot_etcd.keys import EtcdKeys

        return EtcdKeys(self._transport, self.options.prefix, self._pulse)

    @facet
    def locks(self) -> "EtcdLocks":
        """The facet."""
        from corepilot_etcd.locks import EtcdLocks

        return EtcdLocks(self._transport, self.options.prefix, self._pulse)

    @property
    def address(self) -> str:
        """The members' URLs, and the prefix where it is not the usual one."""
        prefix = self.options.prefix
        return self._transport.origin + (f" below {prefix}" if prefix != USUAL_PREFIX else "")

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """Write the instance under the lease of its TTL, whatever its key held."""
        self._registrations.register(registration, status, output)
        self._keeper.start()

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """Write the status if it is another one; else ask whether the instance is there.

        The output is written with a change of the status only: each write would wake everybody who watches. What is
        not reported on for `valid_for_s` seconds we turn critical ourselves; if we cannot, its lease ends it.
        """
        self._registrations.report(instance_id, status, output, valid_for_s)
        self._keeper.start()

    def deregister(self, instance_id: str) -> None:
        """Delete the key, if it is ours. What another client registered ends with that one's lease."""
        self._registrations.deregister(instance_id)

    def instances(self, query: Query) -> Snapshot:
        """One range read."""
        mirror = self._mirror(query)
        mirror.load()
        return _asked_for(mirror.values(), query)

    def service_names(self) -> tuple[str, ...]:
        """The services that have a key."""
        return service_names(self._transport, self.options.prefix)

    def watch(self, query: Query) -> Generator[Snapshot]:
        """A range read, then a watch. Nothing is sent before the first `next`."""
        with closing(self._pulse.follow(self._mirror(query))) as stream:
            for found in stream:
                yield _asked_for(found, query)

    def close(self) -> None:
        """End the greenlets and watches, close the connections. Leases are left to expire."""
        self._keeper.close()
        self._pulse.close()
        self._transport.close()

    def _mirror(self, query: Query) -> Mirror[Instance]:
        if query.datacenter:
            raise BackendRefusedError(
                f"cannot watch {query.service} in the datacenter {query.datacenter}: etcd has none; remove `dc`"
            )

        span = services_below(self.options.prefix, query.service)

        def read(found: Found) -> Instance | None:
            try:
                return instance_of(query.service, found.key[len(span.key) :], found.value)
            except ValueError as error:
                self._warn_of_foreign(query.service, found, error)
                return None

        return Mirror(self._transport, span, read)

    def _warn_of_foreign(self, service: str, found: Found, error: ValueError) -> None:
        if service not in self._foreign:
            self._foreign.add(service)
            self.context.log(
                "warning",
                f"{found.key.decode('utf-8', 'replace')!r} at {self.address} is no instance: {error}; "
                f"ignoring it, and any others of {service} without another warning",
            )


def _asked_for(found: Snapshot, query: Query) -> Snapshot:
    return tuple(one for one in found if query.tag in one.tags) if query.tag else found
