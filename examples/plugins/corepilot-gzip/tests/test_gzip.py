"""The suite that every source has to pass, and what is this one's own."""

import gzip
from pathlib import Path

import pytest
from corepilot_gzip.source import GzipSource

from corepilot.plugin.verify import assert_light
from corepilot.sources.source import MAX_BYTES, Source
from corepilot.testing.sources import SourceSuite


class TestGzip(SourceSuite):
    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def source(self) -> Source:
        return GzipSource()

    def put(self, data: bytes) -> str:
        (self.directory / "configuration.gz").write_bytes(gzip.compress(data, 1))
        return f"gzip://{self.directory}/configuration.gz"

    def missing(self) -> str:
        return f"gzip://{self.directory}/nothing"

    def test_what_is_not_compressed_is_refused(self) -> None:
        """With the way out."""
        (self.directory / "plain").write_text("{}")
        assert "compress it with gzip" in self.refused(f"gzip://{self.directory}/plain", "a plain file is no gzip")

    def test_what_is_cut_is_refused(self) -> None:
        """Part of a text is never returned."""
        (self.directory / "cut").write_bytes(gzip.compress(b"{jobs: []}" * 100)[:-9])
        self.refused(f"gzip://{self.directory}/cut", "a file that is cut must raise SourceError")

    def test_a_bomb_does_no_harm(self) -> None:
        """A gigabyte of blanks in a megabyte."""
        assert str(MAX_BYTES) in self.refused(self.put(b" " * (1 << 27)), "more than the limit must raise SourceError")


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_gzip.plugin")
