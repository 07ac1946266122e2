"""What is remembered of operations: bounded, and never one that is under way."""

import gevent
import pytest
from gevent.event import Event as Flag

from corepilot.errors import ControlError
from corepilot.supervisor.operations import (
    KEPT_LINES_MAX,
    KEPT_MAX,
    LINES_MAX,
    UNDER_WAY_MAX,
    Operation,
    Operations,
)


@pytest.fixture
def operations() -> Operations:
    return Operations(lambda: "")


def complete(operation: Operation) -> None:
    operation.finish("done")


def follow(operation: Operation) -> list[object]:
    return [line["result"] for line in operation.lines(20) if "result" in line]


def test_the_last_ones_are_remembered(operations: Operations) -> None:
    made = [operations.begin("start", complete) for _ in range(KEPT_MAX + 3)]
    for one in made:
        assert follow(one) == ["done"]
    gevent.idle()
    assert [one.id for one in made if operations.find(one.id) is None] == [1, 2, 3]
    assert operations.find(KEPT_MAX + 4) is None


def test_what_is_under_way_is_not_forgotten(operations: Operations) -> None:
    go_on = Flag()

    def wait(operation: Operation) -> None:
        go_on.wait(20)
        operation.finish("done")

    first = operations.begin("wait", wait)
    for _ in range(KEPT_MAX + 1):
        follow(operations.begin("start", complete))
    assert operations.find(first.id) is first
    go_on.set()
    assert follow(first) == ["done"]


def test_more_than_can_be_carried_out_is_refused(operations: Operations) -> None:
    go_on = Flag()

    def wait(operation: Operation) -> None:
        go_on.wait(20)
        operation.finish("done")

    made = [operations.begin("stop", wait) for _ in range(UNDER_WAY_MAX)]
    with pytest.raises(ControlError, match="cannot stop: 256 requests are under way; try again later"):
        operations.begin("stop", wait)
    go_on.set()
    assert [follow(one) for one in made] == [["done"]] * UNDER_WAY_MAX
    gevent.idle()
    assert follow(operations.begin("stop", complete)) == ["done"]


def test_long_reports_push_out_others_sooner(operations: Operations) -> None:
    def report(operation: Operation) -> None:
        for number in range(LINES_MAX + 5):
            operation.add(job=f"job-{number}", became="up")
        operation.finish("done")

    made = [operations.begin("reload", report) for _ in range(4)]
    for one in made:
        follow(one)
    gevent.idle()
    kept = [one for one in made if operations.find(one.id)]
    assert kept == made[-2:]
    assert sum(one.changes for one in kept) == KEPT_LINES_MAX


def test_a_bug_ends_an_operation_as_refused(operations: Operations) -> None:
    def broken(_operation: Operation) -> None:
        raise ControlError("a bug")

    hub = gevent.get_hub()
    known, hub.exception_stream = hub.exception_stream, None
    try:
        assert follow(operations.begin("start", broken)) == ["refused"]
    finally:
        hub.exception_stream = known
