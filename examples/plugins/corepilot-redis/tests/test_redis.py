"""The suites that every backend has to pass, on a real Redis: `pip install -e '.[test]'`, then `pytest`."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from corepilot_redis.backend import RedisBackend
from corepilot_redis.plugin import CAPABILITIES, Options

from corepilot.discovery.backend import Backend
from corepilot.errors import BackendRefusedError
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.backends import (
    BackendSuite,
    ExpirySuite,
    FaultSuite,
    KeySuite,
    LockSuite,
    LossSuite,
    context,
)


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis that keeps nothing on disk."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    folder = str(tmp_path_factory.mktemp("redis"))
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis(port=port) as client:
                deadline = time.monotonic() + 20
                while True:
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        assert time.monotonic() < deadline, "redis-server does not answer"
                        time.sleep(0.02)
            yield port
        finally:
            server.kill()


class TestRedis(BackendSuite, KeySuite, LockSuite, LossSuite, FaultSuite, ExpirySuite):
    capabilities = CAPABILITIES
    lock_ttl_s = 1.0

    @pytest.fixture(autouse=True)
    def _server(self, port: int) -> None:
        self.server_address = ("127.0.0.1", port)

    def client(self) -> Backend:
        return RedisBackend(Options(url=f"redis://{self.proxy.host}:{self.proxy.port}"), context())

    def forget(self) -> None:
        with redis.Redis(port=self.server_address[1]) as client:
            client.flushall()


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_redis.plugin")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(OptionError, match="begins with redis://"):
        Options(url="http://127.0.0.1")


def test_the_password_is_not_shown() -> None:
    backend = RedisBackend(Options(url="redis://us:secret@redis:6380/3"), context())
    assert backend.address == "redis://redis:6380/3 (corepilot)"
    backend.close()


def test_a_wrong_password_is_a_refusal(port: int) -> None:
    backend = RedisBackend(Options(url=f"redis://us:secret@127.0.0.1:{port}"), context())
    with pytest.raises(BackendRefusedError, match="refuses us"):
        backend.deregister("app-1")
    backend.close()


def test_what_redis_cannot_do_is_a_refusal(port: int, tmp_path: Path) -> None:
    with redis.Redis(port=port) as client:
        client.set("corepilot:instance:app-1", str(tmp_path))  # no hash
    backend = RedisBackend(Options(url=f"redis://127.0.0.1:{port}"), context())
    with pytest.raises(BackendRefusedError, match="says no"):
        backend.report("app-1", "passing", "", 10.0)
    backend.close()
