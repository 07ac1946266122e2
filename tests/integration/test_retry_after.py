"""Whoever answers 503 with Retry-After, an agent or what stands before it, is left alone by everybody."""

import socket
import time

import gevent
import pytest
from corepilot_consul import plugin
from corepilot_consul.backend import ConsulBackend
from http_script import ScriptedServer, answer, eventually_switching, read_request
from servers.consul import ConsulServer

from corepilot.discovery.connection import Connection
from corepilot.discovery.guarded import GuardedBackend
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendUnavailableError
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Registration
from corepilot.plugin.boundary import Boundary
from corepilot.plugin.manager import Plugins
from corepilot.testing.suite import context

PAUSE_S = 1


class Gate:
    """A proxy before an agent. Told to, it asks whoever asks next for a pause, and notes who asks after that."""

    def __init__(self, agent: ConsulServer) -> None:
        self._agent = agent
        self.busy = False
        self.asked_at: list[float] = []
        self.refused_at = 0.0

    def talk(self, connected: socket.socket) -> None:
        """Answer the requests of a connection."""
        while request := read_request(connected):
            self.asked_at.append(time.monotonic())
            if self.busy:
                self.busy = False
                connected.sendall(answer("503 Service Unavailable", b"", f"Retry-After: {PAUSE_S}"))
                self.refused_at = time.monotonic()
                continue
            with gevent.socket.create_connection(("127.0.0.1", self._agent.port)) as agent:
                agent.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                while piece := agent.recv(65536):
                    connected.sendall(piece)
            return


@pytest.fixture
def gate(consul: ConsulServer) -> Gate:
    return Gate(consul)


def test_one_answer_that_asks_for_a_pause_silences_registrations_watches_and_the_rest(gate: Gate) -> None:
    web = Registration("web-retry", "web-retry", "192.0.2.7", 8080)
    with ScriptedServer(gate.talk) as server:
        loaded = Plugins().load(PluginReference("consul", plugin.__name__, "", "consul", ""))
        backend = GuardedBackend(
            lambda: ConsulBackend(plugin.Options(address=server.origin), context()),
            Boundary(loaded, lambda *_: None),
            capabilities=loaded.capabilities,
        )
        connection = Connection(5.0)
        registrar = Registrar(backend, log=lambda *_: None, connection=connection)
        events: list[Event] = []
        view = CatalogView("consul", backend, connection, lambda *_: None)
        watcher = Watcher(Watch("web-retry", 1, at_start=True), [view], events.append)
        watcher.start()
        registrar.advertise(web, "passing")
        eventually_switching(lambda: watcher.instances and registrar.has(web.id))
        gate.busy = True

        def reported() -> float:
            registrar.report(web.id, "passing", f"said at {time.monotonic()}")
            return gate.refused_at

        eventually_switching(reported)
        before = len(gate.asked_at)
        # All that is asked meanwhile, by whoever it is: changes, reports, a look at a key.
        registrar.advertise(web.changed(port=8081), "passing")
        assert backend.keys is not None
        with pytest.raises(BackendUnavailableError, match="it asked for a pause"):
            backend.keys.get("key")
        eventually_switching(lambda: reported() and [one.port for one in watcher.instances] == [8081])
        assert gate.asked_at[before] - gate.refused_at >= PAUSE_S
        gate.busy, gate.refused_at = True, 0.0
        registrar.withdraw(web)
        assert registrar.drain(10), "the withdrawal that was refused is made after the pause"
        assert gate.refused_at
        eventually_switching(lambda: not watcher.instances)
        watcher.close()
        registrar.close()
        backend.close()
