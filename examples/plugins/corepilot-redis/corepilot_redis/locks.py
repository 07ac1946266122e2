"""The locks: a hash for each that is held, which expires with its TTL. The token is a counter that only grows.

Redis has to keep that counter when it is restarted: with `appendonly yes` and `appendfsync always`.
"""

import os
from collections.abc import Iterator

from corepilot.discovery.locks import Locks
from corepilot.errors import LockLostError
from corepilot.model.catalog import Grant
from corepilot_redis.connection import Connection

# ARGV: the lock's hash, the channel, ourselves; the TTL, the holder, the counter of tokens.
_ACQUIRE = """
local owner = redis.call('HGET', ARGV[1], 'owner')
if owner and owner ~= ARGV[3] then return 0 end
if not owner then
  redis.call('HSET', ARGV[1], 'owner', ARGV[3], 'holder', ARGV[5], 'token', redis.call('INCR', ARGV[6]))
end
redis.call('HSET', ARGV[1], 'ttl_ms', ARGV[4])
redis.call('PEXPIRE', ARGV[1], ARGV[4])
redis.call('PUBLISH', ARGV[2], ARGV[5])
return tonumber(redis.call('HGET', ARGV[1], 'token'))
"""
_KEEP = """
if redis.call('HGET', ARGV[1], 'owner') ~= ARGV[3] then return 0 end
local ttl_ms = redis.call('HGET', ARGV[1], 'ttl_ms')
redis.call('PEXPIRE', ARGV[1], ttl_ms)
return tonumber(ttl_ms)
"""
_RELEASE = """
if redis.call('HGET', ARGV[1], 'owner') == ARGV[3] then
  redis.call('DEL', ARGV[1])
  redis.call('PUBLISH', ARGV[2], '')
end
"""
_HOLDER = "return redis.call('HGET', ARGV[1], 'holder')"


class RedisLocks(Locks):
    def __init__(self, connection: Connection) -> None:
        self._name, self._news = connection.name, connection.news
        self._acquire, self._keep = connection.script(_ACQUIRE), connection.script(_KEEP)
        self._release, self._holder = connection.script(_RELEASE), connection.script(_HOLDER)
        self._owner = os.urandom(16).hex()  # so that a grant whose answer was lost is found again

    def acquire(self, name: str, holder: str, ttl_s: float, delay_s: float) -> Grant | None:  # noqa: ARG002  - no sessions
        ttl_ms = max(1, int(ttl_s * 1000))
        token = self._acquire(f"acquire {name}", *self._places(name), ttl_ms, holder, self._name("tokens"))
        return Grant(token, ttl_ms / 1000) if token else None

    def keep(self, name: str) -> float:
        ttl_ms = self._keep(f"keep {name}", *self._places(name))
        if not ttl_ms:
            raise LockLostError(f"cannot keep the lock {name}: somebody else holds it, or nobody does")
        return float(ttl_ms) / 1000

    def release(self, name: str) -> None:
        self._release(f"release {name}", *self._places(name))

    def watch(self, name: str) -> Iterator[str | None]:
        for _ in self._news(self._name("lock-changed", name)):
            holder = self._holder(f"watch {name}", self._name("lock", name))
            yield None if holder is None else holder.decode()

    def _places(self, name: str) -> tuple[str, ...]:
        return self._name("lock", name), self._name("lock-changed", name), self._owner
