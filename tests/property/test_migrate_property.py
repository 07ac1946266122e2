"""Every file of version 2 becomes a file that loads, whatever is in it and around it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corepilot.config.loading.exchange import LoadRequest
from corepilot.config.loading.pipeline import load
from corepilot.migrate.conversion import convert, decisions
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.masking import Masked
from corepilot.migrate.reading import Version2File

NAMES = st.from_regex(r"[a-z][a-z0-9-]{1,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="{}"), min_size=1, max_size=12)
WORDS = TEXTS.filter(lambda text: text.strip() != "")
COMMANDS = WORDS | st.lists(WORDS, min_size=1, max_size=3)
SECONDS = st.integers(1, 600)
DURATIONS = st.sampled_from(["10s", "1m", "90", "1h5m"])


def element(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


SERVICES = element(
    {"name": NAMES, "port": st.integers(1, 65535), "poll": SECONDS, "ttl": SECONDS},
    {"health": COMMANDS, "timeout": DURATIONS, "tags": st.lists(WORDS, max_size=2), "interfaces": st.just("inet")},
)
BACKENDS = element({"name": NAMES, "poll": SECONDS, "onChange": COMMANDS}, {"tag": WORDS, "timeout": DURATIONS})
TASKS = element({"command": COMMANDS, "frequency": DURATIONS}, {"name": WORDS, "timeout": DURATIONS})
COPROCESSES = element({"command": COMMANDS}, {"name": WORDS, "restarts": st.sampled_from(["unlimited", "never", 3])})
SENSORS = element(
    {"name": NAMES.map(lambda name: name.replace("-", "_")), "help": WORDS, "type": st.just("gauge"), "poll": SECONDS,
     "check": COMMANDS}, {},
)  # fmt: skip
FILES = st.fixed_dictionaries(
    {"consul": st.just("localhost:8500"), "services": st.lists(SERVICES, max_size=3)},
    optional={
        "preStart": COMMANDS,
        "preStop": COMMANDS,
        "postStop": COMMANDS,
        "backends": st.lists(BACKENDS, max_size=2),
        "tasks": st.lists(TASKS, max_size=2),
        "coprocesses": st.lists(COPROCESSES, max_size=2),
        "telemetry": st.fixed_dictionaries({"sensors": st.lists(SENSORS, max_size=2)}),
        "stopTimeout": st.integers(-1, 60),
    },
)


def around(text: str, draw: st.DataObject) -> str:
    """Put blocks of a template around some of the members of the top level."""
    config = json.loads(text)
    members = []
    for key, value in config.items():
        member = f"{json.dumps(key)}: {json.dumps(value)},"
        if key not in {"consul", "services"} and draw.draw(st.booleans()):
            member = f"{{{{ if .{key.upper()} }}}}{member}{{{{ end }}}}"
        members.append(member)
    return "{\n" + "\n".join(members) + "\n}"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=FILES, program=st.lists(WORDS, max_size=3), draw=st.data())
def test_the_result_loads(tmp_path: Path, config: dict[str, Any], program: list[str], draw: st.DataObject) -> None:
    text = convert(Version2File(around(json.dumps(config), draw)), program)
    (tmp_path / "new").write_text(text)
    for variables in ({}, {key.upper(): "1" for key in config}):
        environment = {"PATH": os.defpath, **variables}
        request = LoadRequest((str(tmp_path / "new"),), environment, judge_machine=False, hostname="h")
        result = load(request, lambda _: None)
        assert [problem.sentence() for problem in result.problems if problem.is_error] == []
    for decision in decisions(text):
        assert "DECIDE: " in text.split("\n")[decision.line - 1]


PARTS = st.sampled_from(
    ["{{ .A }}", "{{ if .A }}", "{{ else }}", "{{ end }}", "{", "}", "[", "]", '"', ":", ",", "1", "\\", " ",
     "{{/* c */}}", "{{ $a := 1 }}", "{{ range .A }}", "{{", "}}", "services"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PARTS, max_size=20).map("".join))
def test_no_text_brings_it_down(text: str) -> None:
    try:
        assert len(Masked(text).text) == len(text)
        convert(Version2File(text), ["app"])
    except MigrationError as error:
        assert error.offset <= len(text)  # noqa: PT017  - any other exception is the failure


@pytest.mark.parametrize("text", ['{"services": [{}]}', '{"services": [{"name": 1}], "preStart": {}}'])
def test_odd_values(text: str) -> None:
    try:
        convert(Version2File(text), [])
    except MigrationError as error:
        assert str(error).startswith("cannot")  # noqa: PT017  - either is allowed, anything else is not
