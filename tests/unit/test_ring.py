"""The last lines of jobs: what is kept, what is forgotten first, and what a slow reader loses."""

from hypothesis import given
from hypothesis import strategies as st

from corepilot.output.follower import Follower, Lost
from corepilot.output.records import Fields, Records
from corepilot.output.ring import ENTRY_BYTES, SHARE, Ring, names_of

ALL = names_of(())
MIB = 1024 * 1024


def records(job: str, *lines: bytes, at_ns: int = 0) -> Records:
    fields: Fields = (("check" if job.startswith("check.") else "job", job), ("pid", 7))
    return Records(lines, fields, at_ns, 0.0)


def texts(ring: Ring, *jobs: str, since_ns: int = 0, last: int | None = None) -> list[bytes]:
    found = ring.read(names_of(jobs), since_ns=since_ns, last=last)
    return [line for kept in found for line in kept.lines]


def test_lines_of_all_jobs_come_in_the_order_of_their_reading() -> None:
    ring = Ring(MIB)
    for job, line in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("check.a", b"4")):
        ring.take(records(job, line, b""))
    assert texts(ring) == [b"1", b"", b"2", b"", b"3", b"", b"4", b""]
    assert texts(ring, "b") == [b"2", b""]
    assert texts(ring, "a", last=3) == [b"", b"4", b""]
    assert texts(ring, last=0) == []


def test_a_jobs_checks_are_its_own() -> None:
    wanted = names_of(["app"])
    assert [wanted(name) for name in ("app", "check.app", "check.app.db", "check.apple", "apple", "check")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_a_replica_has_its_own_checks() -> None:
    wanted = names_of(["worker@2"])
    names = ("worker@2", "check.worker@2", "check.worker.db@2", "worker@1", "check.worker.db@1", "check.worker.db")
    assert [wanted(name) for name in names] == [True, True, True, False, False, False]


def test_since_is_when_lines_were_read() -> None:
    ring = Ring(MIB)
    for at_ns in (10, 20, 30):
        ring.take(records("a", str(at_ns).encode(), at_ns=at_ns))
    assert texts(ring, since_ns=20) == [b"20", b"30"]


def test_one_that_writes_much_does_not_take_the_place_of_others() -> None:
    ring = Ring(MIB)
    ring.take(records("quiet", b"here"))
    for number in range(10_000):
        ring.take(records("loud", b"x" * 1000 + str(number).encode()))
    assert texts(ring, "quiet") == [b"here"]
    assert texts(ring, "loud")[-1].endswith(b"9999")
    assert ring.size <= MIB // SHARE + 1000


def test_a_batch_that_is_too_large_leaves_its_last_lines() -> None:
    ring = Ring(8 * ENTRY_BYTES)
    ring.take(records("a", b"x" * 1000, b"last"))
    assert texts(ring) == [b"last"]
    ring.take(records("b", b"x" * 1000))
    assert texts(ring) == [b"last"]


def test_nothing_is_kept_where_nothing_is_to_be() -> None:
    ring = Ring(0)
    ring.take(records("a", b"1"))
    assert (texts(ring), ring.size) == ([], 0)


def test_another_size_holds_at_once() -> None:
    ring = Ring(MIB)
    for number in range(1000):
        ring.take(records(f"job-{number % 10}", b"x" * 100))
    ring.resize(20_000)
    assert 0 < ring.size <= 20_000
    ring.resize(0)
    assert (texts(ring), ring.size) == ([], 0)


LINE = st.binary(max_size=300).map(lambda text: text.replace(b"\n", b""))


@given(
    st.integers(0, 6000),
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.lists(LINE, min_size=1, max_size=5))),
)
def test_it_is_bounded_and_keeps_the_last_in_order(limit: int, batches: list[tuple[str, list[bytes]]]) -> None:
    ring = Ring(limit)
    written: dict[str, list[bytes]] = {}
    for job, lines in batches:
        ring.take(records(job, *lines))
        written.setdefault(job, []).extend(lines)
        assert ring.size <= limit
        kept = ring.read(ALL)
        assert sum(one.size for one in kept) == ring.size
        assert [one.number for one in kept] == sorted(one.number for one in kept)
    for job, lines in written.items():
        found = texts(ring, job)
        assert not found or all(line in lines for line in found)


def test_a_reader_that_is_too_slow_loses_lines_and_is_told_where() -> None:
    woken: list[None] = []
    follower: Follower[str] = Follower(lambda: woken.append(None), 20)
    for item in ("1", "2", "3", "4"):
        follower.put(item, 10, 3)
    assert len(woken) == 4
    assert [follower.next(), follower.next(), follower.next(), follower.next()] == ["1", "2", 6, None]
    assert isinstance(Lost(6), int)
    follower.put("5", 20, 1)
    assert [follower.next(), follower.next()] == ["5", None]
