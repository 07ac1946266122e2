"""The suites that every backend has to pass, and what is this one's own."""

import json
from pathlib import Path

import pytest
from corepilot_first_backend.backend import FirstBackend
from corepilot_first_backend.plugin import CAPABILITIES, Options

from corepilot.discovery.backend import Backend
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.backends import BackendSuite, ExpirySuite, KeySuite, LockSuite, LossSuite, context


class TestFirstBackend(BackendSuite, KeySuite, LockSuite, LossSuite, ExpirySuite):
    capabilities = CAPABILITIES

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.path = tmp_path / "services.json"

    def client(self) -> Backend:
        return FirstBackend(Options(path=str(self.path), look_s=0.02), context())

    def forget(self) -> None:
        held = json.loads(self.path.read_text())
        self.path.write_text(json.dumps({"writes": held["writes"]}))


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_backend.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="services.json")
