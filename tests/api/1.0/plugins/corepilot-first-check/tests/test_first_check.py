"""The suite that every check has to pass, and what is this one's own."""

from pathlib import Path

import pytest
from corepilot_first_check.check import FirstCheckCheck
from corepilot_first_check.plugin import Options

from corepilot.checks.check import Check
from corepilot.plugin import OptionError
from corepilot.plugin.verify import assert_light
from corepilot.testing.checks import CheckSuite, context


class TestFirstCheck(CheckSuite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "number"
        self.path.write_text("1")

    def setup_method(self) -> None:
        self.path = Path()
        super().setup_method()

    def check(self) -> Check:
        return FirstCheckCheck(Options(path=str(self.path), maximum=10.0), context())

    def healthy(self) -> None:
        if self.path.name:
            self.path.write_text("1")

    def unhealthy(self) -> None:
        self.path.write_text("11")


def test_the_light_module_is_light() -> None:
    assert_light("corepilot_first_check.plugin")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(path="number")
