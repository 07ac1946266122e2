"""Keeps services, keys and locks in Redis."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option

API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch", "expiry", "keys", "locks"})


@dataclass(frozen=True)
class Options:
    url: str = option(
        help="where Redis is", default="redis://127.0.0.1:6379/0", example="rediss://:secret@redis:6379/0"
    )
    prefix: str = option(help="what the names of all keys in Redis begin with", default="corepilot")
    timeout_s: float = option(
        help="how long to wait for an answer", unit="s", minimum=0.1, maximum=4, default=2.0
    )  # less than the 5 s after which corepilot gives a call up, with the thread that waits in it

    def __post_init__(self) -> None:
        if not self.url.startswith(("redis://", "rediss://", "unix://")):
            raise OptionError("url", "it begins with redis://, rediss:// (TLS) or unix://")


@hookimpl
def corepilot_register_backend() -> type[Any]:
    from corepilot_redis.backend import RedisBackend

    return RedisBackend
