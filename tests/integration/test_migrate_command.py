"""`corepilot migrate`: what it prints and writes, its exit statuses, and that what it makes behaves like version 2."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from running import Corepilot, alive, cli

from corepilot.testing.running import COMMAND

UNCHANGED = '{consul: "localhost:8500", jobs: [{name: "app", exec: "sleep 9"}, {name: "n"}]}'
CHANGED = '{consul: "https://c:8501",\n jobs: [{name: "app", exec: "sleep 9"}, {name: "n"}]}'
OLD = '{"consul": "{{ .CONSUL }}:8500", "services": [{"name": "app", "port": 80, "poll": 5, "ttl": 9}]}'
UNDECIDED = OLD[:-1] + ', "tasks": [{"command": "x", "frequency": "5s"}]}'


def write(directory: Path, name: str, text: str) -> str:
    (directory / name).write_text(text)
    return str(directory / name)


# ----------------------------------------------------------------------------------------------------------- version 3
def test_a_file_without_differences_loads_unchanged(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json5", UNCHANGED)
    answer = cli("migrate", file)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{file}: loads unchanged\n", "")


def test_a_difference_is_named_with_its_place_and_its_setting(tmp_path: Path) -> None:
    good, file = write(tmp_path, "a.json5", UNCHANGED), write(tmp_path, "b.json5", CHANGED)
    answer = cli("migrate", good, file)
    assert answer.returncode == 3
    said = "loads, with 1 difference from ContainerPilot; 1 needs a decision (exit status 3)"
    assert f"{good}: loads unchanged\n{file}: {said}\n" in answer.stdout
    assert "  tls-verify (decide): consul (line 1)\n" in answer.stdout
    assert "    to restore:     consul: { tls: { verify: false } }" in answer.stdout


@pytest.mark.parametrize("words", [["--json"], ["-o", "json"], ["--output=json"]])
def test_json(tmp_path: Path, words: list[str]) -> None:
    files = [write(tmp_path, "a.json5", UNCHANGED), write(tmp_path, "b.json5", CHANGED)]
    answer = cli("migrate", *files, *words)
    assert answer.returncode == 3
    first, second = json.loads(answer.stdout)["files"]
    assert first == {
        "file": files[0],
        "version": 3,
        "ok": True,
        "decide": False,
        "problems": [],
        "unchanged": True,
        "differences": [],
    }
    [difference] = second["differences"]
    assert difference["id"] == "tls-verify"
    assert difference["decide"] is True
    assert "verify: false" in difference["restore"]
    assert difference["places"] == [{"path": "consul", "line": 1, "column": 10}]


def test_all_tells_of_differences_that_no_file_can_rely_on(tmp_path: Path) -> None:
    from corepilot.migrate.differences import DIFFERENCES

    file = write(tmp_path, "a.json5", UNCHANGED)
    answer = cli("migrate", "--all", "--json", file)
    assert answer.returncode == 0
    assert [one["id"] for one in json.loads(answer.stdout)["files"][0]["differences"]] == [
        one.id for one in DIFFERENCES
    ]


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.json5", '{consul: "x",\n jobs: {}}')
    answer = cli("migrate", bad, write(tmp_path, "b.json5", CHANGED), str(tmp_path / "none"))
    assert answer.returncode == 1
    assert f"{bad}:2:" in answer.stdout
    assert f"{bad}: cannot be loaded (1 error)\n  not-an-array: jobs (line 2)\n" in answer.stdout
    assert "there is no such file" in answer.stdout
    assert "tls-verify" in answer.stdout


def test_variables_are_given_as_to_check(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json5", '{consul: {{ .C }}, jobs: [{name: "n"}]}')
    assert cli("migrate", file).returncode == 1
    assert cli("migrate", file, "-e", 'C="x"').returncode == 0


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    for text in (CHANGED, '{"services": [], "preStart": “x”}'):
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "w") as pipe:
            pipe.write(text)
        words = [*COMMAND, "migrate", f"/dev/fd/{read_end}"]
        answer = subprocess.run(words, pass_fds=[read_end], capture_output=True, text=True, timeout=30, check=False)
        os.close(read_end)
        assert "tls-verify (decide): consul (line 1)" in answer.stdout or f"/dev/fd/{read_end}:1:30: " in answer.stderr


# ----------------------------------------------------------------------------------------------------------- version 2
def test_version_2_is_turned_into_version_3(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", OLD)
    answer = cli("migrate", file, "--", "app", "--help", "{{ .PORT }}")
    assert answer.returncode == 0
    assert answer.stderr == f"{file}: turned into version 3\n"
    assert 'exec: ["app", "--help", "{{ .PORT }}"],' in answer.stdout
    assert '"{{ .CONSUL }}:8500"' in answer.stdout
    new = write(tmp_path, "new.json5", answer.stdout)
    assert cli("check", new).returncode == 0
    assert cli("migrate", new).returncode in {0, 3}


def test_decisions_are_status_3_and_are_shown(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", UNDECIDED)
    answer = cli("migrate", file, "--", "app")
    assert answer.returncode == 3
    said, decision = answer.stderr.splitlines()
    assert said == f"{file}: turned into version 3; 1 decision is wanted (exit status 3):"
    assert decision.startswith("  DECIDE: version 2 ran this for the first time when its interval had passed")
    assert len(decision) < 130


def test_decisions_in_a_file_have_their_lines(tmp_path: Path) -> None:
    two = UNDECIDED.replace('"tasks": [', '"tasks": [{"command": "y", "frequency": "9s"}, ')
    new = tmp_path / "new.json5"
    answer = cli("migrate", write(tmp_path, "old.json", two), "-o", str(new), "--", "app")
    assert answer.returncode == 3
    said, decision = answer.stderr.splitlines()
    assert said.endswith(f"in {new}; 2 decisions are wanted (exit status 3):")
    found = re.match(r"  DECIDE lines (\d+), (\d+): version 2 ran", decision)
    assert found
    lines = new.read_text().split("\n")
    assert all("DECIDE: " in lines[int(line) - 1] for line in found.groups())


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    file, new = write(tmp_path, "old.json", OLD), tmp_path / "new.json5"
    answer = cli("migrate", "-o", str(new), file, "--", "app")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == f"{file}: turned into version 3, in {new}\n"
    assert cli("check", str(new)).returncode == 0
    assert cli("migrate", "-o", str(tmp_path / "none" / "new"), file, "--", "app").returncode == 1


def test_json_of_version_2(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", UNDECIDED)
    [found] = json.loads(cli("migrate", "--json", file, "--", "app").stdout)["files"]
    assert found["version"] == 2
    assert found["decide"] is True
    assert "DECIDE" in found["text"].split("\n")[found["decisions"][0]["line"] - 1]
    answer = cli("migrate", "--json", "-o", str(tmp_path / "new"), file, "--", "app")
    [found] = json.loads(answer.stdout)["files"]
    assert (found["text"], found["written"]) == (None, str(tmp_path / "new"))


def test_what_the_shells_variables_make_wrong_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", OLD.replace("80", "{{ .PORT }}"))
    answer = cli("migrate", file, "--", "app")
    assert answer.returncode == 3
    assert "port: {{ .PORT }}" in answer.stdout
    assert "the new file:" in answer.stderr
    assert "not set: PORT" in answer.stderr
    assert "give those of the container with -e NAME=VALUE or --env-file FILE" in answer.stderr
    assert "1 error in the new file (exit status 3)\n" in answer.stderr
    assert cli("migrate", file, "-e", "PORT=80", "--", "app").returncode == 0


def test_version_2_that_cannot_be_followed(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", '{"services": [\n{{ if .A }}{ {{ else }} { {{ end }}"name": "x" }]}')
    answer = cli("migrate", file, "--", "app")
    assert answer.returncode == 1
    assert f"{file}:2:" in answer.stderr
    assert answer.stdout == ""


def test_what_is_wrong_without_a_variable_is_not_blamed_on_variables(tmp_path: Path) -> None:
    file, new = write(tmp_path, "old.json", OLD.replace("80", '["x"]')), tmp_path / "new.json5"
    answer = cli("migrate", file, "-o", str(new), "-e", "CONSUL=c", "--", "app")
    assert answer.returncode == 3
    assert answer.stderr.startswith(f"{new}:")
    assert "ariables" not in answer.stderr


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"services": [],\n "preStart": “x”}', 2, "is not a quote"),
        ('{"services": [\n{"name": "app"}\n}', 3, "where ']' is needed"),
        ('{"services": [],\n "preStart": "{{ \\"x\\" }}",\n "postStop": "y"}', 2, "cannot carry out the template"),
        ('{"services": [{"name": "a"\n{{ if .A }}]{{ end }}', 2, "rewrite it by hand"),
        ('{"services": [{"name": "a", "port": {{ .PORT }}}],\n "preStart": tru}', 2, "this is not JSON"),
    ],
)
def test_a_broken_file_of_version_2_is_told_as_check_does(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = write(tmp_path, "old.json", text)
    answer = cli("migrate", file, "--", "app")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"{file}:{line}:")
    assert said in answer.stderr
    assert f"  {line} | " in answer.stderr


def test_a_comma_that_is_mended_is_said(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", OLD.replace(', "services"', '\n"services"'))
    answer = cli("migrate", file, "-e", "CONSUL=c", "--", "app")
    assert answer.returncode == 0
    assert answer.stderr.startswith(f"{file}:1:32: warning: a comma is missing behind this")
    assert "in line 1 of the old file: mended here" in answer.stdout
    [problem] = json.loads(cli("migrate", "--json", file, "-e", "CONSUL=c", "--", "app").stdout)["files"][0]["problems"]
    assert (problem["severity"], problem["line"]) == ("warning", 1)


def test_a_configuration_in_the_place_of_its_path(tmp_path: Path) -> None:
    answer = cli("migrate", OLD, "--", "app")
    assert answer.returncode == 1
    assert "its path is wanted" in answer.stdout


def test_run_and_check_point_to_migrate(tmp_path: Path) -> None:
    file = write(tmp_path, "old.json", OLD)
    assert "corepilot migrate" in cli("check", file).stdout
    answer = cli("run", "-c", file)
    assert answer.returncode == 1
    assert "corepilot migrate" in answer.stderr


@pytest.mark.parametrize("broken", [OLD.replace("80", "{{ .PORT }}"), OLD.replace(', "ser', ' "ser'), OLD + "{{ if }}"])
def test_version_2_is_recognised_also_where_it_cannot_be_read(tmp_path: Path, broken: str) -> None:
    file = write(tmp_path, "old.json", broken)
    answer = cli("check", file)
    assert answer.returncode == 1
    assert "cannot use a configuration of ContainerPilot 2: services" in answer.stdout
    assert f"corepilot migrate {file} -- COMMAND" in answer.stdout
    assert "(2 errors)" in answer.stdout
    old = [sys.executable, "-I", "-m", "corepilot.cli.containerpilot"]
    words = [*old, "-config", f"file://{file}", "nginx", "-g", "a b"]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30, env=environment)
    assert done.returncode == 1
    assert f"corepilot migrate file://{file} -- nginx -g 'a b'" in done.stdout


def test_version_2_in_the_variable_itself(tmp_path: Path) -> None:
    answer = cli("run", environment={"CONTAINERPILOT": OLD, "PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert answer.returncode == 1
    assert "its path is wanted, as in ContainerPilot 3" in answer.stderr
    assert "corepilot migrate FILE -- COMMAND" in answer.stderr
    assert "8500" not in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["migrate"],
        ["migrate", "--", "app"],
        ["migrate", "new", "--", "app"],
        ["migrate", "new", "-o", "out"],
        ["migrate", "old", "new", "--", "app"],
        ["migrate", "old", "-o", "old", "--", "app"],
    ],
)
def test_words_that_do_not_fit(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path, "old", OLD)
    write(tmp_path, "new", UNCHANGED)
    answer = cli(*words, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("corepilot: cannot")
    assert (tmp_path / "old").read_text() == OLD


# ------------------------------------------------------------------------------------------- what was made of version 2
def says(word: str) -> list[str]:
    return ["sh", "-c", f"echo {word} >>order"]


def run(directory: Path, old: dict[str, Any], *program: str) -> Corepilot:
    """What was made of a file of version 2, running; nobody listens where its catalog is said to be."""
    file = write(directory, "old.json", json.dumps({"consul": "127.0.0.1:1", **old}))
    text = cli("migrate", file, "--", *program).stdout
    # Version 2 has no control socket, and the default place is shared.
    config = text.replace("{\n", '{\n  control: { socket: "%(dir)s/control.socket" },\n', 1)
    variables = {
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        "COREPILOT": str(directory / "corepilot.json5"),
    }
    return Corepilot(config, directory, environment=variables)


def order(directory: Path) -> list[str]:
    file = directory / "order"
    return file.read_text().split() if file.exists() else []


def test_the_order_and_the_exit_status_of_the_program(tmp_path: Path) -> None:
    old = {"preStart": says("pre"), "postStop": says("post"), "services": []}
    with run(tmp_path, old, "sh", "-c", "echo main >>order; exit 7") as corepilot:
        assert corepilot.wait() == 7
    assert order(tmp_path) == ["pre", "main", "post"]


def test_a_pre_start_that_fails_is_the_end(tmp_path: Path) -> None:
    old = {"preStart": "false", "services": [], "coprocesses": [{"command": says("beside")}]}
    with run(tmp_path, old, *says("main")) as corepilot:
        assert corepilot.wait() == 1
    assert order(tmp_path) == []


def test_what_goes_on_is_ended_with_the_program(tmp_path: Path) -> None:
    service = {"name": "app", "port": 80, "poll": 1, "ttl": 5, "interfaces": "static:127.0.0.1"}
    beside = ["sh", "-c", "echo $$ >pid; exec sleep 1000"]
    old = {
        "services": [service, {**service, "name": "other"}],
        "backends": [{"name": "db", "poll": 1, "onChange": "true"}],
        "coprocesses": [{"command": beside, "restarts": "unlimited"}],
        "postStop": says("post"),
    }
    with run(tmp_path, old, "sh", "-c", "while [ ! -s pid ]; do sleep 0.05; done; exit 3") as corepilot:
        assert corepilot.wait() == 3
    assert order(tmp_path) == ["post"]
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_stop_runs_pre_stop_first_and_post_stop_last(tmp_path: Path) -> None:
    program = "trap 'echo term >>order; exit 0' TERM; echo main >>order; while :; do sleep 0.05; done"
    old = {"preStop": says("before"), "postStop": says("after"), "services": []}
    with run(tmp_path, old, "sh", "-c", program) as corepilot:
        eventually(lambda: order(tmp_path) == ["main"])
        corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
    assert order(tmp_path) == ["main", "before", "term", "after"]


@pytest.mark.parametrize("post", [{"postStop": ["sh", "-c", "kill -0 $(cat agent) && echo post >>order"]}, {}])
@pytest.mark.parametrize("stop", [True, False])
def test_a_coprocess_is_stopped_after_the_program_and_post_stop(
    tmp_path: Path, post: dict[str, Any], *, stop: bool
) -> None:
    agent = "trap 'echo agent >>order; exit 0' TERM; echo $$ >agent; while :; do sleep 0.05; done"
    program = (
        "trap 'kill -0 $(cat agent) && echo main >>order; exit 0' TERM; while [ ! -s agent ]; do sleep 0.05; done; "
    )
    program += "while :; do echo x >ready; sleep 0.05; done" if stop else "sleep 0.2; echo main >>order"
    old = {"services": [], "coprocesses": [{"command": ["sh", "-c", agent], "restarts": "unlimited"}], **post}
    with run(tmp_path, old, "sh", "-c", program) as corepilot:
        if stop:
            eventually((tmp_path / "ready").exists)
            corepilot.signal(signal.SIGTERM)
        assert corepilot.wait() == 0
    assert order(tmp_path) == ["main", *(["post"] if post else []), "agent"]


def test_coprocesses_end_where_pre_start_fails(tmp_path: Path) -> None:
    old = {"preStart": "false", "services": [], "coprocesses": [{"command": says("beside")}], "postStop": says("post")}
    with run(tmp_path, old, *says("main")) as corepilot:
        assert corepilot.wait() == 1
    assert "beside" not in order(tmp_path)


@pytest.mark.parametrize("stop", ["touch made", ["touch", "made"]])
def test_pre_stop_runs_only_while_the_program_does(tmp_path: Path, stop: Any) -> None:
    old = {"preStop": stop, "services": []}
    with run(tmp_path, old, "sh", "-c", "exit 4") as corepilot:
        assert corepilot.wait() == 4
    with run(tmp_path, {"preStart": "false", **old}, "sleep", "100") as corepilot:
        assert corepilot.wait() == 1
    assert not (tmp_path / "made").exists()


def test_pre_stop_gets_its_words(tmp_path: Path) -> None:
    old = {"preStop": ["touch", "a b"], "services": []}
    with run(tmp_path, old, "sh", "-c", "echo >ready; sleep 100") as corepilot:
        eventually((tmp_path / "ready").exists)
        corepilot.signal(signal.SIGTERM)
        corepilot.wait()
    assert (tmp_path / "a b").exists()


def test_a_sensor_gives_its_value_to_the_metric(tmp_path: Path) -> None:
    sensor = {"name": "used", "help": "h", "type": "gauge", "poll": 600, "check": "echo 42"}
    telemetry = {"port": 0, "interfaces": ["static:127.0.0.1"], "sensors": [sensor]}
    with run(tmp_path, {"services": [], "telemetry": telemetry}, "sleep", "1000") as corepilot:
        corepilot.until_ready()
        eventually(lambda: corepilot.job("sensor-used")["last_status"] is not None)
        assert corepilot.job("sensor-used")["last_status"] == 0, corepilot.output
