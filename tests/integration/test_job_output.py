"""What becomes of a job's output: streams told apart, prefixes, structure, and files of its own."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import config, shell
from running import Corepilot, cli

BOTH = shell("echo out; echo err >&2")


def job(logging: str, exec_: str = BOTH, more: str = "") -> str:
    return f'{{name: "app", exec: {exec_}, logging: {{{logging}}}, {more}}}'


NOWHERE = job('file: {path: "/no/such/log"}')


def of_job(corepilot: Corepilot) -> list[dict[str, Any]]:
    """The records of what the job wrote, and not of what is said about it."""
    found: list[dict[str, Any]] = [json.loads(line) for line in corepilot.lines]
    said = ("started (", "exited: ", "complete")
    return [one for one in found if one.get("job") == "app" and not one["msg"].startswith(said)]


@pytest.mark.parametrize("more", ["", 'cwd: "/"'], ids=["spawned", "launched"])
def test_streams_are_told_apart_where_that_is_asked_for(tmp_path: Path, more: str) -> None:
    with Corepilot(config(job("separate: true", more=more), 'logging: {format: "json"},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert {(one["msg"], one["stream"]) for one in of_job(corepilot)} == {("out", "stdout"), ("err", "stderr")}
    with Corepilot(config(job("", more=more), 'logging: {format: "json"},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert [(one["msg"], "stream" in one) for one in of_job(corepilot)] == [("out", False), ("err", False)]


def test_the_default_format_stays_as_it_is(tmp_path: Path) -> None:
    with Corepilot(config(job("separate: true")), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert {line.split(" ", 3)[3] for line in corepilot.lines if line.split()[1] == "app"} == {"out", "err"}
    with Corepilot(config(job("separate: true"), 'logging: {format: "text"},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert any(line.endswith(" stream=stderr") and "msg=err job=app pid=" in line for line in corepilot.lines)


def test_a_prefix_is_in_front_of_each_line(tmp_path: Path) -> None:
    with Corepilot(config(job('prefix: "[app] "')), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        lines = [line.split(" ", 3)[3] for line in corepilot.lines if line.split()[1] == "app"]
        assert lines == ["[app] out", "[app] err"]


LINES = [
    '{"level": "WARN", "message": "slow", "ms": 1.50, "nested": {"a": [1, null]}}',
    '{"msg": "text", "severity": "error", "time": "never", "job": "other", "pid": 1, "stream": "x"}',
    '{"a": NaN}',
    "{not json}",
    '["a"]',
    "plain",
    '{"a": 1} trailing',
]


def _printing(lines: list[str], directory: Path) -> str:
    (directory / "lines").write_text("\n".join(lines) + "\n")
    return '["cat", "%(dir)s/lines"]'


def test_lines_that_are_objects_are_passed_through_as_such(tmp_path: Path) -> None:
    jobs = job("json: true", _printing(LINES, tmp_path))
    with Corepilot(config(jobs, 'logging: {format: "json"},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        first, second, *others = of_job(corepilot)
        assert (first["level"], first["msg"]) == ("warning", "slow")
        assert first["data"] == json.loads(LINES[0])
        assert (second["level"], second["msg"], second["data"]["job"]) == ("error", "text", "other")
        assert second["job"] == "app"
        assert second["pid"] != 1
        assert second["time"] != "never"
        assert "stream" not in second
        assert [(one["msg"], one["level"], "data" in one) for one in others] == [
            (line, "info", False) for line in LINES[2:]
        ]
        assert any('"data":{"level": "WARN", "message": "slow", "ms": 1.50,' in line for line in corepilot.lines)


@pytest.mark.parametrize("form", ["default", "text"])
def test_in_another_format_they_are_text(tmp_path: Path, form: str) -> None:
    jobs = job('json: true, prefix: "> "', _printing(LINES, tmp_path))
    with Corepilot(config(jobs, f'logging: {{format: "{form}"}},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert all(line in corepilot.output for line in LINES)
        assert corepilot.output.count("> ") == 3  # those that do not look like objects


def test_output_goes_to_files_and_not_to_the_log(tmp_path: Path) -> None:
    logging = 'file: {path: "%(dir)s/out"}, errorFile: "%(dir)s/err"'
    check = 'health: {exec: "echo checked", interval: 1, ttl: 5, logging: {file: {path: "%(dir)s/check"}}}'
    script = shell("echo out; echo err >&2; exec sleep 1000")
    with Corepilot(config(job(logging, script, check)), tmp_path) as corepilot:
        corepilot.until_ready()
        for name, text in (("out", "out\n"), ("err", "err\n")):
            eventually(lambda path=tmp_path / name, text=text: path.exists() and path.read_text() == text)  # type: ignore[misc]
        eventually(lambda: (tmp_path / "check").exists() and "checked" in (tmp_path / "check").read_text())
        shown = corepilot.client("logs", "-o", "json").stdout
        found = {(one["msg"], one.get("stream")) for one in map(json.loads, shown.splitlines())}
        assert found == {("out", "stdout"), ("err", "stderr"), ("checked", None)}
        assert corepilot.stop() == 0
        assert not [line for line in corepilot.lines if line.endswith((" out", " err", "checked"))]


def test_both_writes_to_the_log_as_well(tmp_path: Path) -> None:
    with Corepilot(config(job('file: {path: "%(dir)s/out"}, both: true')), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert (tmp_path / "out").read_text() == "out\nerr\n"
        assert [line.rpartition(" ")[2] for line in corepilot.lines if line.endswith((" out", " err"))] == [
            "out",
            "err",
        ]


def test_a_file_is_rotated_and_nothing_of_what_is_kept_is_missing(tmp_path: Path) -> None:
    logging = 'file: {path: "%(dir)s/out", maxSize: "100KB", keep: 3}'
    with Corepilot(config(job(logging, '["seq", "100000"]')), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        parts = [tmp_path / name for name in ("out.3", "out.2", "out.1", "out")]
        assert sorted(path.name for path in tmp_path.glob("out*")) == sorted(path.name for path in parts)
        assert all(90_000 < path.stat().st_size <= 100_000 for path in parts[:3])
        numbers = [int(line) for path in parts for line in path.read_text().splitlines()]
        assert numbers == list(range(numbers[0], 100_001))


def test_sigusr1_opens_it_again(tmp_path: Path) -> None:
    script = shell("trap 'echo again' HUP; echo first; while :; do sleep 0.05; done")
    with Corepilot(config(job('file: {path: "%(dir)s/out"}', script)), tmp_path) as corepilot:
        corepilot.until_ready()
        out, moved = tmp_path / "out", tmp_path / "moved"
        eventually(lambda: out.exists() and out.read_text() == "first\n", message="the first line")
        out.rename(moved)
        corepilot.signal(signal.SIGUSR1)

        def written() -> bool:
            assert corepilot.client("signal", "HUP", "app").returncode == 0
            return out.exists() and "again" in out.read_text()

        eventually(written, message="a new file")
        assert corepilot.stop() == 0


def test_a_full_disk_costs_lines_and_not_the_job(tmp_path: Path) -> None:
    jobs = job('file: {path: "/dev/full"}') + ', {name: "other", exec: "echo fine"}'
    with Corepilot(config(jobs), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert "the file /dev/full: cannot write to it: No space left on device; " in corepilot.output
        assert "8 bytes lost so far" in corepilot.output
        assert " fine\n" in corepilot.output


@pytest.mark.parametrize(
    ("jobs", "log", "message"),
    [
        (job('raw: true, prefix: "x", json: true'), "", "jobs[0].logging.raw"),
        (job('file: ""'), "", "cannot use jobs[0].logging.file.path"),
        (job('maxSize: "1MB"'), "", "write it in file: { path: …, maxSize: … }"),
        (job('file: {path: ""}'), "", "cannot use jobs[0].logging.file.path"),
        (job('file: {path: "/tmp/x", keep: -1}'), "", "it is not between 0 and 1000"),
        (job('file: {path: "/tmp/x", maxSize: "big"}'), "", '"big" is not a size'),
        (job('file: {path: "/tmp/log"}'), 'logging: {output: "/tmp/../tmp/log"},', "it is the log, logging.output"),
        (
            job('file: {path: "/tmp/x"}') + ', {name: "b", exec: "true", logging: {file: {path: "/tmp/x", keep: 1}}}',
            "",
            'cannot use jobs[1].logging.file.path (job "b"): /tmp/x is renamed at another size',
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, jobs: str, log: str, message: str) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(f"{{consul: false, {log} jobs: [{jobs.replace('%(dir)s', str(tmp_path))}]}}")
    answer = cli("check", str(file))
    assert answer.returncode == 1
    assert message in answer.stdout + answer.stderr


def test_a_directory_that_is_not_there_is_a_warning_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(f"{{consul: false, jobs: [{NOWHERE}]}}".replace("%(dir)s", "/tmp"))
    answer = cli("check", "--here", str(file))
    assert answer.returncode == 0
    assert "the directory /no/such does not exist here" in answer.stdout + answer.stderr
