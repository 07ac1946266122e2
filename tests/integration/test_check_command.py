"""`corepilot check` and `corepilot render` as a user runs them."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from running import cli

from corepilot.testing.running import COMMAND

GOOD = '{ discovery: false, jobs: [ { name: "{{ .NAME | default "a" }}", exec: "/bin/true" } ] }\n'
BAD = '{\n  jobs: [\n    { exec: "/bin/true", prot: 80 },\n  ],\n  stopTimeout: "5s",\n}\n'


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.json5"
    file.write_text(GOOD)
    return file


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.json5"
    file.write_text(BAD)
    return file


def test_a_good_file_is_one_line(good: Path) -> None:
    answer = cli("check", str(good))
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{good}: ok (1 job, 0 watches)\n", "")


def test_a_bad_file_has_all_its_errors_with_places(bad: Path) -> None:
    answer = cli("check", str(bad))
    assert answer.returncode == 1
    assert answer.stdout == (
        f"{bad}:3:5: error: cannot use jobs[0]: name is required\n"
        '  3 |     { exec: "/bin/true", prot: 80 },\n'
        "    |     ^\n"
        "    = add name\n"
        f"{bad}:3:26: error: cannot use jobs[0].prot: there is no such key here\n"
        '  3 |     { exec: "/bin/true", prot: 80 },\n'
        "    |                          ^\n"
        '    = did you mean "port"?\n'
        f'{bad}:5:16: error: cannot use stopTimeout: "5s" is not a whole number of seconds\n'
        '  5 |   stopTimeout: "5s",\n'
        "    |                ^\n"
        "    = write 5: the number counts seconds\n"
        f"{bad}: refused (3 errors)\n"
    )


def test_programs_that_this_machine_lacks_are_one_warning(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    check = "health: { interval: 1, ttl: 5, exec: ['/srv/check', 'it'] }"
    file.write_text(
        f'{{ jobs: [\n{{ name: "app", exec: "/srv/app", {check} }},\n{{ name: "b", exec: "no-such-b" }} ] }}\n'
    )
    answer = cli("check", str(file))
    assert answer.returncode == 0
    assert answer.stdout == (
        f"{file}: warning (depends on this machine): 3 commands cannot be executed here:\n"
        '  2:22 jobs[0].exec (job "app"): "/srv/app": no such file: /srv/app\n'
        '  2:71 jobs[0].health.exec (job "app"): "/srv/check": no such file: /srv/check\n'
        f'  3:20 jobs[1].exec (job "b"): "no-such-b": not found in PATH ({os.environ["PATH"]})\n'
        "    = they have to be there when the jobs start\n"
        f"{file}: ok (2 jobs, 0 watches)\n"
    )
    (report,) = json.loads(cli("check", "-o", "json", str(file)).stdout)["files"]
    assert [(one["code"], one["line"]) for one in report["problems"]] == [("exec-missing", line) for line in (2, 2, 3)]
    jobs = ", ".join(f'{{ name: "a{number}", exec: "/srv/app" }}' for number in range(23))
    file.write_text(f"{{ jobs: [ {jobs} ] }}")
    shown = cli("check", str(file)).stdout
    assert len(shown.splitlines()) == 24
    assert "  and 3 more; -o json has all\n" in shown
    file.write_text('{ jobs: [ { name: "a", exec: "/srv/app" } ] }')
    assert 'cannot execute "/srv/app" here' in cli("check", str(file)).stdout


def test_several_files_are_all_judged(good: Path, bad: Path) -> None:
    answer = cli("check", str(good), str(bad), str(good.parent / "missing.json5"), str(good))
    assert answer.returncode == 1
    assert answer.stdout.count(": ok (1 job, 0 watches)\n") == 2
    assert "bad.json5: refused (3 errors)\n" in answer.stdout
    assert "missing.json5: refused (1 error)\n" in answer.stdout
    assert cli("check", str(good), str(good)).returncode == 0


def test_the_option_c_names_a_file_too(good: Path, bad: Path) -> None:
    assert cli("check", "-c", str(good)).stdout == f"{good}: ok (1 job, 0 watches)\n"
    assert cli("check", "-c", f"file://{good}").stdout == f"file://{good}: ok (1 job, 0 watches)\n"
    assert cli("check", "-c", str(good), str(bad)).returncode == 1


def test_without_a_file_the_usual_places_are_looked_at(good: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "COREPILOT": str(good)}
    assert cli("check", environment=environment, cwd=good.parent).stdout == f"{good}: ok (1 job, 0 watches)\n"
    answer = cli("check", environment={"PATH": os.environ["PATH"]}, cwd=good.parent)
    assert answer.returncode == 1
    assert "/etc/corepilot.json5" in answer.stderr


def test_json_for_programs(good: Path, bad: Path) -> None:
    answer = cli("check", "-o", "json", str(good), str(bad))
    assert answer.returncode == 1
    first, second = json.loads(answer.stdout)["files"]
    assert first == {"file": str(good), "ok": True, "jobs": 1, "watches": 0, "problems": []}
    assert (second["file"], second["ok"], second["jobs"], second["watches"]) == (str(bad), False, None, None)
    assert second["problems"][1] == {
        "severity": "error",
        "code": "unknown-key",
        "message": "cannot use jobs[0].prot: there is no such key here",
        "hint": 'did you mean "port"?',
        "file": str(bad),
        "line": 3,
        "column": 26,
        "path": "jobs[0].prot",
        "job": "",
        "source_line": '    { exec: "/bin/true", prot: 80 },',
        "caret": 26,
        "rendered_line": "",
        "rendered_number": 0,
        "unset": [],
        "machine": False,
    }


def test_variables_of_the_commonest_mistake(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text("{\n  stopTimeout: {{ .STOP }},\n}\n")
    answer = cli("check", str(file))
    assert answer.returncode == 1
    assert "  2 |   stopTimeout: {{ .STOP }},\n" in answer.stdout
    assert "    = rendered, line 2: stopTimeout: ,\n" in answer.stdout
    assert "    = not set: STOP\n" in answer.stdout
    assert cli("check", "-e", "STOP=5", str(file)).returncode == 0


def test_variables_from_the_environment_files_and_options(good: Path, tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text("NAME=from-one\nOTHER=x\n")
    (tmp_path / "two.env").write_text("NAME='from two'\n")
    environment = {"PATH": os.environ["PATH"], "NAME": "from-environment"}

    def rendered(*words: str) -> str:
        answer = cli("render", *words, str(good), environment=environment)
        assert answer.returncode == 0
        return answer.stdout.split('"')[1]

    one, two = ("--env-file", str(tmp_path / "one.env")), ("--env-file", str(tmp_path / "two.env"))
    assert rendered() == "from-environment"
    assert rendered(*one) == "from-one"
    assert rendered(*one, *two) == "from two"
    assert rendered("-e", "NAME=a=b", *one) == "a=b"
    assert rendered("-e", "NAME=", *one) == "a"


@pytest.mark.parametrize("words", [("-e", "NAME"), ("-e", "=x"), ("--env-file", "/no/such/file")])
def test_variables_that_cannot_be_read_are_refused(good: Path, words: tuple[str, ...]) -> None:
    for command in ("check", "render"):
        answer = cli(command, *words, str(good))
        assert (answer.returncode, answer.stdout) == (2 if words[0] == "-e" else 1, "")
        assert answer.stderr.startswith("corepilot: cannot ")
        assert len(answer.stderr.splitlines()) == 1


def test_here_judges_as_run_does(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text(
        '{ discovery: "embedded", logging: { output: "/no/such/directory/log" }, jobs: [ { name: "app", port: 80,'
        ' exec: "no-such-program", interfaces: "nosuch0", health: { interval: 1, ttl: 1 } } ] }'
    )
    answer = cli("check", str(file))
    assert answer.returncode == 0
    assert answer.stdout.count(": warning (depends on this machine): ") == 3
    answer = cli("check", "--here", str(file))
    assert answer.returncode == 1
    assert answer.stdout.count(": error (depends on this machine): ") == 2
    assert answer.stdout.count(": warning (depends on this machine): ") == 1


def test_strict_refuses_duplicate_keys(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text('{ discovery: false, jobs: [ { name: "a", exec: "/bin/true", name: "b" } ] }')
    assert cli("check", str(file)).returncode == 0
    answer = cli("check", "--strict", str(file))
    assert answer.returncode == 1
    assert "in lines 1 and 1" in answer.stdout


def test_another_catalog_can_be_tried(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text('{ consul: 5, watches: [ { name: "db", interval: 1 } ] }')
    assert cli("check", str(file)).returncode == 1
    assert cli("check", "--discovery", "embedded", str(file)).returncode == 0
    environment = {"PATH": os.environ["PATH"], "COREPILOT_DISCOVERY": "embedded:path=/tmp"}
    assert cli("check", str(file), environment=environment).returncode == 0
    assert cli("check", "--discovery", "none", str(file), environment=environment).returncode == 1


# --------------------------------------------------------------------------------------------------------- render
def test_render_prints_exactly_what_the_template_makes(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_bytes("not { JSON5\r\n\té {{ .A }}{{ env `B` }}".encode())
    answer = subprocess.run(
        [*COMMAND, "render", str(file)],
        env={b"PATH": os.environb[b"PATH"], b"A": b"a=b=c", b"B": b"\xff\xfe"},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert answer.stdout == "not { JSON5\r\n\té a=b=c".encode() + b"\xff\xfe"
    assert answer.stderr == b""


@pytest.mark.parametrize("text", ["{{ nosuch }}", "{{ if }}", "{{ .A | split 5 }}"])
def test_a_template_that_cannot_be_carried_out_is_told_on_stderr(tmp_path: Path, text: str) -> None:
    file = tmp_path / "app.json5"
    file.write_text(f"line one\n{text}\n")
    answer = cli("render", str(file))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(f"{file}:2:")


def test_a_missing_file_is_told_on_stderr(tmp_path: Path) -> None:
    answer = cli("render", str(tmp_path / "missing"))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "there is no such file" in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "render"])
def test_a_template_bomb_ends(tmp_path: Path, command: str) -> None:
    file = tmp_path / "bomb.json5"
    file.write_text("\n{{ range loop 100000 }}{{ range loop 100000 }}x{{ end }}{{ end }}")
    answer = cli(command, str(file))
    assert answer.returncode == 1
    assert f"{file}:2:" in answer.stdout + answer.stderr


# --------------------------------------------------------------------------------------------------- odd surroundings
def test_output_that_nobody_reads_is_no_traceback(good: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        answer = subprocess.run(
            [*COMMAND, "check", str(good)], stdout=write_end, stderr=subprocess.PIPE, timeout=30, check=False
        )
    finally:
        os.close(write_end)
    assert answer.returncode == 1
    assert b"Traceback" not in answer.stderr


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text(
        '{ consul: { token: "{{ .CATALOG_TOKEN }}", adress: "x" }, jobs: [ { name: "a",'
        ' exec: "app --password=plainpassword \'{{ .DB_PASSWORD }}\'", restart: "{{ .DB_PASSWORD }}" } ] }'
    )
    environment = {"PATH": os.environ["PATH"], "CATALOG_TOKEN": "canary-one", "DB_PASSWORD": "canary-two"}
    for words in (["check"], ["check", "-o", "json"], ["check", "--here"]):
        answer = cli(*words, str(file), environment=environment)
        assert answer.returncode == 1
        printed = answer.stdout + answer.stderr
        assert "canary" not in printed
        assert "plainpassword" not in printed


def test_a_hostile_environment_changes_nothing(good: Path, tmp_path: Path) -> None:
    for name in ("marshmallow", "re", "json", "corepilot", "events"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "/no", "LANG": "C"}
    answer = cli("check", str(good), environment=environment, cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_secrets_that_the_template_puts_where_something_else_belongs_are_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "app.json5"
    file.write_text("""{
  consul: false,
  jobs: [
    { name: "{{ .DB_PASSWORD }}", exec: "true", port: "{{ .DB_PASSWORD }}", health: { interval: 1, ttl: 5 } },
    { name: "x", exec: "{{ .DB_PASSWORD }}", when: { source: "{{ .DB_PASSWORD }}er", once: "healthy" } },
  ],
}""")
    for arguments in (["check"], ["check", "-o", "json"], ["run", "-c"]):
        environment = {"PATH": os.environ["PATH"], "DB_PASSWORD": "hunter2secret"}
        answer = cli(*arguments, str(file), environment=environment)
        assert answer.returncode == 1
        assert "whole number" in answer.stdout + answer.stderr
        assert "hunter2secret" not in answer.stdout + answer.stderr


def test_names_with_control_characters_forge_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "a\nforged: ok\x1b[2J.json5"
    file.write_text(
        '{ consul: false, jobs: [{ name: "\\nforged: ok\\u001b[2J", exec: [], port: 1 }, { name: "\\u2028", exec: "",'
        ' "\\nforged": 1, when: { source: "\\rforged", once: "\\nforged" } }] }'
    )
    for words in (["check"], ["render", "-e", "\nforged"], ["check", "-e", "=\nforged"], ["\nforged\udcff"]):
        answer = cli(*words, str(file))
        assert answer.returncode != 0
        printed = (answer.stdout + answer.stderr).splitlines()
        assert printed
        assert [line for line in printed if line.startswith("forged") or not line.isprintable()] == []
    missing = cli("check", "/no\nforged: ok", "/no-\udcff")
    assert missing.stdout.count("\n") == 6
    assert r"/no\nforged: ok: refused (1 error)" in missing.stdout
    assert r"/no-\udcff: refused (1 error)" in missing.stdout


def test_in_a_root_without_proc_plugins_are_judged_too(tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text('{ consul: "localhost:8500", jobs: [ { name: "a", exec: "/bin/true" } ] }\n')
    script = 'mount -t tmpfs none /proc && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *COMMAND, "check", str(file)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout == f"{file}: ok (1 job, 0 watches)\n"
    assert (answer.returncode, answer.stderr) == (0, "")
