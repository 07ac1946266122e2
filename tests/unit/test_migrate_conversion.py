"""What becomes of the parts of a file of version 2."""

import re
from typing import Any

import pytest
from converting import SERVICE, job, made, text_of

from corepilot.config.loading.exchange import LoadRequest
from corepilot.config.loading.pipeline import load
from corepilot.config.text.json5 import parse
from corepilot.migrate.conversion import convert, decisions, is_version_2
from corepilot.migrate.errors import MigrationError
from corepilot.migrate.reading import Version2File


def test_the_main_program_is_the_first_service() -> None:
    config = made({"services": [SERVICE]}, "bin/app", "-x")
    assert config["jobs"] == [
        {
            "name": "app",
            "exec": ["bin/app", "-x"],
            "port": 80,
            "health": {"exec": "check it", "interval": 5, "ttl": 15, "timeout": "0"},
            "exitOn": "end",
            "logging": {"raw": True},
        }
    ]


def test_all_keys_of_a_service() -> None:
    consul = {"enableTagOverride": True, "deregisterCriticalServiceAfter": "90m"}
    more = {"tags": ["a"], "interfaces": ["eth0"], "timeout": "3s", "consul": consul}
    found = job(made({"services": [{**SERVICE, **more}]}, "app"), "app")
    assert found["tags"] == ["a"]
    assert found["interfaces"] == ["eth0"]
    assert found["health"]["timeout"] == "3s"
    assert found["consul"] == consul


def test_keys_of_elements_are_found_in_any_case_and_nulls_are_nothing() -> None:
    service = {"NAME": "app", "Port": 80, "poll": 5, "ttl": 15, "tags": None, "health": None}
    found = job(made({"services": [service, None]}, "app"), "app")
    assert "tags" not in found
    assert found["health"] == {"interval": 5, "ttl": 15}


def test_what_stands_around_the_main_program() -> None:
    config = made({"services": [SERVICE], "preStart": ["pre", "x"], "preStop": "stop it", "postStop": ["post"]}, "app")
    pre = job(config, "preStart")
    assert (pre["exec"], pre["exitOn"]) == (["pre", "x"], "failure")
    assert job(config, "app")["when"] == {"source": "preStart", "once": "exitSuccess"}
    assert job(config, "preStop") == {
        "name": "preStop",
        "exec": [
            "/bin/sh",
            "-c",
            'set -f; [ -z "$CONTAINERPILOT_APP_PID" ] || exec $1',
            "preStop",
            "stop it",
        ],
        "when": {"source": "app", "once": "stopping"},
        "logging": {"raw": True},
    }
    assert job(config, "postStop")["when"] == {"source": "app", "once": "stopped"}


def test_on_start_is_the_old_name_of_pre_start() -> None:
    assert job(made({"services": [SERVICE], "onStart": "x"}, "app"), "preStart")
    both = made({"services": [SERVICE], "onStart": "x", "preStart": "y"}, "app")
    assert job(both, "preStart")["exec"] == "y"


def test_keys_of_the_top_level_are_found_as_old_files_write_them() -> None:
    config = made('{"consul": "c", "pre_start": "x", "poststop": "y"}', "app")
    assert [one["name"] for one in config["jobs"]] == ["preStart", "main", "postStop"]


def test_backends_become_watches_and_jobs() -> None:
    config = made({"backends": [{"name": "db", "poll": 7, "onChange": "reload", "tag": "t", "timeout": "4s"}]}, "app")
    assert config["watches"] == [{"name": "db", "interval": 7, "tag": "t"}]
    assert job(config, "onChange-db") == {
        "name": "onChange-db",
        "exec": "reload",
        "timeout": "4s",
        "when": {"source": "watch.db", "each": "changed"},
    }


def test_tasks_and_coprocesses() -> None:
    config = made(
        {
            "tasks": [{"command": "/bin/clean all", "frequency": "10s", "timeout": "2s"}, {"command": ["/bin/clean"],
                      "frequency": "1m", "name": "again"}],
            "coprocesses": [{"command": ["/bin/agent", "-x"], "restarts": "unlimited"}, {"command": "agent"}],
            "preStart": "pre",
        },
        "app",
    )  # fmt: skip
    after = {"source": "preStart", "once": "exitSuccess"}
    assert job(config, "clean") == {
        "name": "clean",
        "exec": "/bin/clean all",
        "when": {"interval": "10s"},
        "timeout": "2s",
    }
    assert job(config, "again")["when"] == {"interval": "1m"}
    assert job(config, "agent") == {
        "name": "agent",
        "exec": ["/bin/agent", "-x"],
        "restarts": "unlimited",
        "when": after,
        "stopAfter": ["main"],
    }
    assert job(config, "agent-2")["when"] == after


def test_sensors_become_metrics_and_jobs() -> None:
    sensor = {"namespace": "ns", "name": "used", "help": "h", "type": "gauge", "poll": 5, "check": "/bin/sensor a b"}
    config = made({"telemetry": {"port": 9091, "interfaces": "eth0", "tags": "t", "sensors": [sensor]}}, "app")
    metric = {"namespace": "ns", "name": "used", "help": "h", "type": "gauge"}
    assert config["telemetry"] == {"port": 9091, "interfaces": ["eth0"], "tags": ["t"], "metrics": [metric]}
    found = job(config, "sensor-used")
    assert found["when"] == {"interval": 5}
    assert "ns_used=$value" in found["exec"][2]
    assert found["exec"][3:] == ["sensor", "/bin/sensor a b"]


def test_what_both_versions_know_is_copied() -> None:
    config = made(
        {
            "consul": {"address": "c:1", "token": "{{ .T }}"},
            "logging": {"level": "DEBUG"},
            "stopTimeout": -1,
            "control": {"socket": "/s"},
            "services": [],
        },
        "app",
        T="s",
    )
    assert config["consul"] == {"address": "c:1", "token": "s"}
    assert config["logging"] == {"level": "DEBUG"}
    assert config["stopTimeout"] == -1
    assert config["control"] == {"socket": "/s"}


def test_etcd_is_a_decision() -> None:
    text = text_of('{"etcd": {"endpoints": "http://e:4001", "prefix": "/p"}, "services": []}', "app")
    config = parse(text).root.plain()
    assert config["discovery"] == {"backend": "etcd", "endpoints": ["http://e:4001"], "prefix": "/p"}
    assert any("etcd" in one.text for one in decisions(text))


@pytest.mark.parametrize(
    "more",
    [{"backends": [{"name": "db", "poll": 7, "onChange": "x"}]}, {"telemetry": {}}, {"services": [SERVICE, SERVICE]},
     {"coprocesses": [{"command": "x"}]}, {"tasks": [{"command": "x", "frequency": "1s"}]}],
)  # fmt: skip
def test_everything_ends_with_the_main_program_and_with_a_pre_start_that_fails(more: dict[str, Any]) -> None:
    text = text_of({"services": [], "preStart": "prepare", **more}, "app")
    jobs = parse(text).root.plain()["jobs"]
    ends = {
        one["exec"] if isinstance(one["exec"], str) else one["exec"][0]: one["exitOn"]
        for one in jobs
        if "exitOn" in one
    }
    assert ends == {"prepare": "failure", "app": "end"}
    assert not any("exit status" in one.text for one in decisions(text))


def test_nothing_is_added_where_nothing_lasts() -> None:
    text = text_of({"services": [SERVICE]}, "app")
    assert decisions(text) == []
    assert [one["name"] for one in parse(text).root.plain()["jobs"]] == ["app"]


def test_without_a_main_program() -> None:
    text = text_of({"services": [SERVICE]})
    assert "exec" not in job(parse(text).root.plain(), "app")
    [decision] = decisions(text)
    assert "no main program" in decision.text
    assert text.split("\n")[decision.line - 1].strip().startswith("// DECIDE: ")


def test_names_that_version_3_does_not_allow() -> None:
    text = text_of(
        {"services": [{**SERVICE, "name": "My_App"}], "backends": [{"name": "x_", "poll": 1, "onChange": "y"}]}
    )
    config = parse(text).root.plain()
    assert config["jobs"][0]["name"] == "my-App"
    assert config["watches"][0]["name"] == "x-"
    assert sum("does not allow the name" in one.text for one in decisions(text)) == 2


def test_two_watches_of_one_name_are_a_decision() -> None:
    backend = {"name": "db", "poll": 7, "onChange": "x"}
    text = text_of({"backends": [{**backend, "tag": "a"}, {**backend, "tag": "b"}]}, "app")
    assert [one["name"] for one in parse(text).root.plain()["jobs"]][1:3] == ["onChange-db", "onChange-db-2"]
    assert any("two watches of one name" in one.text for one in decisions(text))


def test_unknown_keys_are_left_out_with_a_remark() -> None:
    text = text_of({"services": [{**SERVICE, "pol": 5}], "servces": []}, "app")
    remarks = " ".join(one.text for one in decisions(text))
    assert "servces is no key" in remarks
    assert "pol is no key" in remarks


def test_the_old_name_of_the_programs_pid_in_the_file_is_a_decision() -> None:
    web = {**SERVICE, "name": "web-1"}
    used = {"services": [web], "preStop": ["sh", "-c", "kill $CONTAINERPILOT_APP_PID"]}
    assert any("CONTAINERPILOT_WEB_1_PID" in one.text for one in decisions(text_of(used, "/usr/sbin/nginx")))
    assert decisions(text_of({**used, "services": [SERVICE]}, "/usr/sbin/nginx")) == []
    assert "PID" not in text_of({"services": [web]}, "/usr/sbin/nginx")
    assert any(
        "for the first time" in one.text for one in decisions(text_of(used, "x", "{{ .CONTAINERPILOT_APP_IP }}"))
    )


TEMPLATED = """{{ $host := .HOST | default "localhost" }}
{
  "consul": "{{ if .AGENT }}{{ $host }}{{ else }}{{ .CONSUL }}{{ end }}:8500",
  {{ if .PRE }}"preStart": "pre {{ .PRE }}",{{ end }}
  "services": [
    {"name": "{{ .NAME }}", "port": {{ .PORT }}, "poll": {{ if .POLL }}{{ .POLL }}{{ else }}10{{ end }}, "ttl": 30
     {{ if .TAG }}, "tags": ["{{ .TAG }}"]{{ end }} }
    {{ if .SSL }}, {"name": "ssl", "port": 443, "poll": 5, "ttl": 9}{{ end }}
  ],
  "coprocesses": [{{- if .AGENT }}
    {"command": ["agent", {{ range $i, $e := split "," .JOIN }}{{ if $i }}, {{ end }}"-join={{ $e }}"{{ end }}]}
  {{- else }}
    {"command": "other"}
  {{- end }}]
}
"""


def test_the_template_survives() -> None:
    common = {"NAME": "web", "PORT": "8080"}
    config = made(TEMPLATED, "app", "{{ .PORT }}", **common, AGENT="1", JOIN="a,b", PRE="x", SSL="1", TAG="t", POLL="7")
    assert config["consul"] == "localhost:8500"
    assert job(config, "web")["exec"] == ["app", "8080"]
    assert job(config, "web")["tags"] == ["t"]
    assert job(config, "web")["health"] == {"interval": 7, "ttl": 30}
    assert job(config, "web")["when"]["source"] == "preStart"
    assert job(config, "agent")["exec"] == ["agent", "-join=a", "-join=b"]
    assert job(config, "ssl")["when"]["source"] == "preStart"

    config = made(TEMPLATED, "app", **common, CONSUL="consul")
    assert config["consul"] == "consul:8500"
    assert "when" not in job(config, "web")
    assert "tags" not in job(config, "web")
    assert job(config, "other")["exec"] == "other"
    assert [one["name"] for one in config["jobs"]][:2] == ["other", "web"]


def test_a_service_that_may_not_be_there_is_not_the_main_program() -> None:
    text = '{"consul": "c", "services": [{{ if .A }}{"name": "aa", "port": 1, "poll": 1, "ttl": 2}{{ end }}]}'
    assert made(text, "app")["jobs"][0]["name"] == "main"
    assert job(made(text, "app", A="1"), "aa")["port"] == 1


@pytest.mark.parametrize("text", ['{"services": [{"port": 1}]}', '{"services": [{"name": tru}]}'])
def test_what_cannot_be_converted(text: str) -> None:
    with pytest.raises(MigrationError):
        convert(Version2File(text), ["app"])


# -------------------------------------------------------------------------------------------------- what is not there
@pytest.mark.parametrize(
    ("old", "wanted"),
    [
        ({"services": [{"name": "app", "port": 1}]}, ["poll", "ttl"]),
        ({"services": [{"name": "app", "poll": 1, "ttl": 1}]}, ["port"]),
        ({"backends": [{"name": "db"}]}, ["onChange", "poll"]),
        ({"coprocesses": [{"name": "db"}]}, ["command"]),
        ({"tasks": [{"name": "db"}]}, ["command", "frequency"]),
        ({"services": [], "telemetry": {"sensors": [{"name": "a", "help": "h", "type": "gauge"}]}}, ["check", "poll"]),
    ],
)
def test_what_version_2_demands_and_is_not_there_is_a_decision(old: dict[str, Any], wanted: list[str]) -> None:
    found = " ".join(one.text for one in decisions(text_of(old, "z")))
    assert re.findall(r"version 2 demands (\w+) here, and there is none: add", found) == wanted


def test_what_a_branch_of_the_template_has_is_there() -> None:
    text = '{"services": [{"name": "app", "port": 1, {{ if .A }}"poll": 1{{ else }}"poll": 2{{ end }}, "ttl": 1}]}'
    assert decisions(text_of(text, "z")) == []


def test_keys_of_our_own_are_told_at_the_top() -> None:
    assert "ContainerPilot 3 refuses this file: `exitOn` is known" in text_of({"preStart": "x"})
    assert "refuses this file" not in text_of({"services": [SERVICE]})


def test_versions_are_told_apart() -> None:
    assert is_version_2(Version2File('{"services": []}'))
    assert is_version_2(Version2File('{"telemetry": {"sensors": []}}'))
    assert not is_version_2(Version2File('{"consul": "x", "jobs": [], "services": []}'))
    assert not is_version_2(Version2File('{"consul": "x", "telemetry": {}}'))


def test_the_result_loads(tmp_path: Any) -> None:
    (tmp_path / "new").write_text(text_of(TEMPLATED, "app"))
    environment = {"NAME": "web", "PORT": "8080", "CONSUL": "c", "PATH": "/bin"}
    request = LoadRequest((str(tmp_path / "new"),), environment, judge_machine=False, hostname="h")
    result = load(request, lambda _: None)
    assert [problem.sentence() for problem in result.problems if problem.is_error] == []
