"""The services: a hash for each instance, which expires with its TTL, and a set of ids for each service."""

import json
from collections.abc import Iterator
from typing import Any

from corepilot.discovery.backend import Backend, BackendContext
from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.model.service import Instance, Query, Registration, Snapshot, Status
from corepilot_redis.connection import Connection
from corepilot_redis.keys import RedisKeys
from corepilot_redis.locks import RedisLocks

_REGISTER = """
redis.call('DEL', ARGV[1])
redis.call('HSET', ARGV[1], 'service', ARGV[6], 'address', ARGV[7], 'port', ARGV[8],
  'tags', ARGV[9], 'status', ARGV[10])
redis.call('PEXPIRE', ARGV[1], ARGV[5])
redis.call('SADD', ARGV[2], ARGV[4])
redis.call('PUBLISH', ARGV[3], ARGV[4])
"""
_REPORT = """
local service = redis.call('HGET', ARGV[1], 'service')
if not service then return 0 end
if redis.call('HGET', ARGV[1], 'status') ~= ARGV[2] then
  redis.call('HSET', ARGV[1], 'status', ARGV[2])
  redis.call('PUBLISH', ARGV[4] .. service, ARGV[1])
end
redis.call('PEXPIRE', ARGV[1], ARGV[3])
return 1
"""
_DEREGISTER = """
local service = redis.call('HGET', ARGV[1], 'service')
redis.call('DEL', ARGV[1])
if service then
  redis.call('SREM', ARGV[2] .. service, ARGV[4])
  redis.call('PUBLISH', ARGV[3] .. service, ARGV[4])
end
"""
_INSTANCES = """
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', ARGV[1])) do
  local fields = redis.call('HMGET', ARGV[2] .. id, 'service', 'address', 'port', 'status', 'tags')
  if fields[1] then
    table.insert(found, {id, fields[1], fields[2], fields[3], fields[4], fields[5]})
  else
    redis.call('SREM', ARGV[1], id)
  end
end
return found
"""


class RedisBackend(Backend):
    blocking = True

    def __init__(self, options: Any, context: BackendContext) -> None:
        super().__init__(options, context)
        self._connection = connection = Connection(options.url, options.prefix, options.timeout_s)
        self._register, self._report = connection.script(_REGISTER), connection.script(_REPORT)
        self._deregister, self._instances = connection.script(_DEREGISTER), connection.script(_INSTANCES)
        self.keys, self.locks = RedisKeys(connection), RedisLocks(connection)

    @property
    def address(self) -> str:
        return f"{self._connection.address} ({self.options.prefix})"

    def register(self, registration: Registration, status: Status, output: str) -> None:  # noqa: ARG002  - not kept
        r, name = registration, self._connection.name
        where = (name("instance", r.id), name("service", r.service), name("changed", r.service))
        fields = (r.service, r.address, r.port, json.dumps(r.tags), status)
        self._register(f"register {r.id}", *where, r.id, r.ttl_s * 1000, *fields)

    def report(self, instance_id: str, status: Status, output: str, valid_for_s: float) -> None:  # noqa: ARG002  - as above
        name = self._connection.name
        arguments = (name("instance", instance_id), status, max(1, int(valid_for_s * 1000)), name("changed", ""))
        if not self._report(f"report on {instance_id}", *arguments):
            raise UnknownInstanceError(f"cannot report on {instance_id}: {self.address} does not hold it (any more)")

    def deregister(self, instance_id: str) -> None:
        name = self._connection.name
        where = (name("instance", instance_id), name("service", ""), name("changed", ""))
        self._deregister(f"deregister {instance_id}", *where, instance_id)

    def instances(self, query: Query) -> Snapshot:
        if query.datacenter:
            raise BackendRefusedError(f"cannot look up {query.service} in {query.datacenter}: Redis is one place")
        name = self._connection.name
        found = self._instances(f"look up {query.service}", name("service", query.service), name("instance", ""))
        every = sorted(map(_instance, found))
        return tuple(one for one in every if not query.tag or query.tag in one.tags)

    def service_names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name in set(self._connection.names("service")) if self.instances(Query(name))))

    def watch(self, query: Query) -> Iterator[Snapshot]:
        for _ in self._connection.news(self._connection.name("changed", query.service)):
            yield self.instances(query)

    def close(self) -> None:
        self._connection.close()


def _instance(fields: list[bytes]) -> Instance:
    identity, service, address, port, status, tags = (field.decode() for field in fields)
    known: Any = status
    return Instance(identity, service, address, int(port), known, tuple(json.loads(tags)))
