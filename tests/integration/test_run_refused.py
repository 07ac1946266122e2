"""Bad input to `run`: one clear error each, non-zero exit, nothing started."""

import fcntl
import os
import socket
import subprocess
from pathlib import Path

import pytest
from running import Corepilot, cli

from corepilot.testing.running import COMMAND

GOOD = '{consul: false, control: {socket: "%s/s"}, jobs: [{name: "a", exec: ["touch", "%s/started"]}]}'


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("{jobs: [", ":1:", "json5"),
        ('{consul: false, jobs: [{name: "a", exec: "true" port: 1}]}', ":1:", "missing comma"),
        ("{ {{ if }} }", ":1:", "if"),
        ("{{ range loop 0 100000000 }}x{{ end }}", ":1:", "cannot"),
        ('{\n jobs: [{name: "a", exec: "touch started", port: 1}]}', ":2:", "health"),
        ("{\n jobbs: []}", ":2:", "jobs"),
        ('{discovery: "nosuch", jobs: [{name: "a", exec: "touch started"}]}', ":1:", "install the distribution"),
        ('{jobs: [{name: "a", exec: "touch started"}], watches: [{name: "other", interval: 1}]}', ":1:", "discovery"),
        ('{logging: {output: "/no/such/dir/log"}, jobs: [{name: "a", exec: "touch started"}]}', "", "/no/such/dir"),
    ],
)  # fmt: skip
def test_a_bad_configuration_is_refused_and_nothing_is_started(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    config = tmp_path / "corepilot.json5"
    config.write_text(text)
    answer = cli("run", "-c", str(config), cwd=tmp_path)
    assert answer.returncode == 1
    assert place in answer.stderr
    assert words.lower() in answer.stderr.lower()
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "started").exists()


def test_a_port_and_a_socket_that_cannot_be_had_are_tried_for_ten_seconds_and_then_fatal(tmp_path: Path) -> None:
    jobs = 'jobs: [{name: "app", exec: "echo started"}]'
    with socket.create_server(("127.0.0.1", 0)) as taken:
        telemetry = f'telemetry: {{port: {taken.getsockname()[1]}, interfaces: ["static:127.0.0.1"]}}'
        port = f'{{consul: false, control: {{socket: "%(dir)s/control.socket"}}, {telemetry}, {jobs}}}'
        path = f'{{control: {{socket: "%(dir)s/none/control.socket"}}, {jobs}}}'
        for name in ("port", "path"):
            (tmp_path / name).mkdir()
        with Corepilot(port, tmp_path / "port") as one, Corepilot(path, tmp_path / "path") as other:
            one.until("Address already in use")
            assert (one.wait(30), other.wait(30)) == (1, 1)
            assert one.output.count("Address already in use") >= 10
            assert f"cannot create the control socket at {tmp_path}/path/none/control.socket" in other.output
            assert "started" not in one.output + other.output


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name in ("missing.json5", "."):
        answer = cli("run", "-c", str(tmp_path / name), cwd=tmp_path)
        assert answer.returncode == 1
        assert "cannot" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_no_configuration_names_the_places(tmp_path: Path) -> None:
    answer = cli(environment={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert answer.returncode == 1
    assert "/etc/corepilot.json5" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["rnu"],
        ["run", "--confg", "x"],
        [
            "--",
        ],
        ["check", "-o", "xml", "f"],
    ],
)
def test_a_command_line_that_cannot_be_understood_is_status_2(words: list[str]) -> None:
    answer = cli(*words)
    assert answer.returncode == 2
    assert answer.stderr.startswith("corepilot: cannot")
    assert len(answer.stderr.splitlines()) == 1


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "corepilot.json5"
    config.write_text('{\n jobs: [{exec: "true"},\n {name: "b", restarts: -1}],\n stopTimeout: "x",\n}')
    answer = cli("run", "-c", str(config), cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.count(": error: ") == 3


@pytest.mark.parametrize("reader", ["stands still", "is gone", "is slow"])
@pytest.mark.parametrize("config", ["{jobs: [", None])
def test_a_refusal_is_status_1_whoever_reads_stderr(tmp_path: Path, config: str | None, reader: str) -> None:
    if config is not None:
        (tmp_path / "corepilot.json5").write_text(config)
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    if reader == "is gone":
        os.close(ours)
    else:
        os.write(theirs, b"x" * 4096)
    command = [*COMMAND, "run", "-c", str(tmp_path / "corepilot.json5")]
    with subprocess.Popen(command, stderr=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        if reader == "is slow":
            said = b""
            while piece := os.read(ours, 512):
                said += piece
            assert b"cannot" in said
        assert process.wait(20) == 1
    if reader != "is gone":
        os.close(ours)


@pytest.mark.parametrize("how", ["not mounted", "of another namespace"])
def test_without_proc_there_is_one_sentence(tmp_path: Path, how: str) -> None:
    config = tmp_path / "corepilot.json5"
    config.write_text(GOOD.replace("%s", str(tmp_path)))
    if how == "not mounted":
        prefix = ["unshare", "--mount", "sh", "-c", 'umount -l /proc; exec "$@"', "-"]
    else:
        prefix = ["unshare", "--pid", "--fork", "--kill-child"]
    answer = subprocess.run(
        [*prefix, *COMMAND, "run", "-c", str(config)], capture_output=True, text=True, timeout=30, check=False
    )
    assert answer.stderr == (
        "corepilot: cannot run without /proc: it is not mounted, or shows another PID namespace; mount it there\n"
    )
    assert answer.returncode == 1
    assert not (tmp_path / "started").exists()


def test_a_root_without_devices_is_told(tmp_path: Path) -> None:
    """Each job reads from /dev/null."""
    file = tmp_path / "app.json5"
    file.write_text(GOOD % (tmp_path, tmp_path))
    script = 'mount -t tmpfs none /dev && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "-", *COMMAND, "run", "-c", str(file)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    told = "corepilot: cannot open /dev/null: No such file or directory; a container has a /dev of its own\n"
    assert (ended.returncode, ended.stderr) == (1, told)
    assert not (tmp_path / "started").exists()
