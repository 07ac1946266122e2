"""Lines, formats and the writer thread."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from hypothesis import example, given
from hypothesis import strategies as st

from corepilot.model.configuration import Logging
from corepilot.output.lines import LineSplitter
from corepilot.output.log import Log
from corepilot.output.records import Records
from corepilot.output.target import Destination, open_file
from corepilot.output.writer import BURST_MAX_BYTES, QUEUE_MAX_BYTES, Writer


def test_lines_keep_empty_ones_and_lose_one_carriage_return() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"a\n\nb\r\n\r\nc") == [b"a", b"", b"b", b""]
    assert splitter.flush() == [b"c"]
    assert splitter.flush() == []


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_every_byte_comes_out_in_order(chunks: list[bytes], limit: int) -> None:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.flush()
    joined = b"".join(chunks)
    assert b"".join(lines).replace(b"\r", b"") == joined.replace(b"\n", b"").replace(b"\r", b"")
    assert all(len(line) <= limit for line in lines)


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\xc3\xa9", b"\xff", b"x" * 9])), st.integers(1, 9))
def test_how_output_is_divided_into_chunks_makes_no_difference(chunks: list[bytes], limit: int) -> None:
    splitter, whole = LineSplitter(limit), LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.flush()
    assert lines == whole.feed(b"".join(chunks)) + whole.flush()


@given(st.text("a\u00e9\u20ac\U0001f600", min_size=1), st.integers(4, 9))
def test_no_character_is_cut(text: str, limit: int) -> None:
    parts = LineSplitter(limit).feed(text.encode() + b"\n")
    assert "".join([part.decode() for part in parts]) == text
    assert all(limit - 3 <= len(part) <= limit for part in parts[:-1])


def test_a_long_line_is_cut() -> None:
    assert [len(line) for line in LineSplitter(10).feed(b"x" * 25 + b"\ny\n")] == [10, 10, 5, 1]
    lines = LineSplitter().feed(b"x" * 65536 + b"\r\n" + b"x" * 65537 + b"\n")
    assert [len(line) for line in lines] == [65536, 65536, 1]


def test_bytes_that_are_no_text_are_cut_at_the_limit() -> None:
    assert [len(line) for line in LineSplitter(10).feed(b"\x80" * 25 + b"\n" + b"\xff" * 25 + b"\n")] == [
        10, 10, 5, 10, 10, 5,
    ]  # fmt: skip


def test_a_line_that_never_ends_is_not_kept() -> None:
    splitter = LineSplitter(10)
    parts = [part for _ in range(100) for part in splitter.feed(b"\r" * 7)]
    assert sum(map(len, parts)) >= 700 - 11


def written(path: Path, form: Any, level: Any = "info") -> str:
    log = Log(Logging(level=level, format=form, output=str(path)))
    log("debug", "hidden")
    log("info", 'say "it"')
    log.output.publish(Records.now([b"plain", b"two words", b"", b"\xff"], (("job", "app"), ("pid", 7))))
    log.output.publish(Records.now([b"fine"], (("check", "check.app"),)))
    assert log.close(5)
    return path.read_text("utf-8", "surrogateescape")


STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"


def test_the_default_format(tmp_path: Path) -> None:
    lines = re.sub(STAMP, "T", written(tmp_path / "log", "default")).splitlines()
    assert lines == [
        'T say "it"', "T app 7 plain", "T app 7 two words", "T app 7 ", "T app 7 \udcff",
        "T fine",
    ]  # fmt: skip


def test_the_text_format(tmp_path: Path) -> None:
    text = written(tmp_path / "log", "text")
    assert "." not in text.partition('" ')[0]
    lines = re.sub(STAMP, "T", text).splitlines()
    assert lines[0] == 'time="T" level=info msg="say "it""'
    assert lines[1] == 'time="T" level=info msg=plain job=app pid=7'
    assert lines[2] == 'time="T" level=info msg="two words" job=app pid=7'
    assert lines[3] == 'time="T" level=info job=app pid=7'
    assert lines[5] == 'time="T" level=info msg=fine check=check.app'


@pytest.mark.parametrize(
    ("zone", "stamps"),
    [
        ("UTC0", ["2026-11-01T05:59:59Z", "2026-11-01T06:00:00Z", "2026-07-01T00:00:00Z"]),
        ("JST-9", ["2026-11-01T14:59:59+09:00", "2026-11-01T15:00:00+09:00", "2026-07-01T09:00:00+09:00"]),
        # The clock goes back at two in the morning of that day: an hour is seen twice.
        ("EST5EDT,M3.2.0,M11.1.0",
         ["2026-11-01T01:59:59-04:00", "2026-11-01T01:00:00-05:00", "2026-06-30T20:00:00-04:00"]),
        ("GMT0BST,M3.5.0/1,M10.5.0", ["2026-11-01T05:59:59Z", "2026-11-01T06:00:00Z", "2026-07-01T01:00:00+01:00"]),
        ("NST3:30", ["2026-11-01T02:29:59-03:30", "2026-11-01T02:30:00-03:30", "2026-06-30T20:30:00-03:30"]),
    ],
)  # fmt: skip
def test_stamps_are_in_local_time_and_follow_its_changes(zone: str, stamps: list[str]) -> None:
    change = int(datetime(2026, 11, 1, 6, tzinfo=UTC).timestamp())
    summer = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())
    code = (
        "from corepilot.output.stamps import local_time\n"
        f"for second in ({change - 1}, {change}, {summer}): print(*local_time(second), sep='')"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code], env={"TZ": zone}, capture_output=True, text=True, check=True, timeout=20
    )
    assert answer.stdout.split() == stamps


def test_the_json_format(tmp_path: Path) -> None:
    records = [json.loads(line) for line in written(tmp_path / "log", "json").splitlines()]
    assert {**records[1], "time": ""} == {"job": "app", "pid": 7, "level": "info", "msg": "plain", "time": ""}
    assert re.fullmatch(STAMP, records[0]["time"])
    assert records[4]["msg"] == "\\xff"


def test_our_own_lines_about_a_job_are_no_lines_of_the_job(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(Logging(output=str(path)))
    log("error", "cannot start it", (("job", "app"),))
    log("warning", "killing it", (("check", "check.app"), ("pid", 7)))
    assert log.close(5)
    assert re.sub(STAMP, "T", path.read_text()) == "T app: cannot start it\nT check.app: killing it\n"


HOSTILE = st.text(st.characters() | st.sampled_from("\n\r\x1b\x9b\u2028\udcff"))


@example("", "\ud800", "json")
@given(HOSTILE, HOSTILE, st.sampled_from(["default", "text", "json"]))
def test_a_message_is_one_record_whatever_it_and_its_fields_hold(message: str, name: str, form: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        log = Log(Logging(format=form, output=str(path)))
        log("info", message, (("job", name), ("pid", 7)))
        log.lines("info", ["first", message])
        log.output.publish(Records.now([b"a line", b"\x1b another"], (("job", name), ("pid", 7))))
        assert log.close(5)
        lines = path.read_text("utf-8").split("\n")
    assert len(lines) == 6
    if form == "json":
        records = [json.loads(line) for line in lines[:5]]
        assert (records[4]["job"], records[4]["msg"]) == (
            name.encode("utf-8", "backslashreplace").decode(),
            "\x1b another",
        )
        return
    assert all(line.isprintable() for line in lines[:4])
    assert lines[4].count("\x1b") == 1  # the job's own byte


def test_lines_that_belong_together_are_records_of_one_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(Logging(output=str(path)))
    log.lines("error", ["stacks:", "  one", "  two"], (("job", "app"),))
    log.lines("debug", ["hidden"])
    log.lines("error", [])
    assert log.close(5)
    stamps, messages = zip(*[line.split(" ", 1) for line in path.read_text().splitlines()], strict=True)
    assert messages == ("app: stacks:", "app:   one", "app:   two")
    assert len(set(stamps)) == 1


def test_job_lines_are_shown_at_every_level(tmp_path: Path) -> None:
    text = written(tmp_path / "log", "default", "panic")
    assert " app 7 plain" in text
    assert "say" not in text


def test_a_log_file_is_reopened_after_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(Logging(output=str(path)))
    log("info", "before")
    eventually(lambda: "before" in path.read_text())
    path.rename(tmp_path / "old")
    log("info", "between")
    log.reopen()
    eventually(path.exists)
    log("info", "after")
    assert log.close(5)
    assert "between" in (tmp_path / "old").read_text()
    assert "after" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_fifo_that_nobody_reads_keeps_what_is_written_for_a_reader(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    log = Log(Logging(output=str(path)))
    log("info", "early")
    reader = os.open(path, os.O_RDONLY)
    assert os.read(reader, 1000).endswith(b" early\n")
    log("info", "late")
    assert log.close(5)
    assert os.read(reader, 1000).endswith(b" late\n")
    assert os.read(reader, 1000) == b""
    os.close(reader)
    assert capfd.readouterr().err.count(f"nobody reads the log yet, the fifo {path}; ") == 1


def test_a_fifo_with_a_reader_is_written_and_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = Log(Logging(output=str(path)))
    os.set_blocking(reader, True)
    log.output.publish(Records.now([b"x" * 200_000], ()))
    log.reopen()
    log("info", "last")
    received = b""
    while not received.endswith(b" last\n"):
        received += os.read(reader, 1 << 20)
    assert log.close(5)
    os.close(reader)
    assert received.count(b"x") == 200_000
    assert capfd.readouterr().err == ""


def test_a_socket_is_no_log_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device or address"):
            Log(Logging(output=str(tmp_path / "s")))


def test_a_reader_that_stopped_costs_bytes_not_time() -> None:
    read_end, write_end = os.pipe()
    writer = Writer(Destination(write_end, None, (0, 0)), lambda size: b"lost %d\n" % size)
    block = b"x" * 65535 + b"\n"
    for _ in range(3 * BURST_MAX_BYTES // len(block)):
        writer.write(block)
    assert BURST_MAX_BYTES < writer.dropped_bytes < 2.5 * BURST_MAX_BYTES
    assert not writer.close(0.01)
    received = b""
    while b"lost" not in received:  # the thread goes on when somebody reads again
        received += os.read(read_end, 1 << 20)
    assert re.search(rb"lost \d+\n", received)
    os.close(read_end)  # what is left is lost, and the thread ends
    assert writer.close(5)
    os.close(write_end)


def test_the_writer_is_congested_while_it_gets_on_and_not_when_it_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    writer = Writer(Destination(write_end, None, (0, 0)), lambda size: b"lost %d\n" % size)
    block = b"x" * 65535 + b"\n"

    def congested() -> bool:
        return writer.congested

    assert not congested()
    for _ in range(QUEUE_MAX_BYTES // len(block) * 3 // 4):
        writer.write(block)
    assert congested()
    monkeypatch.setattr("corepilot.output.writer.STUCK_S", 0.0)
    assert not congested()
    monkeypatch.undo()
    os.close(read_end)
    assert writer.close(5)
    assert not congested()
    os.close(write_end)


def test_a_writer_that_is_stuck_takes_no_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepilot.output.writer.STUCK_S", 0.0)
    read_end, write_end = os.pipe()
    writer = Writer(Destination(write_end, None, (0, 0)), lambda size: b"lost %d\n" % size)
    block = b"x" * 65535 + b"\n"
    for _ in range(2 * BURST_MAX_BYTES // len(block)):
        writer.write(block)
    assert writer.dropped_bytes >= 2 * BURST_MAX_BYTES - QUEUE_MAX_BYTES - 3 * len(block)
    os.close(read_end)
    assert writer.close(5)
    os.close(write_end)


def test_what_a_full_disk_has_taken_of_a_line_does_not_tear_the_next_one(tmp_path: Path) -> None:
    path, most = tmp_path / "log", 1024 * 1024
    path.touch()
    os.truncate(path, most - 3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = Writer(open_file(str(path)), lambda size: b"lost %d\n" % size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        writer.write(b"first\n")
        eventually(lambda: writer.dropped_bytes == 3, message="a part is lost")
        writer.write(b"lost\n")
        eventually(lambda: writer.dropped_bytes == 8, message="a line is lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    writer.write(b"second\n")
    assert writer.close(5)
    assert path.read_bytes().lstrip(b"\0") == b"fir\nsecond\n"


def test_a_full_disk_is_counted_and_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    writer = Writer(open_file("/dev/full"), lambda size: b"lost %d\n" % size)
    for _ in range(100):
        writer.write(b"line\n")
    assert writer.close(5)
    assert writer.dropped_bytes == 500
    assert capfd.readouterr().err.count("cannot write to the log file /dev/full") == 1
