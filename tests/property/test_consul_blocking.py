"""The rules of blocking queries, whatever an agent sends."""

import json
from typing import Any

from corepilot_consul.blocking import BURST, PAUSE_S, Pace, next_index
from corepilot_consul.elements import each
from corepilot_consul.plugin import Options
from corepilot_consul.reading import ServiceReader, snapshot_of
from hypothesis import given
from hypothesis import strategies as st

from corepilot.http.origin import parse_origin
from corepilot.plugin import OptionError

HEADERS = st.one_of(
    st.text(max_size=30),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["", "0", "-1", str(2**63), str(2**64), "1e9", "NaN", "0x10", "\uff11"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Node", "Service", "Checks", "ID", "Tags", "Port", "Address", "Status"]), inner, max_size=6
        )
    ),
    max_leaves=30,
)


@given(st.lists(HEADERS, max_size=50))
def test_the_index_is_always_one_that_may_be_asked_with(headers: list[str]) -> None:
    index = 0
    for header in headers:
        following = next_index(index, header)
        assert following == 0 or 1 <= following < 2**64
        assert following == 0 or following >= index
        index = following


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_more_than_the_burst_and_one_each_pause(gaps: list[float]) -> None:
    pace, now, asked = Pace(10, 0.0), 0.0, []
    for index, gap in enumerate(gaps):
        now += gap
        now += pace.pause_s(index, now - gap, index + 1, now)
        asked.append(now)
    for first in range(len(asked)):
        for last in range(first, len(asked)):
            most = BURST + (asked[last] - asked[first]) / PAUSE_S
            assert last - first + 1 <= most + 1 + 1e-6


@given(JSON)
def test_whatever_is_answered_is_a_snapshot_or_a_value_error(body: object) -> None:
    try:
        found = snapshot_of("web", json.loads(json.dumps(body)))
    except ValueError:
        return
    assert list(found) == sorted(found)
    assert len({one.id for one in found}) == len(found)


def _entry(node: str, identifier: str, port: int, statuses: list[str]) -> Any:
    return {
        "Node": {"Node": node},
        "Service": {"ID": identifier, "Service": "web", "Port": port, "Tags": [identifier]},
        "Checks": [{"Node": node, "Status": status} for status in statuses],
    }


TEXTS = st.text(max_size=5) | st.sampled_from(['},{"Node":{', ',{"Node": {', "[", "]", '"', "\\"])
ENTRIES: st.SearchStrategy[list[Any]] = st.lists(
    st.builds(
        _entry,
        TEXTS,
        TEXTS,
        st.integers(0, 65535),
        st.lists(TEXTS | st.just("passing"), max_size=2),
    ),
    max_size=6,
    unique_by=lambda entry: (entry["Node"]["Node"], entry["Service"]["ID"]),
)


@given(st.lists(ENTRIES, max_size=4), st.sampled_from([None, 4]), st.booleans())
def test_reading_piece_by_piece_is_reading_the_whole(states: list[Any], indent: int | None, compact: bool) -> None:  # noqa: FBT001  - drawn
    reader = ServiceReader("web")
    separators = (",", ":") if compact else None
    for state in states:
        body = json.dumps(state, indent=indent, separators=separators).encode()
        assert reader.read(body) == snapshot_of("web", state)
        assert list(each(body, lambda: None)) == state


@given(JSON, st.text(alphabet='[]{},: "1', max_size=8), st.integers(0, 60))
def test_the_elements_of_whatever_is_answered(body: object, odd: str, at: int) -> None:
    text = json.dumps(body)
    for one in (text, text[:at] + odd + text[at:]):
        try:
            wanted = json.loads(one)
        except ValueError:
            wanted = None
        try:
            found = list(each(one.encode(), lambda: None))
        except ValueError:
            assert not isinstance(wanted, list)
        else:
            assert json.dumps(found) == json.dumps(wanted)


@given(
    st.text(max_size=30)
    | st.from_regex(r"(https?://|unix://|)[\[\]a-z0-9:./@?#%-]{0,20}(:[0-9]{0,6})?", fullmatch=True),
    st.sampled_from(["", "http", "https", "true"]),
)
def test_an_address_that_the_options_take_is_one_that_the_client_takes(address: str, scheme: str) -> None:
    try:
        options = Options(address=address, scheme=scheme)
    except OptionError:
        return
    parse_origin(options.origin)
