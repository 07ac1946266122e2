"""The settings of processes: what is taken, what is refused, and what becomes of it."""

import os
from pathlib import Path

import pytest
from judging import accepted, codes, errors, job, judged, warnings

from corepilot.config.rules import users
from corepilot.model.command import Command, Listener, ProcessSettings
from corepilot.model.job import Job, StopPolicy
from corepilot.model.replicas import keyed
from corepilot.supervisor.desired import stop_budget_s, stop_timeout_s


def settings(text: str, directory: Path) -> ProcessSettings:
    command = job(f'name: "a", exec: "true", {text}', directory).command
    assert command is not None
    return command.settings


def refused(text: str, directory: Path) -> list[tuple[str, str]]:
    found = codes(judged(f'{{ discovery: false, jobs: [ {{ name: "a", exec: "true", {text} }} ] }}', directory))
    return [(code, path.removeprefix("jobs[0].")) for code, path in found]


def test_a_job_without_settings_has_none(tmp_path: Path) -> None:
    made = job('name: "a", exec: "true", health: {exec: "true", interval: 1, ttl: 5}', tmp_path)
    assert made.command == Command(("true",))
    assert made.checks[0].command == Command(("true",))
    assert made.stop == StopPolicy(5.0, None, (), 15, "group")
    assert ProcessSettings().only_variables


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('{A: "x", B: 8080, C: 1.5, F: ""}', {"A": "x", "B": "8080", "C": "1.5", "F": ""}),
        ("{D: true, E: null}", {"D": "true", "E": None}),
        ('["A=x=y", "B=", "A=z"]', {"A": "z", "B": ""}),
        ("{}", {}),
    ],
)  # fmt: skip
def test_variables(tmp_path: Path, written: str, expected: dict[str, str | None]) -> None:
    made = settings(f"env: {written}", tmp_path)
    assert dict(made.environment) == expected
    assert made.only_variables


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        ('"A=b"', "wrong-type", "env"),
        ('{"": "x"}', "bad-variable", "env"),
        ('{"A=B": "x"}', "bad-variable", "env"),
        ('{A: "\\u0000"}', "bad-variable", "env.A"),
        ('{"*": "x"}', "bad-variable", "env['*']"),
        ("{A: [1]}", "wrong-type", "env.A"),
        ('["A"]', "bad-variable", "env[0]"),
        ("[5]", "bad-variable", "env[0]"),
    ],
)
def test_what_is_no_variable_is_refused(tmp_path: Path, written: str, code: str, path: str) -> None:
    ((found, where),) = refused(f"env: {written}", tmp_path)
    assert found == code
    assert where.startswith(path)


def test_a_job_wins_over_the_top_level_and_files_stand_between_them(tmp_path: Path) -> None:
    text = """{ discovery: false, env: {A: "top", B: "top"}, jobs: [
        { name: "a", exec: "true", env: {B: "job"} },
        { name: "b", exec: "true", env: {B: "job"}, envFile: "-/f" } ] }"""
    one, other = accepted(text, tmp_path).jobs
    assert one.command is not None
    assert dict(one.command.settings.environment) == {"A": "top", "B": "job"}
    assert one.command.settings.only_variables
    assert other.command is not None
    assert other.command.settings == ProcessSettings(
        (("B", "job"),), environment_files=("-/f",), defaults=(("A", "top"), ("B", "top"))
    )


@pytest.mark.parametrize(
    ("top", "own", "left"),
    [("{A: 1}", '{"*": null, B: 2}', {"A": "1", "B": "2"}), ('{A: 1, "*": null}', "{A: null}", {"A": None})],
)
def test_what_corepilot_was_started_with_can_be_left_out(
    tmp_path: Path, top: str, own: str, left: dict[str, str | None]
) -> None:
    check = "health: {exec: 'x', interval: 1, ttl: 5, env: {C: 3}}"
    jobs = f'[ {{ name: "a", exec: "true", env: {own}, {check} }} ]'
    (made,) = accepted(f"{{ discovery: false, env: {top}, jobs: {jobs} }}", tmp_path).jobs
    assert made.command is not None
    settings = made.command.settings
    assert (dict(settings.environment), settings.inherit, settings.only_variables) == (left, False, True)
    (command,) = [check.command for check in made.checks]
    assert command is not None
    assert (dict(command.settings.environment), command.settings.inherit) == ({**left, "C": "3"}, False)


@pytest.mark.parametrize(("written", "mask"), [('"022"', 0o22), ('"0o027"', 0o27), ("77", 0o77), ("0", 0), ('"0"', 0)])
def test_a_umask_is_octal(tmp_path: Path, written: str, mask: int) -> None:
    assert settings(f"umask: {written}", tmp_path).umask == mask


@pytest.mark.parametrize("written", ['"088"', '"1777"', '""', "true", "[]", "-1", "1.5"])
def test_a_umask_that_is_none_is_refused(tmp_path: Path, written: str) -> None:
    assert refused(f"umask: {written}", tmp_path) == [("wrong-value", "umask")]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("nofile: 1024", ("nofile", 1024, 1024)),
        ('nofile: "100:200"', ("nofile", 100, 200)),
        ("nofile: {soft: 5, hard: 6}", ("nofile", 5, 6)),
        ('core: "unlimited"', ("core", -1, -1)),
        ('memlock: "-1"', ("memlock", -1, -1)),
        ("core: -1", ("core", -1, -1)),
        ('as: "512M"', ("as", 512 * 1024**2, 512 * 1024**2)),
        ('fsize: "1g"', ("fsize", 1024**3, 1024**3)),
        ('stack: "8192k:unlimited"', ("stack", 8 * 1024**2, -1)),
    ],
)
def test_limits(tmp_path: Path, written: str, expected: tuple[str, int, int]) -> None:
    assert settings(f"limits: {{{written}}}", tmp_path).limits == (expected,)


@pytest.mark.parametrize(
    "written", ['"many"', '"5:"', '"8M"', "-2", "true", "[]", '"10:5"', '"unlimited:5"', "{soft: 5}"]
)
def test_a_limit_that_is_none_is_refused(tmp_path: Path, written: str) -> None:
    assert refused(f"limits: {{nofile: {written}}}", tmp_path) == [("wrong-value", "limits.nofile")]


def test_a_limit_that_there_is_not_is_refused(tmp_path: Path) -> None:
    assert refused("limits: {nofiles: 5}", tmp_path) == [("unknown-key", "limits.nofiles")]


@pytest.mark.parametrize(("written", "number"), [('"QUIT"', 3), ('"SIGUSR1"', 10), ('"rtmin+3"', 37), ("15", 15)])
def test_a_stop_signal(tmp_path: Path, written: str, number: int) -> None:
    made = job(f'name: "a", exec: "true", stopSignal: {written}, stopMode: "process", killTimeout: "1m"', tmp_path)
    assert made.stop == StopPolicy(60.0, None, (), number, "process")


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        ('stopSignal: "TREM"', "wrong-value", "stopSignal"),
        ("stopSignal: 65", "wrong-value", "stopSignal"),
        ('stopMode: "all"', "wrong-value", "stopMode"),
        ('killTimeout: "-1s"', "wrong-value", "killTimeout"),
        ('killTimeout: "soon"', "bad-duration", "killTimeout"),
        ("nice: 20", "wrong-value", "nice"),
        ("oomScoreAdj: 1001", "wrong-value", "oomScoreAdj"),
        ('user: "a:b", group: "c"', "wrong-value", "group"),
        ("tty: true, logging: {raw: true}", "wrong-value", "tty"),
        ("tty: true, logging: {separate: true}", "wrong-value", "tty"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, written: str, code: str, path: str) -> None:
    assert refused(written, tmp_path) == [(code, path)]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("environment", "write env"),
        ("directory", "write cwd"),
        ("working_dir", "write cwd"),
        ("stopwaitsecs", "write killTimeout"),
        ("kill-delay", "write killTimeout"),
        ("numprocs", "write replicas"),
        ("autorestart", "write restarts"),
        ("command", "write exec"),
        ("is_tty", "write tty"),
        ("rlimit_nofile", "write limits: { nofile: … }"),
        ("killasgroup", "leave it out: SIGKILL always goes to the whole group"),
        ("cwdd", 'did you mean "cwd"?'),
    ],
)
def test_what_other_supervisors_call_it_has_a_hint(tmp_path: Path, key: str, hint: str) -> None:
    result = judged(f'{{ discovery: false, jobs: [ {{ name: "a", exec: "true", "{key}": "x" }} ] }}', tmp_path)
    assert [problem.hint for problem in errors(result)] == [hint]


def test_checks_inherit_the_settings(tmp_path: Path) -> None:
    text = 'env: {A: "b"}, cwd: "/", user: "0", shell: true, health: {exec: "a && b", interval: 1, ttl: 5}'
    made = job(f'name: "a", exec: "c | d", {text}', tmp_path)
    (check,) = made.checks
    assert made.command is not None
    assert check.command == Command(("/bin/sh", "-c", "a && b"), settings=made.command.settings)
    assert made.command.argv == ("/bin/sh", "-c", "c | d")


@pytest.mark.parametrize("more", ['exec: ["a", "b"], ', ""])
def test_a_shell_needs_a_text(tmp_path: Path, more: str) -> None:
    text = f'{{ discovery: false, jobs: [ {{ name: "a", {more} shell: true }} ] }}'
    assert codes(judged(text, tmp_path)) == [("bad-exec", "jobs[0].shell")]


@pytest.mark.parametrize(
    ("written", "argv"),
    [
        ("true", ("/bin/sh", "-c", "a  b")),
        ('"bash"', ("bash", "-c", "a  b")),
        ('["bash", "-eu", "-c"]', ("bash", "-eu", "-c", "a  b")),
        ('["python3", "-c"]', ("python3", "-c", "a  b")),
        ("false", ("a", "", "b")),
        ('"0"', ("a", "", "b")),
    ],
)
def test_what_runs_a_script(tmp_path: Path, written: str, argv: tuple[str, ...]) -> None:
    made = job(f'name: "a", exec: "a  b", shell: {written}', tmp_path)
    assert made.command is not None
    assert made.command.argv == argv


@pytest.mark.parametrize(
    ("owner", "found"),
    [
        ("4294967294:0", []),
        ("4294967295", [("wrong-value", "listen")]),
        (f"0:{'9' * 5000}", [("wrong-value", "listen")]),
        ("a:b:c", [("wrong-value", "listen.owner")]),
        ("root:", [("wrong-value", "listen.owner")]),
    ],
)
def test_who_can_own_a_socket(tmp_path: Path, owner: str, found: list[tuple[str, str]]) -> None:
    assert refused(f'listen: {{address: "/run/a", owner: "{owner}"}}', tmp_path) == found


def test_an_owner_that_is_not_there_yet_is_a_warning(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "true",
        listen: { address: "/run/a", owner: "no-such:nor-this" } } ] }"""
    assert warnings(judged(text, tmp_path)) == [("unknown-user", "jobs[0].listen")] * 2


@pytest.mark.parametrize("written", ['"yes"', '"Off"', "[]", '["bash", 5]', '["", "-c"]', "{}"])
def test_what_is_no_shell(tmp_path: Path, written: str) -> None:
    assert refused(f"shell: {written}", tmp_path) == [("wrong-type", "shell")]


def test_a_shell_command_has_no_oddities(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "echo 'a b' | cat  >&2", shell: true } ] }"""
    assert warnings(judged(text, tmp_path)) == []


def test_what_is_not_there_yet_is_a_warning(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "./app", cwd: "/no/dir", user: "no-such-user",
        groups: ["no-such-group"], envFile: ["/no/file", "-/no/other"] } ] }"""
    result = judged(text, tmp_path, judge_machine=True)
    assert errors(result) == []
    assert warnings(result) == [
        ("exec-missing", "jobs[0].exec"),
        ("file-missing", "jobs[0].cwd"),
        ("unknown-user", "jobs[0].user"),
        ("unknown-user", "jobs[0].groups"),
        ("file-missing", "jobs[0].envFile"),
    ]


def test_a_program_is_looked_for_from_the_directory_of_the_job_and_on_its_path(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "tool").chmod(0o755)
    text = f"""{{ discovery: false, jobs: [ {{ name: "a", exec: "bin/tool", cwd: "{tmp_path}" }},
        {{ name: "b", exec: "tool", env: {{ PATH: "{tmp_path}/bin" }} }} ] }}"""
    assert warnings(judged(text, tmp_path)) == []


def test_another_user_is_refused_where_corepilot_may_not_become_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{ discovery: false, jobs: [ { name: "a", exec: "true", user: "4711" } ] }'
    monkeypatch.setattr(users, "has", lambda _capability: False)
    (error,) = errors(judged(text, tmp_path, judge_machine=True))
    assert (error.code, error.path, error.machine) == ("no-right", "jobs[0].user", True)
    assert errors(judged(text, tmp_path)) == []  # `check` runs elsewhere
    own = text.replace("4711", str(os.geteuid()))
    assert errors(judged(own, tmp_path, judge_machine=True)) == []


def test_a_stop_timeout_that_bounds_nothing_has_a_hint(tmp_path: Path) -> None:
    app = '{ name: "app", exec: "true", stopTimeout: "20s" }'
    hook = '{ name: "hook", exec: "true", stopTimeout: "3s", when: { source: "app", once: "stopping" } }'
    result = judged(f"{{ discovery: false, jobs: [ {app} ] }}", tmp_path)
    assert warnings(result) == [("stop-timeout", "jobs[0].stopTimeout")]
    assert "killTimeout" in result.problems[0].hint
    assert warnings(judged(f"{{ discovery: false, jobs: [ {app}, {hook} ] }}", tmp_path)) == []


def test_the_budget_of_a_stop_covers_the_longest_kill_timeout(tmp_path: Path) -> None:
    text = '{ discovery: false, jobs: [ { name: "a", killTimeout: "90s" }, { name: "b", killTimeout: 1 } ] }'
    configuration = accepted(text, tmp_path)
    assert stop_timeout_s(configuration) == 90.0
    assert stop_budget_s(configuration, 2.0) == 92.0
    assert [one.stop.timeout_s for one in configuration.jobs] == [90.0, 1.0]
    assert stop_timeout_s(configuration.changed(jobs=(Job("c"),))) == 5.0


# -------------------------------------------------------------------------------------------------------------- sockets
def test_a_socket_is_shown_as_it_is_written() -> None:
    shown = [str(Listener("::1", 80)), str(Listener("127.0.0.1", 1)), str(Listener("", 2)), str(Listener(path="/a"))]
    assert shown == ["[::1]:80", "127.0.0.1:1", "*:2", "/a"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"127.0.0.1:80"', Listener("127.0.0.1", 80)),
        ('"localhost:80"', Listener("127.0.0.1", 80)),
        ('["[::1]:8080"]', Listener("::1", 8080)),
        ('"*:80"', Listener("", 80)),
        ('":80"', Listener("", 80)),
        ("80", Listener("", 80)),
        ('"/run/a.sock"', Listener(path="/run/a.sock")),
        ('{address: "run/a.sock", mode: "0600", backlog: 5}', Listener(path="run/a.sock", backlog=5, mode=0o600)),
        ('{address: "*:1", name: "http"}', Listener("", 1, name="http")),
    ],
)
def test_listening_sockets(tmp_path: Path, written: str, expected: Listener) -> None:
    made = settings(f"listen: {written}", tmp_path)
    assert made.listen == (expected if expected.name else expected.changed(name="a"),)
    assert not made.only_variables


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('"example.com:80"', "listen"),
        ('"127.0.0.1:0"', "listen"),
        ('"127.0.0.1:65536"', "listen"),
        ('["*:1", ""]', "listen[1]"),
        ('[{address: "*:1", mode: "0600"}]', "listen[0].mode"),
        ('{address: "/a", mode: 600}', "listen.mode"),
        ('{address: "/a", backlog: 0}', "listen.backlog"),
        ('{address: "/a", name: "a:b"}', "listen.name"),
        ('{adress: "/a"}', "listen.adress"),
        ("{}", "listen.address"),
        (f'"/{"x" * 108}"', "listen"),
    ],
)
def test_what_nobody_can_listen_on_is_refused(tmp_path: Path, written: str, path: str) -> None:
    assert path in [where for _, where in refused(f"listen: {written}", tmp_path)]


def test_the_descriptor_that_shows_a_job_ready_is_none_of_its_sockets(tmp_path: Path) -> None:
    assert refused("listen: [1, 2], ready: {fd: 4}", tmp_path) == [("ready-conflict", "ready.fd")]
    assert refused("listen: [1, 2], ready: {fd: 5}", tmp_path) == []


# -------------------------------------------------------------------------------------------------------------- reload
def test_a_reload_is_a_command_or_a_signal(tmp_path: Path) -> None:
    made = job('name: "a", exec: "true", reload: "true --now", cwd: "/"', tmp_path)
    assert made.command is not None
    assert made.reload == Command(("true", "--now"), settings=made.command.settings)
    assert job('name: "a", exec: "true", reload: {signal: "HUP"}', tmp_path).reload_signal == 1
    (_, (key, reload)) = keyed((made,))
    assert (str(key), reload.name, reload.command, reload.reloads) == ("reload.a", "reload.a", made.reload, "a")


@pytest.mark.parametrize("written", ["5", '""', "[]", "{}", '{signal: "HOP"}', '{exec: "x"}'])
def test_a_reload_that_is_neither_is_refused(tmp_path: Path, written: str) -> None:
    assert [path for _, path in refused(f"reload: {written}", tmp_path)] == ["reload"]


def test_a_job_reloads_when_a_file_or_a_watch_changes(tmp_path: Path) -> None:
    text = """{ discovery: "embedded", watches: [{ name: "app" }], render: [{ template: "", to: "/x/nginx.conf" }],
        jobs: [{ name: "a", exec: "true", reload: { signal: "HUP" }, reloadOn: ["render.nginx", "watch.app"] }] }"""
    assert codes(judged(text, tmp_path)) == []
    assert accepted(text, tmp_path).jobs[0].reload_on == ("render.nginx", "watch.app")
    assert codes(judged(text.replace('{ signal: "HUP" }', '"true"'), tmp_path)) == []


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ('reload: "true", reloadOn: "app"', "unknown-source", 'did you mean "watch.app"?'),
        ('reload: "true", reloadOn: "watch.ap"', "unknown-source", "watch.app"),
        ('reload: "true", reloadOn: ["watch.app", "b"]', "unknown-source", "there are: watch.app"),
        ('reloadOn: "watch.app"', "missing-key", 'reload: { signal: "HUP" }'),
    ],
)
def test_what_cannot_reload_a_job_is_refused(tmp_path: Path, settings: str, code: str, words: str) -> None:
    text = f"""{{ discovery: "embedded", watches: [{{ name: "app" }}],
        jobs: [{{ name: "a", exec: "true", {settings} }}, {{ name: "b", exec: "true" }}] }}"""
    result = judged(text, tmp_path)
    assert codes(result) == [(code, "jobs[0].reloadOn")]
    assert words in errors(result)[0].hint


def test_the_job_that_reloads_another_may_be_waited_for_and_its_name_is_taken(tmp_path: Path) -> None:
    text = """{ discovery: false, jobs: [ { name: "a", exec: "true", reload: "true" },
        { name: "b", exec: "true", when: { source: "reload.a", each: "exitSuccess" } } ] }"""
    assert warnings(judged(text, tmp_path)) == []
    assert codes(judged(text.replace('"b"', '"reload.a"'), tmp_path)) == [("same-name", "jobs[0].reload")]


@pytest.mark.parametrize("key", ["user", "group", "groups"])
def test_a_number_that_no_user_and_no_group_can_have_is_refused(tmp_path: Path, key: str) -> None:
    assert refused(f"{key}: 4294967294", tmp_path) == []
    assert refused(f"{key}: 4294967295", tmp_path) == [("wrong-value", key)]


def test_a_group_that_the_user_names_is_complained_of_there(tmp_path: Path) -> None:
    assert refused('user: "0:99999999999"', tmp_path) == [("wrong-value", "user")]


def test_a_file_of_variables_that_no_start_could_use_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"A=" + b"x" * (1024 * 1024))
    (tmp_path / "wrong").write_text("A=b\nnothing\n")
    (tmp_path / "latin").write_bytes(b"A=\xe9\n")
    for name, rule in (
        ("fifo", "it is not a regular file"),
        ("large", "it has more than 1048576 bytes"),
        ("wrong", "line 2: there is no '='"),
        ("nobody", "No such file or directory"),
        ("-nobody", ""),
        ("latin", ""),
    ):
        minus, path = name[: name.startswith("-")], tmp_path / name.removeprefix("-")
        told = judged(_with(f'envFile: "{minus}{path}"'), tmp_path).problems
        assert [(one.code, rule in one.message) for one in told] == [("file-missing", True)] * bool(rule), (name, told)


def test_a_file_for_standard_input_that_is_not_there_is_told_and_a_fifo_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    missing = judged(_with(f'stdin: {{ file: "{tmp_path}/nobody" }}'), tmp_path)
    assert warnings(missing) == [("file-missing", "jobs[0].stdin.file")]
    assert warnings(judged(_with(f'stdin: {{ file: "{tmp_path}/fifo" }}'), tmp_path)) == []


def test_a_directory_cannot_be_the_file_of_the_output(tmp_path: Path) -> None:
    assert warnings(judged(_with(f'logging: {{ file: "{tmp_path}" }}'), tmp_path)) == [
        ("log-file", "jobs[0].logging.file.path")
    ]


def _with(text: str) -> str:
    return f'{{ discovery: false, jobs: [ {{ name: "a", exec: "true", {text} }} ] }}'


@pytest.mark.parametrize(
    ("top", "found"),
    [
        ("", [("json-useless", "jobs[0].health.logging.json"), ("json-useless", "jobs[0].logging.json")]),
        ('logging: { format: "JSON" },', []),
    ],
)
def test_json_is_passed_through_to_a_log_of_json_only(tmp_path: Path, top: str, found: list[tuple[str, str]]) -> None:
    health = 'health: { exec: "true", interval: 1, ttl: 3, logging: { json: true } }'
    text = f'{{ {top} discovery: false, jobs: [ {{ name: "a", exec: "true", logging: {{ json: true }}, {health} }} ] }}'
    assert sorted(warnings(judged(text, tmp_path))) == found
