"""The old command, containerpilot: its flags, what it answers and its exit statuses (contract, sections 1.1 to 1.4)."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from eventually import eventually
from running import PIDNS, Corepilot, alive

OLD = [sys.executable, "-I", "-m", "corepilot.cli.containerpilot"]
HEAD = '{consul: false, control: {socket: "%(dir)s/control.socket"}, '
SLEEPER = HEAD + 'jobs: [{name: "app", exec: "sleep 1000"}]}'
METRICS = (
    HEAD
    + """telemetry: {port: 0, interfaces: ["static:127.0.0.1"],
    metrics: [{name: "hits", help: "hits", type: "counter"}]},
    jobs: [{name: "app", exec: "sleep 1000"}]}"""
)
PREFIXES = pytest.mark.parametrize("prefix", [(), tuple(PIDNS)], ids=["child", "pid1"])


def old(*words: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*OLD, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], **(environment or {})},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def started(
    config: str, directory: Path, prefix: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> Corepilot:
    """The old command as supervisor. What `Corepilot` would start stands behind its flags, and is ignored there."""
    file = directory / "corepilot.json5"
    return Corepilot(config, directory, prefix=(*prefix, *OLD, "-config", str(file)), environment=environment)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Corepilot]:
    with Corepilot(SLEEPER, tmp_path) as corepilot:
        yield corepilot.until_ready()


def is_log(text: str) -> bool:
    return re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d) \S.*\n)+", text) is not None


# ------------------------------------------------------------------------------------------------------ without running
def test_the_version_needs_no_configuration() -> None:
    answer = old("-version")
    assert answer.returncode == 0
    assert re.fullmatch(r"Version: \S+\nGitHash: \S+\n", answer.stdout)


@pytest.mark.parametrize("words", [["-bogus"], ["-config"], ["-putenv", "KEY"], ["-putmetric", "KEY"], ["-help"]])
def test_bad_flags_and_help_print_usage_on_stderr(words: list[str]) -> None:
    answer = old(*words)
    assert answer.returncode == 2
    assert "Usage of containerpilot:" in answer.stderr
    assert answer.stdout == ""


def test_the_template_is_rendered_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("{ no json5: {{ .GREETING }}")
    answer = old("-template", "-config", str(tmp_path / "config"), environment={"GREETING": "hello"})
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "{ no json5: hello", "")
    to_stdout = old("-template", "-out", "-", environment={"CONTAINERPILOT": str(tmp_path / "config")})
    assert (to_stdout.returncode, to_stdout.stdout) == (0, "{ no json5: ")


def test_the_template_is_written_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("{{ .A }}")
    out = tmp_path / "out"
    out.write_text("something that is longer")
    answer = old("-template", "-config", str(tmp_path / "config"), "-out", str(out), environment={"A": "short"})
    assert (answer.returncode, answer.stdout, out.read_text()) == (0, "", "short")
    fresh = tmp_path / "fresh"
    old("-template", "-config", str(tmp_path / "config"), "-out", str(fresh))
    assert fresh.stat().st_mode & 0o777 == 0o644
    nowhere = old("-template", "-config", str(tmp_path / "config"), "-out", str(tmp_path / "none" / "out"))
    assert nowhere.returncode == 1
    assert "cannot write" in nowhere.stdout


@pytest.mark.parametrize("words", [[], ["-template"]])
def test_without_a_configuration(words: list[str]) -> None:
    answer = old(*words)
    assert answer.returncode == 1
    assert is_log(answer.stdout)
    assert "-config flag is required" in answer.stdout


@PREFIXES
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{consul: false, jobs: [}", "cannot read the configuration"),
        ("{ {{ if }} }", "template"),
        ('{consul: false, jobs: [{name: "a", exec: "true", port: 1}]}', "health"),
    ],
)  # fmt: skip
def test_a_bad_configuration_is_told_in_log_lines_on_stdout(
    tmp_path: Path, prefix: tuple[str, ...], text: str, words: str
) -> None:
    (tmp_path / "config").write_text(text)
    answer = subprocess.run(
        [*prefix, *OLD, "-config", str(tmp_path / "config")], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert is_log(answer.stdout)
    assert words in answer.stdout
    assert answer.stderr == ""


# -------------------------------------------------------------------------------------------------------------- running
@PREFIXES
def test_it_supervises_and_stops_like_corepilot_run(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    with started(SLEEPER, tmp_path, prefix) as containerpilot:
        containerpilot.until_ready()
        pid = containerpilot.job("app")["pid"]
        assert containerpilot.stop() == 0
        if not prefix:
            assert not alive(pid)


@PREFIXES
def test_the_exit_status_is_the_jobs(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    config = HEAD + 'jobs: [{name: "app", exec: ["sh", "-c", "exit 7"]}]}'
    with started(config, tmp_path, prefix) as containerpilot:
        assert containerpilot.wait() == 7


def test_the_flag_beats_the_variable(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(HEAD + 'jobs: [{name: "wrong", exec: ["sh", "-c", "exit 8"]}]}')
    config = HEAD + 'jobs: [{name: "app", exec: ["sh", "-c", "echo was=$CONTAINERPILOT"]}]}'
    with started(config, tmp_path, environment={"CONTAINERPILOT": str(other)}) as containerpilot:
        assert containerpilot.wait() == 0
        assert f"was={other}" in containerpilot.output


def test_the_variable_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f'{{consul: false, control: {{socket: "{tmp_path}/s"}}, jobs: []}}')
    process = subprocess.Popen(OLD, env={"PATH": os.environ["PATH"], "CONTAINERPILOT": str(tmp_path / "config")})
    try:
        eventually(lambda: old("-ping", "-socket", str(tmp_path / "s")).returncode == 0)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_signal_that_comes_at_once_is_not_lost(tmp_path: Path) -> None:
    with started(SLEEPER, tmp_path) as containerpilot:
        held_back = 1 << signal.SIGTERM - 1
        pid = containerpilot.process.pid

        def blocked() -> bool:
            """It is, or it was: it has a child, so we have missed the moment."""
            status = Path(f"/proc/{pid}/status").read_text()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            return bool(children or int(status.partition("SigBlk:")[2].split()[0], 16) & held_back)

        eventually(blocked, pause_s=0.001)
        containerpilot.process.send_signal(signal.SIGTERM)
        assert containerpilot.wait() == 0


# -------------------------------------------------------------------------------------------------------------- clients
def test_ping(running: Corepilot) -> None:
    for words in (
        ["-socket", str(running.socket)],
        ["-config", str(running.file)],
        ["--socket", str(running.socket)],
    ):
        answer = old("-ping", *words)
        assert (answer.returncode, answer.stdout) == (0, "ok\n")
    assert old("-ping", environment={"CONTAINERPILOT": str(running.file)}).stdout == "ok\n"


def test_the_socket_is_found_though_the_file_does_not_validate_in_this_shell(tmp_path: Path) -> None:
    job = '{name: "app", exec: "sleep 1000", restarts: {{ .RESTARTS }}}'
    config = HEAD.replace("consul: false", 'consul: {{ .CATALOG | default "false" }}') + f"jobs: [{job}]}}"
    with Corepilot(config, tmp_path, environment={"RESTARTS": "0"}) as corepilot:
        corepilot.until_ready()
        assert old("-ping", "-config", str(corepilot.file)).stdout == "ok\n"


def test_variables_are_set_for_commands_started_afterwards(running: Corepilot) -> None:
    running.configure(HEAD + 'jobs: [{name: "new", exec: ["sh", "-c", "echo a=$A b=$B; sleep 1000"]}]}')
    assert old("-socket", str(running.socket), "-putenv", "A=1=2", "-putenv", "B=").returncode == 0
    answer = old("-socket", str(running.socket), "-reload")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    running.until("a=1=2 b=\n")


def test_maintenance_is_left_with_any_other_word(running: Corepilot) -> None:
    def in_maintenance() -> bool:
        return bool(running.job("app")["health"] == "maintenance")

    assert old("-socket", str(running.socket), "-maintenance", "enable").returncode == 0
    eventually(in_maintenance)
    assert old("-socket", str(running.socket), "-maintenance", "Enable").returncode == 0
    eventually(lambda: not in_maintenance())


def test_metrics_are_sent_as_texts(tmp_path: Path) -> None:
    with Corepilot(METRICS, tmp_path) as corepilot:
        corepilot.until_ready()
        answer = old("-socket", str(corepilot.socket), "-putmetric", "hits=1.5", "-putmetric", "unknown=x")
        assert answer.returncode == 0  # unknown metrics are the supervisor's log's affair (section 9.1)
        corepilot.until("unknown")


def test_of_several_requests_the_first_in_order_is_sent(running: Corepilot) -> None:
    answer = old("-ping", "-putenv", "A=1", "-socket", str(running.socket))
    assert (answer.returncode, answer.stdout) == (0, "")
    answer = old("-version", "-ping", "-reload", "-socket", str(running.socket))
    assert answer.stdout.startswith("Version: ")
    answer = old("-template", "-reload", "-config", str(running.file))
    assert "sleep 1000" in answer.stdout


def test_a_refused_reload_fails_and_says_why(running: Corepilot) -> None:
    running.configure('{\n  consul: false, jobs: [{name: "app", exek: "true"}],\n}')
    answer = old("-reload", "-socket", str(running.socket))
    assert answer.returncode == 1
    assert f"{running.file}:2:" in answer.stdout
    assert "exek" in answer.stdout


@pytest.mark.parametrize(
    "words", [["-ping"], ["-reload"], ["-maintenance", "enable"], ["-putenv", "A=1"], ["-putmetric", "a=1"]]
)
def test_a_request_that_nobody_takes_fails(tmp_path: Path, words: list[str]) -> None:
    answer = old(*words, "-socket", str(tmp_path / "none"))
    assert answer.returncode == 1
    assert is_log(answer.stdout)
    assert "cannot reach corepilot" in answer.stdout
