"""The keys: a hash for each, with its value and its version, and a sorted set of their names, for prefixes."""

from collections.abc import Iterator

from corepilot.discovery.keys import Keys
from corepilot.errors import BackendRefusedError
from corepilot.model.catalog import Entries, Entry
from corepilot_redis.connection import Connection

# ARGV: the key's hash, the names, the counter of writes, the channel, the name, the value; a condition and its version.
_WRITE = """
if ARGV[7] then
  local version = redis.call('HGET', ARGV[1], 'version')
  if (version or '') ~= ARGV[7] then return 0 end
end
redis.call('HSET', ARGV[1], 'value', ARGV[6], 'version', redis.call('INCR', ARGV[3]))
redis.call('ZADD', ARGV[2], 0, ARGV[5])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""
_DELETE = """
if redis.call('DEL', ARGV[1]) == 1 then
  redis.call('ZREM', ARGV[2], ARGV[4])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
"""
_GET = "return redis.call('HMGET', ARGV[1], 'value', 'version')"
_LIST = """
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', ARGV[1], ARGV[3], ARGV[4])) do
  local fields = redis.call('HMGET', ARGV[2] .. name, 'value', 'version')
  table.insert(found, {name, fields[1], fields[2]})
end
return found
"""


class RedisKeys(Keys):
    def __init__(self, connection: Connection) -> None:
        self._name = connection.name
        self._news = connection.news
        self._write, self._delete = connection.script(_WRITE), connection.script(_DELETE)
        self._get, self._list = connection.script(_GET), connection.script(_LIST)

    def get(self, key: str) -> Entry | None:
        value, version = self._get(f"get {key}", self._hash(key))
        return None if version is None else Entry(key, value, version.decode())

    def put(self, key: str, value: bytes) -> None:
        self._write(f"put {key}", *self._places(key), key, value)

    def compare_and_set(self, key: str, value: bytes, version: str | None) -> bool:
        if version == "":  # what stands for None in the script, and was never a version
            return False
        return bool(self._write(f"put {key}", *self._places(key), key, value, version or ""))

    def delete(self, key: str) -> None:
        self._delete(f"delete {key}", self._hash(key), self._name("names"), self._name("key-changed"), key)

    def list(self, prefix: str) -> Entries:
        prefix = prefix.rstrip("/")
        # The names that begin with "prefix/" are those before "prefix0", because "0" follows "/".
        span = (f"[{self._checked(prefix)}/", f"({prefix}0") if prefix else ("-", "+")
        found = self._list(f"list {prefix}", self._name("names"), self._hash(""), *span)
        return tuple(Entry(name.decode(), value, version.decode()) for name, value, version in found)

    def watch(self, key: str, *, prefix: bool = False) -> Iterator[Entries]:
        for _ in self._news(self._name("key-changed")):
            found = None if prefix else self.get(key)
            yield self.list(key) if prefix else () if found is None else (found,)

    def _hash(self, key: str) -> str:
        return self._name("key", self._checked(key))

    def _places(self, key: str) -> tuple[str, ...]:
        return (self._hash(key), *map(self._name, ("names", "writes", "key-changed")))

    def _checked(self, key: str) -> str:
        if key.startswith("/"):
            raise BackendRefusedError(
                f"cannot use the key {key}: what is not below {self._name('key')} is not a key of ours"
            )
        return key
