"""The Consul backend under the suites that every backend has to pass, on a real agent."""

from pathlib import Path

import pytest
from corepilot_consul import blocking
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.locks import FOLDER
from corepilot_consul.plugin import CAPABILITIES, Options
from eventually import eventually
from servers.consul import ConsulServer

from corepilot.discovery.backend import Backend
from corepilot.testing.backends import BackendSuite, KeySuite, LockSuite, context
from corepilot.testing.outages import ExpirySuite, HangSuite, LossSuite, OutageSuite
from corepilot.testing.suite import instance_of


def half_closed(port: int) -> list[str]:
    """The server's connections on a port of 127.0.0.1 whose client has hung up: state CLOSE_WAIT, 08 in proc(5)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [line[2] for line in lines if line[1] == f"0100007F:{port:04X}" and line[3] == "08"]


def all_stopped(pid: int) -> bool:
    """Whether every thread of a process is in state T, as proc(5) shows it."""
    stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


class TestConsul(BackendSuite, KeySuite, LockSuite, LossSuite, OutageSuite, HangSuite, ExpirySuite):
    capabilities = CAPABILITIES
    lock_ttl_s = 10.0
    paused = False

    @pytest.fixture(autouse=True)
    def _agent(self, consul: ConsulServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consul = consul
        # The suite changes things faster than anybody does; that the pace is kept is tested elsewhere.
        monkeypatch.setattr(blocking, "PAUSE_S", 0.1)

    def client(self) -> Backend:
        return ConsulBackend(Options(address=self.consul.address), context())

    def forget(self) -> None:
        self.consul.restart()

    def stop(self) -> None:
        self.consul.kill()

    def start(self) -> None:
        if not self.consul.pid:
            self.consul.start()

    def pause(self) -> None:
        self.paused = True
        self.consul.pause()
        # The signal reaches one thread after the other, and until then the agent may answer.
        eventually(lambda: all_stopped(self.consul.pid), message="every thread of the agent is stopped")

    def resume(self) -> None:
        self.consul.resume()
        if self.paused:
            self.paused = False
            # An agent that was paused still carries out what its clients have given up meanwhile, also their blocking
            # queries, for 10 seconds: let it work that off.
            eventually(lambda: not half_closed(self.consul.port), message="the agent has worked off its backlog")

    def take_away(self, name: str) -> None:
        self.consul.request("DELETE", f"/v1/kv/{FOLDER}/{name}")

    def teardown_method(self) -> None:
        self.paused = False  # the next test has names of its own
        super().teardown_method()

    def test_services_do_not_mix(self) -> None:
        # Not with names that differ in case only: Consul takes those for one, in ids as well (see the next test).
        client = self.open()
        names = (self.service, f"{self.service}-2", f"{self.service}x")
        listeners = {name: self.listen(client, name) for name in names}
        for name in names:
            self.register(client, self.registration(service=name))
        for name in names:
            self.expect(listeners[name], instance_of(self.registration(service=name), "passing"))

    def test_names_that_differ_in_case_only_are_one(self) -> None:
        client = self.open()
        lower, upper = (self.registration(service=f"{self.service}{letter}") for letter in "xX")
        listener = self.listen(client, lower.service)
        self.register(client, lower)
        self.register(client, upper)
        listener.until(lambda seen: [one.id for one in seen] == [upper.id], "the later one only", self.deadline_s)
