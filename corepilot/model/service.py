"""Services and instances as corepilot sees them, whatever stores them."""

from __future__ import annotations

from typing import Literal

from corepilot.model.value import Value

Status = Literal["passing", "warning", "critical"]

Extras = tuple[tuple[str, object], ...]
"""Names and values: what only one kind of catalog knows. Scalars, and tuples of scalars."""


class Registration(Value):
    """What one job wants the catalog to hold: one instance of a service.

    Attributes:
        id: Unique in the catalog: `<service>-<instance>` (ContainerPilot contract, section 7.1; our design, rule 7).
        service: The service's name, `^[a-z][a-zA-Z0-9-]+$`.
        address: An IP address, as chosen at load time.
        port: 1-65535.
        tags: In the order of the configuration; may be empty.
        ttl_s: Seconds after which an instance that nobody reports on counts as critical. At least 1.
        notes: Text for the people who look at the catalog.
        extras: What only one catalog knows, as `backend.option`: Consul's `consul.enableTagOverride` (true) and
            `consul.deregisterCriticalServiceAfter` (a Go duration, passed on as it is), `consul.meta` (texts
            `name=value`) and `consul.weights` (two numbers: passing, warning). Others ignore them.
        catalogs: Names of the catalogs that are to hold it; none: all that take registrations.
    """

    id: str
    service: str
    address: str
    port: int
    tags: tuple[str, ...] = ()
    ttl_s: int = 10
    notes: str = ""
    extras: Extras = ()
    catalogs: tuple[str, ...] = ()

    def extra_value(self, name: str) -> object:
        """What a catalog's own setting says, such as `consul.enableTagOverride`; None where it is not set."""
        return dict(self.extras).get(name)


class Instance(Value):
    """One instance of a service, as the catalog tells it. Sorts by id."""

    id: str
    service: str
    address: str
    port: int
    status: Status
    tags: tuple[str, ...] = ()


class Query(Value):
    """What a watch asks for.

    Attributes:
        service: The service's name.
        tag: Only instances that carry this tag; "" for all.
        datacenter: Consul's `dc`; "" for the local one. A backend without datacenters raises BackendRefusedError
            for any other value.
        interval_s: The configuration's polling interval in seconds: how stale an answer may be at most. A backend that
            pushes changes uses it only as the upper bound of its own re-reads.
        passing_only: Whoever asks looks at passing instances only, as ContainerPilot does: a backend may leave out the
            others, where that saves work.
    """

    service: str
    tag: str = ""
    datacenter: str = ""
    interval_s: int = 10
    passing_only: bool = False


Snapshot = tuple[Instance, ...]
"""Every instance of one service at one moment, all statuses (but see `Query.passing_only`), sorted by id, ids unique.
May be empty."""


class Service(Value):
    """What a job with a port advertises.

    Attributes:
        registration: The instance.
        initial_status: The status it is registered with before its first check, or None: at the first passing one.
        port_of_replica: Of a job with replicas the text that is each one's port, with `%i` for its number; "" where
            they share the registration's.
    """

    registration: Registration
    initial_status: Status | None = None
    port_of_replica: str = ""
