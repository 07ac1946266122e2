"""`corepilot reload-job`: a job reads its own configuration again, and others hear of it."""

import json
from pathlib import Path

from eventually import eventually
from recording import config
from registering import catalog, register
from running import Corepilot

WAIT = "while :; do sleep 0.05; done"
SERVER = f'["sh", "-c", "trap \'echo got HUP\' HUP; echo up; {WAIT}"]'


def test_a_command_runs_with_the_settings_of_the_job_and_the_client_waits_for_it(tmp_path: Path) -> None:
    command = "kill -HUP $CONTAINERPILOT_WEB_PID; sleep 0.3; echo reloaded $A in $PWD"
    job = f"""{{name: "web", exec: {SERVER}, env: {{A: "x"}}, cwd: "/usr", reload: ["sh", "-c", "{command}"]}},
        {{name: "told", exec: "echo told-of-it", when: {{source: "web", each: "reload"}}}}"""
    with Corepilot(config(job), tmp_path) as corepilot:
        corepilot.until(" up")
        for count in (1, 2):
            answer = corepilot.client("reload-job", "web", "-o", "json")
            assert answer.returncode == 0, answer.stderr
            line, result = map(json.loads, answer.stdout.splitlines())
            assert (line["name"], line["kind"], result["result"]) == ("web", "reloaded", "done")
            assert corepilot.output.count("reloaded x in /usr") == count  # at once: the client has waited
            corepilot.until("got HUP", count=count)
            corepilot.until("told-of-it", count=count)
        assert corepilot.job("web")["starts"] == 1
        assert corepilot.job("reload.web")["starts"] == 2
        assert corepilot.stop() == 0


def test_a_signal_goes_to_the_main_process_of_each_replica(tmp_path: Path) -> None:
    text = config(f'{{name: "web", exec: {SERVER}, replicas: 2, reload: {{signal: "HUP"}}}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" up", count=2)
        assert corepilot.client("reload-job", "web@2").returncode == 0
        corepilot.until("got HUP")
        assert corepilot.client("reload-job", "web").returncode == 0
        corepilot.until("got HUP", count=3)
        assert corepilot.stop() == 0


def test_a_command_that_fails_is_told_and_fails_nothing_else(tmp_path: Path) -> None:
    text = config(f'{{name: "web", exec: {SERVER}, reload: ["sh", "-c", "exit 3"]}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" up")
        answer = corepilot.client("reload-job", "web")
        assert answer.returncode == 3
        assert "failed: reload.web (exit status 3)" in answer.stderr
        assert corepilot.job("web")["state"] == "running"
        assert corepilot.stop() == 0


def test_a_file_that_changes_reloads_the_job_that_reads_it_once_that_is_ready(tmp_path: Path) -> None:
    """Without a handler, as it is at first, HUP would end the program."""
    (tmp_path / "template").write_text('{{ range service "app" }}{{ .Port }} {{ end }}')
    handler = "trap 'echo got HUP; echo with $(cat app.conf)' HUP"
    program = (
        f"read said < app.conf; {handler}; until test -e go; do sleep 0.05; done; echo with $said; touch up; {WAIT}"
    )
    text = (
        '{ control: { socket: "%(dir)s/control.socket" }, discovery: { backend: "embedded", path: "%(dir)s/catalog" }, '
        'watches: [{ name: "app" }], render: [{ templateFile: "%(dir)s/template", to: "%(dir)s/app.conf" }], jobs: [{ '
        f'name: "web", exec: ["sh", "-c", "{program}"], when: {{ source: "render.app", once: "healthy" }}, '
        'ready: { file: "%(dir)s/up" }, reload: { signal: "HUP" }, reloadOn: "render.app" }] }'
    )
    with catalog(tmp_path) as backend, Corepilot(text, tmp_path) as corepilot:
        register(backend, 1081)
        corepilot.until_ready()
        eventually(lambda: corepilot.job("web")["state"] == "running")
        register(backend, 1082)
        eventually(lambda: (tmp_path / "app.conf").read_text() == "1081 1082 ")
        assert "got HUP" not in corepilot.output
        (tmp_path / "go").touch()
        corepilot.until("got HUP")
        corepilot.until("1081 1082")
        register(backend, 1083)
        corepilot.until("got HUP", count=2)
        corepilot.until("1081 1082 1083")
        assert corepilot.job("web")["starts"] == 1
        assert corepilot.stop() == 0


def test_what_does_not_run_is_not_reloaded(tmp_path: Path) -> None:
    text = config(f'{{name: "web", exec: {SERVER}, reload: "true", autostart: false}}, {{name: "b", exec: {SERVER}}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" up")
        answer = corepilot.client("reload-job", "web")
        assert answer.returncode == 1
        assert "cannot reload web: it does not run; start it first" in answer.stderr
        assert corepilot.client("reload-job", "nobody").returncode == 1
        answer = corepilot.client("reload-job", "b")  # those who wait for the event hear of it
        assert answer.stdout == "b: published, the event reload and no more: the job has no reload of its own\n"
        assert corepilot.stop() == 0


def test_what_is_being_stopped_is_not_reloaded(tmp_path: Path) -> None:
    server = f'["sh", "-c", "trap \'echo got TERM\' TERM; echo up; {WAIT}"]'
    text = config(f'{{name: "web", exec: {server}, reload: "true", killTimeout: "1m"}}, {{name: "b", exec: {SERVER}}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" up", count=2)
        assert corepilot.client("stop", "web", "--no-wait").returncode == 0
        corepilot.until("got TERM")
        answer = corepilot.client("reload-job", "web")
        assert (answer.returncode, "cannot reload web: it is being stopped" in answer.stderr) == (1, True)
        assert corepilot.client("signal", "KILL", "web").returncode == 0
        assert corepilot.stop() == 0


def test_what_reloads_a_job_keeps_nothing_up_when_the_job_has_ended(tmp_path: Path) -> None:
    text = config('{name: "web", exec: ["sh", "-c", "exit 4"], reload: "true"}')
    with Corepilot(text, tmp_path) as corepilot:
        assert corepilot.wait() == 4
        assert "cannot start any more" not in corepilot.output


def test_a_stop_ends_a_reload_that_goes_on(tmp_path: Path) -> None:
    text = config(f'{{name: "web", exec: {SERVER}, reload: "sleep 1000"}}')
    with Corepilot(text, tmp_path) as corepilot:
        corepilot.until(" up")
        assert corepilot.client("reload-job", "web", "--no-wait").returncode == 0
        eventually(lambda: corepilot.job("reload.web")["state"] == "running")
        assert corepilot.stop() == 0
        assert "no process had to be killed" in corepilot.lines[-1]
