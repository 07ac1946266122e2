"""The page about the container's health: its commands are commands, and its paths are paths."""

import json
import re
from pathlib import Path

from corepilot.cli.arguments import parse
from corepilot.cli.table import COMMANDS
from corepilot.control.routes import find

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "container-health.md").read_text()


def test_every_command_line_can_be_understood() -> None:
    lists = [json.loads(one) for one in re.findall(r'\["(?:CMD", ")?corepilot"[^\]]*\]', TEXT)]
    words = [[word for word in one if word != "CMD"][1:] for one in lists]
    assert len(words) == 4
    for name, *rest in words:
        assert parse(COMMANDS[name], rest).positionals in ([], ["postgres"])


def test_every_path_is_one() -> None:
    paths = re.findall(r'path: "?([^?", ]+)', TEXT)
    assert len(paths) == 3
    for path in paths:
        endpoint = find(path)
        assert endpoint is not None
        assert endpoint.methods["GET"].verb == "health"
