"""The suite that every check has to pass, and what is this one's own."""

import os
from pathlib import Path

import pytest
from corepilot_freshness.check import FreshnessCheck
from corepilot_freshness.plugin import Options

from corepilot.checks.check import Check, CheckFailed
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.checks import CheckSuite, context


class TestFreshness(CheckSuite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "heartbeat"
        self.path.touch()

    def check(self) -> Check:
        return FreshnessCheck(Options(path=str(self.path), maximum_age_s=3600.0), context())

    def healthy(self) -> None:
        if hasattr(self, "path"):
            self.path.touch()

    def unhealthy(self) -> None:
        os.utime(self.path, (0, 0))

    def test_a_file_that_is_not_there_is_not_fresh(self) -> None:
        """With the reason."""
        check = self.kept()
        self.path.unlink()
        with pytest.raises(CheckFailed, match="No such file"):
            check.ask(1.0)


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_freshness.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="heartbeat")
