"""Turns configurations of ContainerPilot 2 into data, for tests."""

import json
from typing import Any

from corepilot.config.text.json5 import parse
from corepilot.gotemplate import render
from corepilot.migrate.conversion import convert, is_version_2
from corepilot.migrate.reading import Version2File

SERVICE = {"name": "app", "port": 80, "poll": 5, "ttl": 15, "health": "check it"}


def text_of(version_2: dict[str, Any] | str, *program: str) -> str:
    text = version_2 if isinstance(version_2, str) else json.dumps({"consul": "consul:8500", **version_2})
    old = Version2File(text)
    assert is_version_2(old)
    return convert(old, program)


def made(version_2: dict[str, Any] | str, *program: str, **environment: str) -> dict[str, Any]:
    """The new file as data, with the variables given."""
    plain: dict[str, Any] = parse(render(text_of(version_2, *program), environment).text).root.plain()
    return plain


def job(config: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one for one in config["jobs"] if one["name"] == name]
    assert isinstance(found, dict)
    return found
