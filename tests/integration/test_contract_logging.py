"""Where output goes, and what it looks like (ContainerPilot contract, section 6)."""

import json
import os
import re
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from recording import config, shell
from running import Corepilot

from corepilot.testing.running import COMMAND

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"
JOBS = f"""
    {{name: "app", exec: {shell("echo hello there; sleep 1000")},
      health: {{exec: ["sh", "-c", "echo checked"], interval: 1, ttl: 5}}}},
"""


def test_the_default_format(tmp_path: Path) -> None:
    with Corepilot(config(JOBS), tmp_path) as corepilot:
        corepilot.until("checked")
        assert re.search(rf"^{STAMP} app \d+ hello there$", corepilot.output, re.MULTILINE)
        assert re.search(rf"^{STAMP} \d+ checked$", corepilot.output, re.MULTILINE)
        stamp = corepilot.lines[0].split()[0]
        assert abs(datetime.fromisoformat(stamp).timestamp() - _now()) < 60


def test_the_text_format(tmp_path: Path) -> None:
    quoting = """echo 'say "hi"'; echo plain"""
    jobs = JOBS + f'{{name: "quoting", exec: {shell(quoting)}}}'
    with Corepilot(config(jobs, 'logging: {format: "text"},'), tmp_path) as corepilot:
        corepilot.until("checked")
        lines = corepilot.output
        for pattern in (
            r'level=info msg="hello there" job=app pid=\d+',
            r"level=info msg=checked check=check\.app pid=\d+",
            r'level=info msg="say "hi"" job=quoting pid=\d+',
            r"level=info msg=plain job=quoting pid=\d+",
        ):
            assert re.search(rf'^time="{STAMP}" {pattern}$', lines, re.MULTILINE), pattern
        assert all(line.startswith('time="') for line in corepilot.lines)


def test_the_json_format(tmp_path: Path) -> None:
    jobs = JOBS + r"""{name: "bytes", exec: ["printf", "caf\u00e9 \"q\" \\377\\n"]}"""
    with Corepilot(config(jobs, 'logging: {format: "json"},'), tmp_path) as corepilot:
        corepilot.until("checked")
        records: list[dict[str, Any]] = [json.loads(line) for line in corepilot.lines]
        by_text = {record["msg"]: record for record in records}
        app, check = by_text["hello there"], by_text["checked"]
        assert (app["level"], app["job"], set(app)) == ("info", "app", {"level", "msg", "time", "job", "pid"})
        assert (check["check"], set(check)) == ("check.app", {"level", "msg", "time", "check", "pid"})
        assert all(re.fullmatch(STAMP, record["time"]) for record in records)
        assert any(record["msg"].startswith('café "q"') for record in records)


@pytest.mark.parametrize("level", ["ERROR", "fatal", "Panic", "warning", "WARN"])
def test_job_lines_are_shown_at_any_level(tmp_path: Path, level: str) -> None:
    with Corepilot(config('{name: "a", exec: "echo shown"}', f'logging: {{level: "{level}"}},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert [line.rpartition(" ")[2] for line in corepilot.lines] == ["shown"]


@pytest.mark.parametrize(("zone", "shown"), [("JST-9", r"\+09:00"), ("UTC0", "Z"), ("EST5", "-05:00")])
@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("default", r"{date}T{time}(?:\.\d+)?{zone} "),
        ("text", 'time="{date}T{time}{zone}" '),
        ("json", r'\{{.*"time":"{date}T{time}(?:\.\d+)?{zone}"\}}$'),
    ],
)
def test_times_are_local(tmp_path: Path, form: str, start: str, zone: str, shown: str) -> None:
    pattern = start.format(date=r"\d{4}-\d\d-\d\d", time=r"\d\d:\d\d:\d\d", zone=shown)
    more = f'logging: {{format: "{form}"}},'
    with Corepilot(config('{name: "a", exec: "echo there"}', more), tmp_path, environment={"TZ": zone}) as corepilot:
        assert corepilot.wait() == 0
        assert sum("there" in line for line in corepilot.lines) == 1
        assert all(re.match(pattern, line) for line in corepilot.lines), corepilot.output


def test_every_line_of_a_job_arrives_whole(tmp_path: Path) -> None:
    script = (
        "echo one; echo two >&2; echo; printf 'cr\\r\\n'; printf 'mid\\rdle\\n'; "
        "head -c 65535 /dev/zero | tr '\\0' y; echo; "
        "head -c 200000 /dev/zero | tr '\\0' x; echo; echo after; printf last"
    )
    with Corepilot(config(f'{{name: "a", exec: {shell(script)}}}'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        texts = re.findall(r"^\S+ a \d+ (.*)\n", corepilot.output.replace("mid\r", "mid<cr>"), re.MULTILINE)
        assert texts[:5] == ["one", "two", "", "cr", "mid<cr>dle"]
        assert [len(text) for text in texts[5:-2]] == [65535, 65536, 65536, 65536, 3392]
        assert "".join(texts[6:-2]) == "x" * 200000
        assert texts[-2:] == ["after", "last"]


EMPTY = re.compile(r" empty \d+ $|level=info job=empty |\"msg\":\"\"")


@pytest.mark.parametrize("form", ["default", "text", "json"])
def test_no_line_is_lost_where_records_are_much_longer_than_lines(tmp_path: Path, form: str) -> None:
    jobs = f'{{name: "empty", exec: {shell("yes | head -n 300000 | tr -d y")}}}'
    with Corepilot(config(jobs, f'logging: {{format: "{form}"}},'), tmp_path) as corepilot:
        assert corepilot.wait() == 0
        assert sum(bool(EMPTY.search(line)) for line in corepilot.lines) == 300_000


def test_raw_output_bypasses_the_log(tmp_path: Path) -> None:
    jobs = f"""
        {{name: "raw", exec: {shell("echo raw-out; echo raw-err >&2; sleep 1000")}, logging: {{raw: true}},
          health: {{exec: ["sh", "-c", "echo raw-check"], interval: 1, ttl: 5, logging: {{raw: true}}}}}},
        {{name: "cooked", exec: "echo cooked-out"}},
    """
    more = 'logging: {output: "%(dir)s/log"},'
    (tmp_path / "c").write_text(config(jobs, more).replace("%(dir)s", str(tmp_path)))
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen([*COMMAND, "run", "-c", str(tmp_path / "c")], cwd=tmp_path, stdout=out, stderr=err)
        try:
            eventually(lambda: "raw-check" in (tmp_path / "out").read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert (tmp_path / "out").read_text().split()[:1] == ["raw-out"]
    assert set((tmp_path / "out").read_text().split()) == {"raw-out", "raw-check"}
    assert (tmp_path / "err").read_text() == "raw-err\n"
    log = (tmp_path / "log").read_text()
    assert "cooked-out" in log
    assert "raw-" not in log


def test_a_log_file_is_appended_to_and_reopened_at_sigusr1(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    jobs = '{name: "hup", exec: "echo ran", when: {source: "SIGHUP"}}'
    with Corepilot(config(jobs, 'logging: {output: "%(dir)s/log"},'), tmp_path) as corepilot:
        corepilot.until_ready()
        corepilot.signal(signal.SIGHUP)
        eventually(lambda: log.read_text().count("ran\n") == 1)
        assert log.read_text().startswith("before\n")
        log.rename(tmp_path / "log.1")
        corepilot.signal(signal.SIGHUP)
        eventually(lambda: (tmp_path / "log.1").read_text().count("ran\n") == 2)
        corepilot.signal(signal.SIGUSR1)
        eventually(log.exists)
        corepilot.signal(signal.SIGHUP)
        eventually(lambda: log.read_text().count("ran\n") == 1)
        assert log.stat().st_mode & 0o777 == 0o644
        old = (tmp_path / "log.1").read_text()
        assert corepilot.stop() == 0
        assert (tmp_path / "log.1").read_text() == old
        assert "corepilot ends" in log.read_text()
        assert corepilot.output == ""


def test_a_fifo_without_a_reader_stops_nothing(tmp_path: Path) -> None:
    """ContainerPilot waits for a reader before it starts anything."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    jobs = f"""
        {{name: "much", exec: {shell("yes | head -n 2000000")}}},
        {{name: "app", exec: "sleep 1000", when: {{source: "much", once: "exitSuccess"}}}},
    """
    with Corepilot(config(jobs, f'logging: {{output: "{path}"}},'), tmp_path) as corepilot:
        corepilot.until("nobody reads the log yet, the fifo ")
        eventually(lambda: corepilot.job("app")["state"] == "running", message="the second job")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            first = os.read(reader, 65536).decode().partition("\n")[0]
            assert re.fullmatch(rf"{STAMP} (?:much \d+ y|much: started .*|corepilot .*)", first)
        finally:
            os.close(reader)
        assert corepilot.stop() == 0


def test_output_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "c").write_text(config('{name: "a", exec: "echo there"}', 'logging: {output: "stderr"},'))
    text = (tmp_path / "c").read_text().replace("%(dir)s", str(tmp_path))
    (tmp_path / "c").write_text(text)
    answer = subprocess.run(
        [*COMMAND, "run", "-c", str(tmp_path / "c")], capture_output=True, text=True, timeout=20, check=False
    )
    assert answer.returncode == 0
    assert answer.stdout == ""
    assert "there" in answer.stderr


def _now() -> float:
    return datetime.now().astimezone().timestamp()
