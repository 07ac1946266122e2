"""The suites that every backend has to pass: `pip install pytest`, then `pytest`."""

from pathlib import Path

import pytest
from corepilot_notebook.backend import NotebookBackend
from corepilot_notebook.plugin import Options

from corepilot.discovery.backend import Backend
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.backends import BackendSuite, ExpirySuite, LossSuite, context


class TestNotebook(BackendSuite, LossSuite, ExpirySuite):
    @pytest.fixture(autouse=True)
    def _notebook(self, tmp_path: Path) -> None:
        self.path = tmp_path / "notebook.json"

    def client(self) -> Backend:
        return NotebookBackend(Options(path=str(self.path), look_s=0.02), context())

    def forget(self) -> None:
        self.path.unlink()


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_notebook.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="notebook.json")
