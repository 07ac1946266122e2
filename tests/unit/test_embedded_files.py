"""What keys' and locks' files say, and what is made of files that are not ours."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepilot.discovery.embedded import key_file, lock_file
from corepilot.discovery.embedded.framing import ForeignRecordError, TornError, frame
from corepilot.discovery.embedded.key_file import KeyFile, may_be_below
from corepilot.discovery.embedded.lock_file import LockRecord
from corepilot.discovery.embedded.names import key_file_name

RECORD = LockRecord("host-1", 10.0, 40.0, "b00f", 0, 7)
part = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=20)
keys = st.lists(part.filter(lambda one: one not in {".", ".."}), min_size=1, max_size=5).map("/".join)


@given(keys, st.binary(max_size=300))
def test_a_key_is_read_as_it_was_written(key: str, value: bytes) -> None:
    file = KeyFile(key, value, key_file.new_version())
    assert key_file.decode(key_file.encode(file)) == file


def test_the_formats_are_what_the_page_says() -> None:
    assert key_file.encode(KeyFile("app/limits", b'{"rps": 50}', "9f3c5d0e77aa1b42")).splitlines()[1:] == [
        b"9f3c5d0e77aa1b42 10",
        b"app/limits",
        b'{"rps": 50}',
    ]
    assert json.loads(lock_file.encode(RECORD).splitlines()[1]) == {
        "holder": "host-1",
        "since": 10.0,
        "until": 40.0,
        "boot": "b00f",
        "sequence": 0,
        "pid": 7,
    }
    assert key_file_name("app/limits") == "app%2Flimits"
    assert lock_file.file_name("primary", 7) == "primary~00000000000000000007"


@given(st.binary(max_size=200))
def test_other_bytes_are_foreign(data: bytes) -> None:
    framed = frame(b"corepilot-key", data)
    for one in (data, framed):
        try:
            found = key_file.decode(one)
        except ForeignRecordError:
            continue
        assert one is framed
        assert data.startswith(f"{found.version} {len(found.key.encode())}\n".encode()) or b"\n" in data
    with pytest.raises((ForeignRecordError, TornError)):
        lock_file.decode(data)


@pytest.mark.parametrize(
    "change",
    [
        {"until": 10**400},
        {"until": math.nan},
        {"until": -1},
        {"until": True},
        {"until": "soon"},
        {"holder": 5},
        {"surplus": 1},
    ],
)
def test_a_lock_with_wrong_values_is_foreign(change: dict[str, object]) -> None:
    plain = json.loads(lock_file.encode(RECORD).splitlines()[1])
    with pytest.raises(ForeignRecordError, match="its record is broken"):
        lock_file.decode(frame(b"corepilot-lock", json.dumps({**plain, **change}).encode()))


@given(keys, keys)
def test_the_name_of_a_file_may_be_below_what_its_key_is_below(prefix: str, rest: str) -> None:
    assert may_be_below(key_file_name(f"{prefix}/{rest}"), prefix)
    assert may_be_below(key_file_name(rest), "")


@given(keys, keys)
def test_names_of_keys_are_safe_and_distinct(first: str, second: str) -> None:
    assert (key_file_name(first) == key_file_name(second)) == (first == second)
    assert "/" not in key_file_name(first)
    assert not key_file_name(first).startswith(".")
    assert len(os.fsencode(key_file_name(first))) <= 255


def test_a_lock_is_told_by_its_name_and_digits(tmp_path: Path) -> None:
    names = ["a~00000000000000000003", "a~00000000000000000012", "ab~00000000000000000099", "a~9", "a~x", "a"]
    names += ["a~\u0663000000000000000000", "b~00000000000000000001", "a~0000000000000000000x"]
    names += ["a~09223372036854775808", f"a~{'9' * 20}"]
    for name in names:
        (tmp_path / name).touch()
    ignored: list[str] = []
    assert lock_file.tokens(str(tmp_path), "a", lambda path, _: ignored.append(path)) == [3, 12]
    assert ignored == [str(tmp_path / name) for name in reversed(names[-2:])]
