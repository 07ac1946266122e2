"""The file format, the file names and the clock of the embedded catalog."""

import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.discovery.embedded import clock
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.names import directory_name, new_file_name
from corepilot.discovery.embedded.record import (
    LIMIT_BYTES,
    LONGEST_S,
    ForeignRecordError,
    Record,
    TornError,
    decode,
    encode,
)
from corepilot.model.service import Registration

RECORD = Record.of(
    Registration("web-a", "web", "10.0.0.1", 80, ("blue", "grün"), 10, notes="for people"),
    "passing",
    "all is well",
    now=1234.5,
    boot="b00f",
    pid=7,
)
texts = st.text(max_size=60)
surrogates = st.text(st.characters(), max_size=60)


def test_the_format_is_what_the_page_says() -> None:
    header, payload = encode(RECORD).split(b"\n")[:2]
    assert header == b"corepilot-instance 1 %08x %06d" % (crc32(payload), len(payload))
    assert json.loads(payload) == {
        "id": "web-a",
        "service": "web",
        "address": "10.0.0.1",
        "port": 80,
        "tags": ["blue", "grün"],
        "notes": "for people",
        "status": "passing",
        "output": "all is well",
        "since": 1234.5,
        "until": 1244.5,
        "valid_for_s": 10,
        "boot": "b00f",
        "sequence": 0,
        "pid": 7,
    }


records = st.builds(
    replace,
    st.just(RECORD),
    id=texts,
    service=texts,
    output=surrogates,
    tags=st.lists(texts).map(tuple),
    port=st.integers(1, 65535),
    until=st.floats(0, LONGEST_S),
)


@given(records)
def test_what_is_written_is_read(record: Record) -> None:
    assert decode(encode(record)) == record
    assert decode(encode(record, 10_000)) == record


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 4000))
def test_half_of_one_and_half_of_another_is_neither(first: int, second: int, cut: int) -> None:
    old = encode(replace(RECORD, output="a" * first))
    new = encode(replace(RECORD, output="b" * second, sequence=1), len(old))
    mixed = new[:cut] + old[cut:]
    try:
        assert decode(mixed) in {decode(old), decode(new)}
    except TornError:
        assert mixed not in {old, new}


@given(st.binary(max_size=200))
def test_other_bytes_are_foreign(data: bytes) -> None:
    with pytest.raises(ForeignRecordError):
        decode(data)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"port": "80"},
        {"port": True},
        {"until": "soon"},
        {"tags": [1]},
        {"tags": None},
        {"id": 5},
        {"surplus": 1},
        *({name: 10**400} for name in ("port", "since", "until", "valid_for_s", "sequence", "pid")),
        *({name: -1} for name in ("port", "since", "until", "valid_for_s", "sequence", "pid")),
        *({name: math.nan} for name in ("port", "since", "until", "valid_for_s", "sequence", "pid")),
        *({name: math.inf} for name in ("port", "since", "until", "valid_for_s", "sequence", "pid")),
        *({name: True} for name in ("port", "since", "until", "valid_for_s", "sequence", "pid")),
        {"port": 0},
        {"port": 65536},
        {"until": 1e300},
        {"sequence": 1.5},
        {"notes": 1},
        {"output": None},
        {"boot": 7},
        {"tags": {"a": 1}},
        {"id": ["x"]},
    ],
)
def test_a_record_with_wrong_values_is_foreign(change: dict[str, object]) -> None:
    payload = json.dumps({**asdict(RECORD), **change}).encode()
    data = b"corepilot-instance 1 %08x %06d\n%s\n" % (crc32(payload), len(payload), payload)
    with pytest.raises(ForeignRecordError, match="its record is broken"):
        decode(data)


def test_a_record_has_a_greatest_length() -> None:
    with pytest.raises(ValueError, match=f"at most {LIMIT_BYTES} are allowed"):
        encode(replace(RECORD, notes="x" * LIMIT_BYTES))


@given(st.lists(surrogates, unique=True, max_size=20))
def test_directory_names_are_safe_and_distinct(services: list[str]) -> None:
    names = [directory_name(service) for service in services]
    assert len(set(names)) == len(names)
    for name in names:
        assert name
        assert "/" not in name
        assert "\0" not in name
        assert not name.startswith(".")
        assert len(os.fsencode(name)) <= 255


def test_directory_names_of_usual_services_are_their_names() -> None:
    assert directory_name("hello-world2") == "hello-world2"
    assert directory_name("../etc") == "%2E.%2Fetc"
    assert directory_name("x" * 300) != directory_name("x" * 301)


@given(surrogates)
def test_file_names_are_safe_and_never_the_same(instance_id: str) -> None:
    first, second = new_file_name(instance_id), new_file_name(instance_id)
    assert first != second
    assert not first.startswith(".")
    assert "/" not in first
    assert len(first) <= 200


def test_the_clock_takes_the_shift_of_a_time_namespace_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = tmp_path / "timens_offsets"
    offsets.write_text("monotonic           0         0\nboottime      1000  500000000\n")
    plain = BootClock()
    monkeypatch.setattr(clock, "_OFFSETS", str(offsets))
    assert 1000 <= plain() - BootClock()() < 1001


def test_the_clock_does_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_OFFSETS", "/nowhere")
    monkeypatch.setattr(clock, "_BOOT_ID", "/nowhere")
    one = BootClock()
    assert one.boot == ""
    assert one() > 0
