"""What stands around the main program of version 2: coprocesses, hooks, and the names of all of them."""

import json
from typing import Any

import pytest
from converting import SERVICE, job, made, text_of

from corepilot.config.text.json5 import parse
from corepilot.migrate.conversion import decisions


# ------------------------------------------------------------------------------------------------------- coprocesses
def test_coprocesses_are_stopped_after_the_program_and_post_stop() -> None:
    beside = {"coprocesses": [{"command": "agent"}]}
    assert job(made({"services": [SERVICE], **beside}, "z"), "agent")["stopAfter"] == ["app"]
    text = text_of({"services": [SERVICE, {**SERVICE, "name": "other"}], "postStop": "x", **beside}, "z")
    config = parse(text).root.plain()
    assert job(config, "agent")["stopAfter"] == ["app", "postStop"]
    assert [one["name"] for one in config["jobs"] if "stopAfter" in one] == ["agent"]
    assert "this file: `exitOn` and `stopAfter` are known to corepilot only" in text.replace("\n  // ", " ")


def test_a_post_stop_that_the_template_may_leave_out_is_not_waited_for_then() -> None:
    text = """{"consul": "c", {{ if .POST }}"postStop": "x",{{ else if .OTHER }}"postStop": "y",{{ end }}
      "services": [{"name": "{{ .NAME }}", "port": 1, "poll": 1, "ttl": 1}],
      "coprocesses": [{"command": "one"}, {{ if .A }}{"command": "two"}{{ end }}]}"""
    common = {"NAME": "web", "A": "1"}
    for variables, names in (
        ({"POST": "1"}, ["web", "postStop"]),
        ({"OTHER": "1"}, ["web", "postStop"]),
        ({}, ["web"]),
    ):
        config = made(text, "z", **common, **variables)
        assert [job(config, name)["stopAfter"] for name in ("one", "two")] == [names, names]


def test_what_stands_in_the_block_of_post_stop_needs_no_block_of_its_own() -> None:
    text = '{"consul": "c", {{ if .A }}"postStop": "x", "coprocesses": [{"command": "one"}],{{ end }} "services": []}'
    assert 'stopAfter: ["main", "postStop"],' in text_of(text, "z")


# ------------------------------------------------------------------------------------------------------------- names
def test_services_have_their_names_before_all_others() -> None:
    services = [SERVICE, {**SERVICE, "name": "vault"}, {**SERVICE, "name": "preStop"}]
    old = {"services": services, "coprocesses": [{"command": "/bin/vault server"}], "preStop": "x", "telemetry": {}}
    config = made({**old, "tasks": [{"name": "containerpilot", "command": "y", "frequency": "1s"}]}, "z")
    names = [one["name"] for one in config["jobs"]]
    assert names == ["vault-2", "app", "vault", "preStop", "containerpilot-2", "preStop-2"]


def test_a_name_that_the_file_has_twice_is_remarked() -> None:
    beside = {"name": "agent", "command": "x"}
    text = text_of({"services": [SERVICE], "coprocesses": [beside, beside]}, "z")
    assert text.count("// Version 2 calls this agent, and another job has that name.") == 1
    assert decisions(text) == []


def test_two_services_of_one_name_are_a_decision_unless_only_one_can_be_there() -> None:
    [one] = decisions(text_of({"services": [SERVICE, SERVICE]}, "z"))
    assert "another service has this name" in one.text
    service = json.dumps(SERVICE)
    text = f'{{"services": [{{{{ if .A }}}}{service}{{{{ else }}}}{service}{{{{ end }}}}], "consul": "c"}}'
    assert decisions(text_of(text, "z")) == []


# ------------------------------------------------------------------------------------------------------------ preStop
@pytest.mark.parametrize(
    ("services", "more", "wrapped"),
    [
        ([], {}, "CONTAINERPILOT_MAIN_PID"),
        ([{**SERVICE, "name": "web-1"}], {}, "CONTAINERPILOT_WEB_1_PID"),
        ([{**SERVICE, "name": "{{ .NAME }}"}], {}, ""),
        ([SERVICE], {"coprocesses": [{"name": "app.js", "command": "x"}]}, ""),
        ([{**SERVICE, "name": "check"}], {}, ""),
    ],
)
def test_pre_stop_asks_whether_the_program_runs(
    services: list[dict[str, Any]], more: dict[str, Any], wrapped: str
) -> None:
    text = text_of({"services": services, "preStop": ["stop", "a b"], **more}, "z")
    command = job(parse(text).root.plain(), "preStop")["exec"]
    if wrapped:
        assert command == ["/bin/sh", "-c", f'[ -z "${wrapped}" ] || exec "$@"', "preStop", "stop", "a b"]
        assert f"that is when ${wrapped} is set" in text.replace("\n    // ", " ")
    else:
        assert command == ["stop", "a b"]
        assert "or was never started" in text.replace("\n    // ", " ")


def test_post_stop_after_a_pre_start_that_failed_is_remarked() -> None:
    remark = "after a preStart that failed"
    assert remark in text_of({"preStart": "x", "postStop": "y"}, "z")
    assert remark not in text_of({"preStart": "x"}, "z")
    assert remark not in text_of({"postStop": "x"}, "z")
