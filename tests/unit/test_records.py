"""Records and those who take them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from corepilot.model.configuration import Logging
from corepilot.output.log import Log
from corepilot.output.pipe import FIRST_CHUNK_BYTES, OutputPipe
from corepilot.output.records import Output, Records


def turned(condition: Callable[[], bool]) -> None:
    """Let the hub turn until the condition is true."""
    with gevent.Timeout(10):
        while not condition():
            gevent.sleep(0.001)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(Logging(output=str(tmp_path / "log")))


def test_everybody_gets_the_same_records_in_order() -> None:
    output = Output(lambda _level, message: pytest.fail(message))
    one: list[Records] = []
    other: list[Records] = []
    output.subscribe("one", one.append)
    late = output.subscribe("other", other.append)
    records = [Records.now([b"%d" % number], (("job", "app"),)) for number in range(3)]
    output.publish(records[0])
    late.close()
    late.close()
    output.publish(records[1])
    output.subscribe("other", other.append)
    output.publish(records[2])
    assert one == records
    assert other == [records[0], records[2]]
    assert all(got is made for got, made in zip(one, records, strict=True))


def test_a_subscriber_that_raises_is_named_and_counted_and_disturbs_nobody() -> None:
    said: list[tuple[str, str]] = []
    taken: list[Records] = []
    output = Output(lambda level, message: said.append((level, message)))

    def broken(_records: Records) -> None:
        raise ValueError("no\nroom")

    bad = output.subscribe("a ring", broken)
    good = output.subscribe("the log", taken.append)
    for _ in range(50):
        output.publish(Records.now([b"x"], ()))
    assert len(taken) == 50
    assert (bad.failures, good.failures) == (50, 0)
    [(level, message)] = said
    assert level == "error"
    assert message.startswith("a bug: a ring failed to take output: Traceback")
    assert message.endswith("ValueError: no | room")


def test_a_subscriber_may_leave_while_records_are_handed_out() -> None:
    output = Output(lambda _level, message: pytest.fail(message))
    taken: list[Records] = []

    def once(records: Records) -> None:
        taken.append(records)
        subscription.close()

    subscription = output.subscribe("once", once)
    output.subscribe("the other", taken.append)
    output.publish(Records.now([b"x"], ()))
    output.publish(Records.now([b"y"], ()))
    assert [records.lines for records in taken] == [[b"x"], [b"x"], [b"y"]]


def test_a_pipe_publishes_what_a_child_writes_with_its_fields_and_one_time(log: Log, tmp_path: Path) -> None:
    taken: list[Records] = []
    log.output.subscribe("the test", taken.append)
    pipe = OutputPipe(gevent.get_hub().loop, log)
    writer = os.dup(pipe.write_end)
    pipe.start((("job", "app"), ("pid", 7)))
    os.write(writer, b"one\ntwo\nrest")
    os.close(writer)
    turned(lambda: not pipe.open)
    assert [list(records.lines) for records in taken] == [[b"one", b"two"], [b"rest"]]
    assert {records.fields for records in taken} == {(("job", "app"), ("pid", 7))}
    assert taken[0].wall_ns <= taken[1].wall_ns
    assert taken[0].monotonic_s <= taken[1].monotonic_s
    assert log.close(5)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["app 7 one", "app 7 two", "app 7 rest"]
    assert len({line.partition(" ")[0] for line in lines[:2]}) == 1


def test_a_pipe_reads_less_at_a_time_when_lines_are_short(log: Log) -> None:
    taken: list[Records] = []
    log.output.subscribe("the test", taken.append)
    pipe = OutputPipe(gevent.get_hub().loop, log)
    writer = os.dup(pipe.write_end)
    os.set_blocking(writer, False)
    pipe.start((("job", "app"),))
    os.write(writer, b"\n" * 60_000)
    os.close(writer)
    turned(lambda: not pipe.open)
    assert sum(len(records.lines) for records in taken) == 60_000
    assert max(len(records.lines) for records in taken) <= 8192
    assert log.close(5)


@pytest.mark.parametrize("ended", [False, True])
def test_of_lines_that_somebody_looks_at_a_few_come_at_a_time(log: Log, ended: bool) -> None:  # noqa: FBT001
    """Looking for a regular expression takes ten microseconds a byte."""
    seen: list[list[bytes]] = []
    pipe = OutputPipe(gevent.get_hub().loop, log)
    writer = os.dup(pipe.write_end)
    os.set_blocking(writer, False)
    pipe.seen = seen.append
    pipe.start((("job", "app"),))
    lines = [b"%099d" % number for number in range(600)]
    os.write(writer, b"".join([line + b"\n" for line in lines]))
    if ended:
        pipe.finish()
    os.close(writer)
    turned(lambda: not pipe.open)
    assert [line for batch in seen for line in batch] == lines
    assert max(map(len, seen)) <= FIRST_CHUNK_BYTES // 100 + 1
    assert log.close(5)


def test_the_rest_of_a_limited_output_is_counted(log: Log, tmp_path: Path) -> None:
    pipe = OutputPipe(gevent.get_hub().loop, log, log_limit_bytes=3, keep=True)
    writer = os.dup(pipe.write_end)
    pipe.start((("check", "check.app"),))
    os.write(writer, b"one\n")
    turned(lambda: pipe.tail == "one")
    os.write(writer, b"two\n")
    os.close(writer)
    turned(lambda: not pipe.open)
    assert pipe.tail == "one\ntwo"
    assert log.close(5)
    text = re.sub(r"(?m)^\S+ ", "", (tmp_path / "log").read_text())
    assert text == "one\ncheck.app: 4 bytes of output were not logged\n"
