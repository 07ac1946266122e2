"""The suite that every source has to pass."""

from pathlib import Path

import pytest
from corepilot_first_source.source import FirstSourceSource

from corepilot.plugin.verify import assert_light
from corepilot.sources.source import Source
from corepilot.testing.sources import SourceSuite


class TestFirstSource(SourceSuite):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def source(self) -> Source:
        return FirstSourceSource()

    def put(self, data: bytes) -> str:
        (self.directory / "configuration").write_bytes(data)
        return f"first-source://{self.directory}/configuration"

    def missing(self) -> str:
        return f"first-source://{self.directory}/nothing"


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_source.plugin")
