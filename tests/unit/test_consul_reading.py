"""The agent's answer as a snapshot, and the rules of blocking queries."""

from typing import Any

import pytest
from corepilot_consul.blocking import BURST, PAUSE_S, UNSURE_PAUSE_S, Pace, deadline_for, next_index, wait_for
from corepilot_consul.reading import snapshot_of

from corepilot.model.service import Instance


def entry(
    identifier: str = "web-1", *statuses: str, node: str = "n1", address: str = "10.0.0.1", port: Any = 80
) -> dict[str, Any]:
    return {
        "Node": {"Node": node, "Address": "192.0.2.1"},
        "Service": {"ID": identifier, "Service": "web", "Address": address, "Port": port, "Tags": ["a", "b"]},
        "Checks": [{"Status": status} for status in statuses],
    }


def test_instances_are_sorted_by_id_and_keep_their_tags() -> None:
    found = snapshot_of("web", [entry("web-2"), entry("web-10"), entry("web-1")])
    assert [one.id for one in found] == ["web-1", "web-10", "web-2"]
    assert found[0] == Instance("web-1", "web", "10.0.0.1", 80, "passing", ("a", "b"))
    assert snapshot_of("web", []) == ()


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ((), "passing"),
        (("passing", "passing"), "passing"),
        (("passing", "warning"), "warning"),
        (("critical", "warning", "passing"), "critical"),
        (("passing", "maintenance"), "critical"),
    ],
)
def test_the_worst_check_counts(statuses: tuple[str, ...], worst: str) -> None:
    assert [one.status for one in snapshot_of("web", [entry("web-1", *statuses)])] == [worst]


def test_an_empty_address_is_not_replaced_by_the_nodes() -> None:
    """ContainerPilot contract, section 7.4."""
    assert snapshot_of("web", [entry(address="")])[0].address == ""


def test_one_id_on_several_nodes() -> None:
    found = snapshot_of("web", [entry(node="n2", port=2), entry(node="n1", port=1), entry("web-2", node="n1", port=3)])
    assert [(one.id, one.port) for one in found] == [("web-1@n1", 1), ("web-1@n2", 2), ("web-2", 3)]


def test_fields_that_consul_leaves_out() -> None:
    bare = {"Service": {"ID": "x", "Service": "web", "Tags": None}, "Checks": None}
    assert snapshot_of("web", [bare]) == (Instance("x", "web", "", 0, "passing"),)


def test_what_others_registered_is_shown_as_it_is() -> None:
    # Consul checks no port; one odd instance must not hide the others.
    assert [one.port for one in snapshot_of("web", [entry(port=70000), entry("web-2", port=-1)])] == [70000, -1]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        "[]",
        3,
        [3],
        [{}],
        [{"Service": {}}],
        [{"Node": {}, "Service": {}, "Checks": []}],
        [{"Node": {}, "Service": {"ID": 3}, "Checks": []}],
        [{**entry(), "Checks": "passing"}],
        [{**entry(), "Checks": [3]}],
        [entry(port="80")],
        [entry(port=True)],
        [{**entry(), "Service": {**entry()["Service"], "Tags": "a"}}],
        [{**entry(), "Service": {**entry()["Service"], "Tags": [1]}}],
    ],
)
def test_nonsense_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError, match=r"^it is not|^an "):
        snapshot_of("web", body)


@pytest.mark.parametrize(
    ("previous", "header", "wanted"),
    [
        (0, "17", 17),
        (17, "17", 17),
        (17, "18", 18),
        (17, "16", 0),  # backwards: start anew
        (0, "0", 1),  # below one: as one
        (0, "-1", 1),
        (17, "0", 0),
        (17, "-5", 0),
        (0, str(2**63), 2**63),
        (0, str(2**64 - 1), 2**64 - 1),
        (0, str(2**64), 0),
        (5, "", 0),
        (5, "abc", 0),
        (5, "1.5", 0),
        (5, "٣", 0),
        (5, "9" * 5000, 0),
        (5, "--7", 0),
        (5, " 7 ", 7),
    ],
)
def test_the_next_index(previous: int, header: str, wanted: int) -> None:
    assert next_index(previous, header) == wanted


def test_waits_and_deadlines() -> None:
    assert [wait_for(interval) for interval in (0, 1, 10, 55, 600)] == [1, 1, 10, 55, 55]
    assert [wait_for(1, length) for length in (2_000, 2_000_000, 10_000_000)] == [1, 15, 55]
    assert deadline_for(16) == 16 + 1 + 5


def test_a_burst_at_once_and_then_one_each_pause() -> None:
    pace = Pace(10, 0.0)
    pauses = [pace.pause_s(index, 0.0, index + 1, 0.0) for index in range(BURST + 2)]
    assert [round(pause, 6) for pause in pauses] == [*[0] * BURST, PAUSE_S, 2 * PAUSE_S]


def test_ten_changes_a_second_never_wait() -> None:
    pace = Pace(10, 0.0)
    assert [pace.pause_s(at, at / 10, at + 1, at / 10) for at in range(1, 1000)] == [0.0] * 999


def test_a_change_that_comes_alone_never_waits() -> None:
    pace, seconds = Pace(10, 0.0), range(0, 100, 2)
    assert [pace.pause_s(at, float(at), at + 1, float(at)) for at in seconds] == [0.0] * len(seconds)
    assert [round(pace.pause_s(1, 200.0, 2, 200.0), 6) for _ in range(BURST + 1)] == [*[0] * BURST, PAUSE_S]


def test_without_an_index_it_is_a_poll_with_the_interval() -> None:
    pace = Pace(30, 0.0)
    assert pace.pause_s(0, 0.0, 0, 0.5) == UNSURE_PAUSE_S
    assert pace.pause_s(0, 1.5, 0, 2.0) == 29.5
    assert pace.pause_s(0, 31.5, 7, 32.0) == 0
    assert pace.pause_s(7, 32.0, 0, 33.0) == 0  # it went back: the present state is asked for at once
    assert pace.pause_s(0, 33.0, 0, 33.0) == UNSURE_PAUSE_S


def test_an_agent_that_does_not_block_is_polled_with_the_interval() -> None:
    pace = Pace(30, 0.0)
    assert pace.pause_s(0, 0.0, 7, 0.5) == 0
    assert pace.pause_s(7, 0.5, 7, 1.0) == 29.5
    assert pace.pause_s(7, 30.5, 7, 61.0) == 0  # it has waited: nothing has changed
    assert pace.pause_s(7, 61.0, 8, 61.0) == 0
