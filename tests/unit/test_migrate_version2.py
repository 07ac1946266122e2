"""Files of version 2 are recognised also where they cannot be read."""

import sys

import pytest

from corepilot.config.rules.version2 import judge_location, judge_text, keys_in


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('{"services": [{"port": {{ .PORT }}', ["services"]),
        ('{\n"preStart": "x"\n"tasks": []', ["preStart", "tasks"]),
        ('{"pre_start": "x", "ON_START" : 1, "poststop": 1', ["pre_start", "ON_START", "poststop"]),
        ("{services: [], coprocesses: [", ["services", "coprocesses"]),
        ('{{ if .A }}"etcd": {{ end }}', ["etcd"]),
        ('{"services": [], "jobs": [', []),
        ("{services: [], jobs: {{ .JOBS }}", []),
        ('{"consul": "etcd:8500", "x": "http://services:80", "my-tasks": 1, "mytasks": 2', []),
        ("{", []),
    ],
)
def test_keys_of_a_text_that_cannot_be_read(text: str, keys: list[str]) -> None:
    assert keys_in(text) == keys


def test_the_error_names_the_keys_and_the_way_out() -> None:
    problem = judge_text('{"services": [', "old.json")
    assert problem is not None
    assert problem.code == "version-2"
    assert problem.sentence().startswith("old.json: cannot use a configuration of ContainerPilot 2: services is a key")
    assert "corepilot migrate old.json" in problem.hint
    assert judge_text("{jobs: [", "new.json5") is None


def test_a_configuration_in_the_place_of_its_path_is_told_and_not_shown() -> None:
    problem = judge_location(' {"consul": "c", "services": [], "token": "hidden"}')
    assert problem is not None
    assert "its path is wanted" in problem.message
    assert "ContainerPilot 2" in problem.message
    assert "corepilot migrate FILE" in problem.hint
    assert "hidden" not in problem.text()
    other = judge_location("{jobs: []}")
    assert other is not None
    assert "ContainerPilot 2" not in other.message
    assert judge_location("/etc/containerpilot.json") is None
    assert judge_location("file:///etc/{}.json") is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["containerpilot", "-config", "f", "nginx", "-g", "daemon off;"], " -- nginx -g 'daemon off;'"),
        (["/x/cli/containerpilot.py", "--config=f", "nginx"], " -- nginx"),
        (["containerpilot", "nginx", "-config", "x"], " -- nginx -config x"),
        (["containerpilot", "-config", "f", "--", "nginx"], " -- nginx"),
        (["containerpilot", "app", "--password=hunter22"], " -- app --password=********"),
        (["containerpilot", "-config", "f"], " -- COMMAND"),
        (["/x/corepilot/__main__.py", "run", "-c", "f"], " -- COMMAND"),
    ],
)
def test_the_main_program_of_the_command_line_is_repeated(
    words: list[str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", words)
    problem = judge_text('{"services": [', "old.json")
    assert problem is not None
    assert problem.hint.endswith(f"corepilot migrate old.json{shown}")
