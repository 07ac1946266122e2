"""A backend that only reads, and does not push: what a resolver is. Registration is another catalog's."""

from pathlib import Path

import pytest
from eventually import eventually
from foreign import python_with, write_distribution
from running import Corepilot

LIGHT = """
from dataclasses import dataclass
from corepilot.plugin import hookimpl, option
API = "1.0"
CAPABILITIES = frozenset({"services"})
@dataclass(frozen=True)
class Options:
    path: str = option(help="the file")
@hookimpl
def corepilot_register_backend():
    from hosts_backend import Hosts
    return Hosts
"""
BACKEND = """
from corepilot.discovery.backend import Backend
from corepilot.errors import BackendUnavailableError
from corepilot.model.service import Instance
class Hosts(Backend):
    @property
    def address(self): return self.options.path
    def instances(self, query):
        try:
            with open(self.options.path) as file:
                lines = [line.split() for line in file]
        except OSError as error:
            raise BackendUnavailableError(f"cannot read {self.options.path}: {error.strerror}") from error
        return tuple(Instance(f"{name}-{ip}", name, ip, 80, "passing") for ip, name in lines if name == query.service)
    def close(self): pass
"""
JOB = '{name: "web", port: 80, interfaces: "static:127.0.0.1", exec: "sleep 1000", health: {interval: 1, ttl: 5}%s}'
TEXT = """{
  discovery: {%s},
  control: {socket: "%%(dir)s/control.socket"},
  jobs: [%s],
  watches: [{name: "db", interval: 1, atStart: true}],
}"""
HOSTS = 'hosts: {backend: "hosts", path: "%(dir)s/hosts"}'


@pytest.fixture
def python(tmp_path: Path) -> str:
    site = tmp_path / "site"
    modules = {"hosts_light": LIGHT, "hosts_backend": BACKEND}
    write_distribution(site, "corepilot-hosts", "1.0", "[corepilot.backends]\nhosts = hosts_light\n", modules)
    return str(python_with(site, tmp_path / "python"))


def test_it_is_polled_and_nothing_is_registered_there(python: str, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("10.0.0.1 db\n")
    with Corepilot(TEXT % (HOSTS, JOB % ""), tmp_path, command=[python, "-I", "-m", "corepilot"]) as corepilot:
        corepilot.until_ready()
        corepilot.until("the catalog hosts is read-only, so no service is advertised")
        eventually(lambda: [one["passing"] for one in corepilot.status()["watches"]] == [1])
        file.write_text("10.0.0.1 db\n10.0.0.2 db\n")
        eventually(lambda: [one["passing"] for one in corepilot.status()["watches"]] == [2])
        assert corepilot.status()["services"] == []
        assert "cannot register" not in corepilot.output
        assert corepilot.stop() == 0


def test_another_catalog_takes_the_registrations(python: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("10.0.0.1 db\n")
    both = f'{HOSTS}, here: {{backend: "embedded", path: "%(dir)s/catalog"}}'
    with Corepilot(TEXT % (both, JOB % ""), tmp_path, command=[python, "-I", "-m", "corepilot"]) as corepilot:
        corepilot.until_ready()
        eventually(lambda: [one["catalog"] for one in corepilot.status()["services"]] == ["here"])
        eventually(lambda: [one["passing"] for one in corepilot.status()["watches"]] == [1])
        assert "read-only" not in corepilot.output
        corepilot.configure(TEXT % (both, JOB % ', catalogs: ["hosts"]'))
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert "the backend hosts does not take registrations" in refused.stderr + corepilot.output
        assert corepilot.stop() == 0
