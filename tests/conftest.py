"""What every test gets: a check that it leaves nothing behind, and the real servers."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from leaks import Snapshot
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import Ensemble, ZooKeeperServer

# How long an example takes is no property of what is tested. The same examples are tried at every run, so that a red
# test is about the change at hand; new ones are looked for on request, which is how mistakes are found.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("new", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

collect_ignore = ["api"]
"""Tests of plugins that are run where these are installed: see `tests/packaging/test_new_plugin_packages.py`."""

_SERVERS: list[ConsulServer | EtcdServer | ZooKeeperServer] = []
_COUNT = itertools.count()
_PURE = ("unit", "property")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` means: three workers on two processors, for the tests wait a third of their time.

    No worker, that is, this very process, where a few tests are asked for: each worker would collect them all first.
    """
    few = config.getoption("keyword") or config.getoption("lf", default=False)
    if few or any(".py" in argument for argument in config.args):
        return 0
    return min(len(os.sched_getaffinity(0)) * 3 // 2, 12)


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves processes, descriptors, threads, greenlets, handlers or changed state behind."""
    pure = request.path.parent.name in _PURE
    before = Snapshot("" if pure else f"{os.getpid()}-{next(_COUNT)}", _SERVERS)
    yield
    leaks = before.leaks()
    if leaks:
        pytest.fail("the test leaves behind: " + "; ".join(leaks), pytrace=False)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users can reach; pytest's cannot be."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


S = TypeVar("S", ConsulServer, EtcdServer, ZooKeeperServer)


@contextmanager
def _for_all(server: S) -> Iterator[S]:
    """A server for the whole run of this process, which no test has to end."""
    with server:
        _SERVERS.append(server)
        yield server
        _SERVERS.remove(server)


@contextmanager
def _for_one(server: S) -> Iterator[S]:
    """The same for one test, which may pause, kill or restart it: it runs before, and is empty afterwards."""
    server.start()
    yield server
    if server.pid:
        server.resume()
        server.reset()


@pytest.fixture(scope="session")
def consul_server() -> Iterator[ConsulServer]:
    """One Consul agent, started when the first test asks for it."""
    with _for_all(ConsulServer()) as server:
        yield server


@pytest.fixture
def consul(consul_server: ConsulServer) -> Iterator[ConsulServer]:
    """A running Consul agent with an empty catalog; the test may pause, kill or restart it."""
    with _for_one(consul_server) as server:
        yield server


@pytest.fixture(scope="session")
def etcd_server() -> Iterator[EtcdServer]:
    """One etcd of one member, started when the first test asks for it."""
    with _for_all(EtcdServer()) as server:
        yield server


@pytest.fixture
def etcd(etcd_server: EtcdServer) -> Iterator[EtcdServer]:
    """A running etcd with an empty store; the test may pause, kill or wipe it."""
    with _for_one(etcd_server) as server:
        yield server


@pytest.fixture(scope="session")
def zookeeper_server() -> Iterator[ZooKeeperServer]:
    """One ZooKeeper, started when the first test asks for it."""
    with _for_all(ZooKeeperServer()) as server:
        yield server


@pytest.fixture
def zookeeper(zookeeper_server: ZooKeeperServer) -> Iterator[ZooKeeperServer]:
    """A running ZooKeeper; the test may pause, kill or wipe it, and uses names of its own."""
    with _for_one(zookeeper_server) as server:
        yield server


@pytest.fixture(scope="session")
def zookeeper_ensemble() -> Iterator[Ensemble]:
    """Three servers of ZooKeeper that vote, started when the first test asks for them."""
    with Ensemble() as ensemble:
        _SERVERS.extend(ensemble.servers)
        yield ensemble
        for server in ensemble.servers:
            _SERVERS.remove(server)


@pytest.fixture
def ensemble(zookeeper_ensemble: Ensemble) -> Ensemble:
    """All three serve, whatever the test before has done."""
    zookeeper_ensemble.start()
    return zookeeper_ensemble
