"""The etcd backend under the suites that every backend has to pass, on a real server."""

import pytest
from corepilot_etcd.backend import EtcdBackend
from corepilot_etcd.plugin import CAPABILITIES, Options
from servers.etcd import EtcdServer

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import BackendSuite, FaultSuite, KeySuite, LockSuite, context
from corepilot.testing.outages import ExpirySuite, HangSuite, LossSuite, OutageSuite


class TestEtcd(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, HangSuite, ExpirySuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _server(self, etcd: EtcdServer) -> None:
        self.etcd = etcd

    def client(self) -> Backend:
        return EtcdBackend(Options(endpoints=self.etcd.endpoints), context())

    def forget(self) -> None:
        self.etcd.wipe()

    def stop(self) -> None:
        self.etcd.kill()

    def start(self) -> None:
        self.etcd.start()

    def pause(self) -> None:
        self.etcd.pause()

    def resume(self) -> None:
        self.etcd.resume()

    def take_away(self, name: str) -> None:
        assert self.etcd.ctl("del", f"{Options().prefix}/locks/{name}").strip() == "1"


class TestEtcdBehindProxy(FaultSuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _server(self, etcd: EtcdServer) -> None:
        self.server_address = ("127.0.0.1", etcd.members[0].port)

    def client(self) -> Backend:
        return EtcdBackend(Options(endpoints=(f"http://{self.proxy.host}:{self.proxy.port}",)), context())
