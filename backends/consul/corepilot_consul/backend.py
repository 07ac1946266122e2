"""The Consul backend: registrations and reports at the local agent, watches by blocking queries, keys and locks.

What is sent is ContainerPilot's (its contract, section 7), so that both can share a catalog. The pages behind it:
developer.hashicorp.com/consul/api-docs/agent/service, …/agent/check and …/health. A service that is registered at an
agent survives us, which is why it has a TTL check that turns critical when nobody reports.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from corepilot.discovery.backend import Backend, BackendContext, facet
from corepilot.errors import UnknownInstanceError
from corepilot.http.percent import quoted
from corepilot.model.service import Query, Registration, Snapshot, Status
from corepilot_consul.agent import Agent
from corepilot_consul.light_consul import CB, Consul
from corepilot_consul.ownership import Ownership
from corepilot_consul.reading import ServiceReader, misses
from corepilot_consul.transport import Transport
from corepilot_consul.watch import Answer, Streams, answer_of

if TYPE_CHECKING:
    from corepilot_consul.keys import ConsulKeys
    from corepilot_consul.locks import ConsulLocks

_REGISTER = "/v1/agent/service/register"
_READERS = 64
"""Services whose last answer is remembered: those of a configuration, as a rule."""


class _Client(Consul):  # type: ignore[misc]  # py-consul has no types
    """py-consul's client on our transport. Its look at CONSUL_* variables is of no effect: the options have them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        super().__init__(host="", port=0, scheme="http", verify=True)
        self.token = None  # the transport adds it, to every request

    def http_connect(self, *_arguments: Any, **_keywords: Any) -> Transport:
        """The seam: called once by py-consul."""
        return self._transport


class ConsulBackend(Backend):
    """One client of one Consul agent. See `corepilot.discovery.backend.Backend` for what the methods promise."""

    options: Agent

    def __init__(self, options: Agent, context: BackendContext) -> None:
        super().__init__(options, context)
        self._transport = Transport(options)
        self._client = _Client(self._transport)
        self._readers: dict[Query, ServiceReader] = {}
        self._streams = Streams()
        agent = self._client.agent
        self._ownership = Ownership(self.address, agent.service_definition, agent.checks)
        if warning := options.tls.warning():
            context.log("warning", warning)

    @facet
    def keys(self) -> "ConsulKeys":
        """The facet."""
        from corepilot_consul.keys import ConsulKeys

        return ConsulKeys(self._client, self._transport, self._streams)

    @facet
    def locks(self) -> "ConsulLocks":
        """The facet."""
        from corepilot_consul.locks import ConsulLocks

        return ConsulLocks(self._client, self._transport, self._streams)

    @property
    def address(self) -> str:
        """The agent's URL."""
        return self._transport.origin

    def register(self, registration: Registration, status: Status, output: str) -> None:
        """Register the service with its TTL check, then report (ContainerPilot contract, sections 7.1 and 7.2).

        The report is not only for the output: an agent that knows the id already keeps the status its check had. As in
        ContainerPilot there is none where nothing has been checked yet (`initial_status`: no output).
        """
        body = _registration_body(registration, status)
        known = registration.id in self._ownership
        self._ownership.registered(registration)
        self._put(_REGISTER, body)
        if not output and not known:
            return
        try:
            self._update(registration.id, status, output)
        except UnknownInstanceError:
            # An earlier deregistration that timed out for us may still be carried out, after an agent was paused.
            self._put(_REGISTER, body)
            self._update(registration.id, status, output)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:  # noqa: ARG002
        """Update the TTL check, if the record is ours.

        Consul's TTL is fixed at registration, so `valid_for_s` is the registrar's to keep.
        """
        self._ownership.require(instance_id, status)
        self._update(instance_id, status, output)

    def deregister(self, instance_id: str) -> None:
        """Take the service and its check out of the agent. A record that is somebody else's stays."""
        if not self._ownership.is_strange(instance_id):
            self._client.agent.service.deregister(quoted(instance_id))
        self._ownership.deregistered(instance_id)

    def service_names(self) -> tuple[str, ...]:
        """The services of the agent's datacenter, Consul's own among them."""
        path = "/v1/catalog/services"
        try:
            found = json.loads(answer_of(self._client.catalog.services()).body)
        except (ValueError, RecursionError) as error:
            self._transport.nonsense(path, str(error))
        if not isinstance(found, dict):
            self._transport.nonsense(path, "it is not an object")
        return tuple(sorted(found))

    def watch(self, query: Query) -> Iterator[Snapshot]:
        """Blocking queries for the instances. Nothing is sent before the first `next`."""
        reader = self._reader(query)
        path = f"/v1/health/service/{query.service}"

        def ask(index: int, wait_s: int) -> Answer:
            return answer_of(
                self._client.health.service(
                    query.service,
                    passing=query.passing_only or None,
                    index=index or None,
                    wait=f"{wait_s}s",
                    tag=query.tag or None,
                    dc=query.datacenter or None,
                )
            )

        def read(body: bytes) -> Snapshot:
            try:
                return reader.read(body)
            except ValueError as error:
                self._transport.nonsense(path, str(error))

        return self._streams.follow(query.interval_s, ask, read, misses)

    def close(self) -> None:
        """End the watches, close the connections."""
        self._streams.close()
        self._transport.close()

    def _update(self, instance_id: str, status: Status, output: str) -> None:
        path = f"/v1/agent/check/update/service:{quoted(instance_id)}"
        self._put(path, {"Status": status, "Output": output})

    def _put(self, path: str, body: dict[str, Any]) -> None:
        self._transport.put(CB.boolean(), path, data=json.dumps(body), headers=self._client.prepare_headers())

    def _reader(self, query: Query) -> ServiceReader:
        """What reads the answers to a question, from one stream to the next: they are opened anew now and then."""
        reader = self._readers.pop(query, None) or ServiceReader(query.service)
        self._readers[query] = reader
        if len(self._readers) > _READERS:
            del self._readers[next(iter(self._readers))]
        return reader


def _registration_body(registration: Registration, status: Status) -> dict[str, Any]:
    """ContainerPilot contract, section 7.1."""
    check: dict[str, Any] = {
        "TTL": f"{registration.ttl_s}s",
        "Status": status,
        "Notes": registration.notes or f"TTL for {registration.service} set by containerpilot",
    }
    after = registration.extra_value("consul.deregisterCriticalServiceAfter")
    if after:
        check["DeregisterCriticalServiceAfter"] = after
    body: dict[str, Any] = {
        "ID": registration.id,
        "Name": registration.service,
        "Port": registration.port,
        "Address": registration.address,
        "Check": check,
    }
    if registration.tags:
        body["Tags"] = list(registration.tags)
    if registration.extra_value("consul.enableTagOverride"):
        body["EnableTagOverride"] = True
    meta, weights = registration.extra_value("consul.meta"), registration.extra_value("consul.weights")
    if isinstance(meta, tuple):
        body["Meta"] = dict([str(pair).split("=", 1) for pair in meta])
    if isinstance(weights, tuple):
        body["Weights"] = dict(zip(("Passing", "Warning"), weights, strict=True))
    return body
