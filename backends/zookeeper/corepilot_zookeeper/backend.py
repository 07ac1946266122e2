"""The ZooKeeper backend: ephemeral nodes for instances, persistent watches, one session.

The semantics are those of ZooKeeper's programmer's guide (zookeeper.apache.org/doc/current/zookeeperProgrammers.html):
sessions, ephemeral nodes, watches and their order, multi. `corepilot_zookeeper.layout` says what is where.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from corepilot.discovery.backend import Backend, BackendContext, facet
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot_zookeeper import services
from corepilot_zookeeper.ensemble import Ensemble, server_of
from corepilot_zookeeper.layout import Layout
from corepilot_zookeeper.registrations import Registrations
from corepilot_zookeeper.sessions import Sessions

if TYPE_CHECKING:
    from corepilot_zookeeper.keys import ZooKeeperKeys
    from corepilot_zookeeper.locks import ZooKeeperLocks

USUAL_PREFIX = "/corepilot"
"""The default of the option. The light module that has it imports this one; a test compares them."""


class ZooKeeperBackend(Backend):
    """One client of one ensemble. See `corepilot.discovery.backend.Backend` for what the methods promise."""

    options: Ensemble

    def __init__(self, options: Ensemble, context: BackendContext) -> None:
        super().__init__(options, context)
        self._server = server_of(options)
        layout = Layout(options.prefix)
        self._layout = layout
        self._sessions = Sessions(self._server, context.log)
        self._registrations = Registrations(self._sessions, layout, context.log)
        if options.tls.enabled and (warning := options.tls.warning()):
            context.log("warning", warning)

    @facet
    def keys(self) -> "ZooKeeperKeys":
        """The facet."""
        from corepilot_zookeeper.keys import ZooKeeperKeys

        return ZooKeeperKeys(self._sessions, self._layout.keys)

    @facet
    def locks(self) -> "ZooKeeperLocks":
        """The facet."""
        from corepilot_zookeeper.locks import ZooKeeperLocks

        return ZooKeeperLocks(self._sessions, self._layout, self.context.log)

    @property
    def address(self) -> str:
        """The servers, as they were given, and the prefix where it is not the usual one."""
        prefix = self.options.prefix
        return self._server.address + (f" below {prefix}" if prefix != USUAL_PREFIX else "")

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """Make the instance's ephemeral node."""
        self._registrations.register(registration, status, output)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:
        """Look whether the node is there and ours, and change it if the status is another one."""
        self._registrations.report(instance_id, status, output, valid_for_s)

    def deregister(self, instance_id: str) -> None:
        """Delete the node."""
        self._registrations.deregister(instance_id)

    def service_names(self) -> tuple[str, ...]:
        """The services that have a node with others below it, healthy or critical."""
        return services.names(self._sessions, self._layout)

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """See `corepilot_zookeeper.services`. Nothing is sent before the first `next`."""
        return services.watch(self._sessions, self._layout, query, self.context.log)

    def close(self) -> None:
        """End the watches and the connection. What is registered goes when the session's timeout is over."""
        self._registrations.close()
        if "locks" in vars(self):
            self.locks.close()
        self._sessions.close()
