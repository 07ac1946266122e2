"""Lines that a job writes, in a log of JSON that passes objects through: one record each, with the log's own fields."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from corepilot.output.structure import passed_through

OWN: dict[str, str | int] = {"job": "app", "pid": 7, "stream": "stdout"}
FIELDS = tuple(OWN.items())
NAMES = (
    st.sampled_from(["job", "pid", "time", "level", "msg", "stream", "data", "severity", "message", "x"]) | st.text()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def records(*lines: bytes) -> list[dict[str, Any]]:
    block = passed_through(lines, FIELDS, 1_000_000_000)
    found = [json.loads(line) for line in block.decode().split("\n")[:-1]]
    assert len(found) == len(lines)
    for one in found:
        assert {name: one[name] for name in OWN} == OWN
        assert one["time"].startswith("1970-01-01T")
        assert one["level"] in {"debug", "info", "warning", "error", "fatal", "panic"}
    return found


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=4), st.booleans())
def test_an_object_is_what_it_was(objects: list[dict[str, Any]], ascii_only: bool) -> None:  # noqa: FBT001
    lines = [json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for one in objects]
    for one, record in zip(objects, records(*lines), strict=True):
        if "data" in record:
            assert record["data"] == one
            assert record["msg"] in [one.get("msg"), one.get("message"), ""]
        else:  # a lone surrogate is no UTF-8
            assert not ascii_only


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=5))
def test_any_other_line_is_text(lines: list[bytes]) -> None:
    for line, record in zip(lines, records(*lines), strict=True):
        assert "data" in record or record["msg"] == line.decode("utf-8", "backslashreplace")


@given(st.text(alphabet='{}[]":,0123456789.eE+-truefalsn \\u', max_size=40).map(lambda text: f"{{{text}}}".encode()))
def test_what_is_nearly_an_object_makes_no_broken_record(line: bytes) -> None:
    records(line)
