"""The Consul backend behind the fault proxy: connections that break within an answer, are held, or refused."""

import pytest
from corepilot_consul import blocking
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import CAPABILITIES, Options
from servers.consul import ConsulServer

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import FaultSuite, context


class TestConsulBehindProxy(FaultSuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _agent(self, consul: ConsulServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server_address = ("127.0.0.1", consul.port)
        monkeypatch.setattr(blocking, "PAUSE_S", 0.1)

    def client(self) -> Backend:
        return ConsulBackend(Options(address=f"http://{self.proxy.host}:{self.proxy.port}"), context())
