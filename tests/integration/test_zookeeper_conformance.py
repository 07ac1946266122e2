"""The ZooKeeper backend under the suites that every backend has to pass, on a real server."""

import pytest
from corepilot_zookeeper.backend import ZooKeeperBackend
from corepilot_zookeeper.plugin import CAPABILITIES, Options
from servers.zookeeper import ZooKeeperServer
from zookeeper_client import witness

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import (
    BackendSuite,
    ExpirySuite,
    HangSuite,
    KeySuite,
    LockSuite,
    LossSuite,
    OutageSuite,
    context,
)


class TestZooKeeper(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, HangSuite, ExpirySuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _server(self, zookeeper: ZooKeeperServer) -> None:
        self.server = zookeeper

    def client(self) -> Backend:
        return ZooKeeperBackend(Options(hosts=self.server.hosts), context())

    def forget(self) -> None:
        self.server.forget()

    def stop(self) -> None:
        self.server.kill()

    def start(self) -> None:
        if not self.server.pid:
            self.server.start()

    def pause(self) -> None:
        self.server.pause()

    def resume(self) -> None:
        if self.server.pid:
            self.server.resume()

    def take_away(self, name: str) -> None:
        queue = f"{Options().prefix}/locks/{name}"
        code = f"told = [client.delete('{queue}/' + one) for one in client.get_children('{queue}')]"
        assert len(witness(self.server.hosts, code)) == 1
