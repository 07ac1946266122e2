"""redis-py, with timeouts, without retries, and with corepilot's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from corepilot.errors import BackendRefusedError, BackendTimeoutError, BackendUnavailableError

LOOK_S = 0.5
"""How long a watch waits for news until it looks anyway: what expires, Redis does not publish by itself."""


class Connection:
    """A client whose methods block, for at most twice its timeout: to connect, and to be answered. Thread-safe."""

    def __init__(self, url: str, prefix: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self.address = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
        self._prefix, self._timeout_s = prefix, timeout_s
        self._closed = False
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # corepilot does that, with back-off and jitter
            protocol=2,
        )

    def name(self, *parts: str) -> str:
        """The name of a key in Redis."""
        return ":".join((self._prefix, *parts))

    def script(self, text: str) -> "Script":
        """A script that runs in Redis, all at once: https://redis.io/docs/latest/develop/programmability/eval-intro/."""
        return Script(self, self._redis.register_script(text))

    def names(self, *parts: str) -> list[str]:
        """What follows these parts in the names of keys in Redis."""
        start = self.name(*parts, "")
        with self.translating("list"):
            return [name.decode().removeprefix(start) for name in self._redis.scan_iter(f"{start}*")]

    def news(self, channel: str) -> Iterator[None]:
        """Yield at once, and after that whenever something was published, at the latest every `LOOK_S` seconds."""
        made: Any = self._redis.pubsub  # it has no annotations
        with self.translating("watch"), made() as subscription:
            subscription.subscribe(channel)
            if (
                subscription.get_message(timeout=self._timeout_s) is None
            ):  # that it is subscribed: nothing is missed now
                raise BackendTimeoutError(f"cannot watch: no answer from {self.address}")
            while True:
                self.require_open()
                yield
                if subscription.get_message(timeout=LOOK_S) is not None:
                    while subscription.get_message() is not None:  # of a burst, one look is enough
                        pass

    def require_open(self) -> None:
        """Raise if `close` was called."""
        if self._closed:
            raise BackendUnavailableError(f"cannot use {self.address}: the client was closed")

    @contextmanager
    def translating(self, action: str) -> Iterator[None]:
        """Turn redis-py's errors into corepilot's."""
        self.require_open()
        try:
            yield
        except redis.TimeoutError as error:
            raise BackendTimeoutError(f"cannot {action}: no answer from {self.address}: {error}") from error
        except (redis.ConnectionError, OSError, ValueError) as error:  # ValueError: its socket was closed meanwhile
            if isinstance(error, redis.AuthenticationError):
                raise BackendRefusedError(f"cannot {action}: {self.address} refuses us: {error}") from error
            raise BackendUnavailableError(f"cannot {action}: {self.address} cannot be reached: {error}") from error
        except redis.RedisError as error:
            raise BackendRefusedError(f"cannot {action}: {self.address} says no: {error}") from error

    def close(self) -> None:
        """Close every socket, which ends the calls that wait in them."""
        self._closed = True
        self._redis.connection_pool.disconnect()


class Script:
    """A script of one connection."""

    def __init__(self, connection: Connection, script: Any) -> None:
        self._connection, self._script = connection, script

    def __call__(self, action: str, *arguments: object) -> Any:
        """Run it.

        Args:
            action: What cannot be done if it fails.
            arguments: ARGV. The names of keys are among them: there is one server, not a cluster.
        """
        with self._connection.translating(action):
            return self._script(args=arguments)
