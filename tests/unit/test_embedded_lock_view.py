"""What a watch makes of a lock's files, on a clock that the test turns."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.held_lock import HeldLock
from corepilot.discovery.embedded.lock_file import LockRecord, file_name
from corepilot.discovery.embedded.lock_view import LockView


class Clock(BootClock):
    def __init__(self) -> None:
        self.boot = "this boot"
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Lock:
    """A lock's directory with holders in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.held: list[HeldLock] = []
        self.view = LockView(str(path), "a", self.clock, lambda *_: None)

    def hold(self, token: int, holder: str, ttl_s: float = 10.0, boot: str = "this boot") -> HeldLock:
        record = LockRecord(holder, self.clock(), self.clock() + ttl_s, boot, 0, 1)
        path = str(self.path / file_name("a", token))
        self.held.append(HeldLock.create(path, token, record, ttl_s, readable_by_all=False))
        return self.held[-1]

    def told(self, token: int, mask: int = 0x2) -> tuple[str, ...]:
        """What is shown after an event."""
        self.view.read({file_name("a", token): mask}, 0x8)
        return self.view.snapshot()


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Lock]:
    one = Lock(tmp_path)
    yield one
    for held in one.held:
        held.drop()


def test_the_highest_token_counts(lock: Lock) -> None:
    assert lock.view.read_all() == set()
    assert lock.view.snapshot() == ()
    lock.hold(1, "one")
    assert lock.told(1) == ("one",)
    lock.hold(2, "two")
    assert lock.told(2) == ("two",)
    lock.held[1].release()
    assert lock.told(2, 0xA) == (), "a released lock is free, whatever older files there are"


def test_a_stamp_lapses_and_that_is_no_change_of_a_file(lock: Lock) -> None:
    lock.hold(1, "one")
    assert lock.view.read_all() == {file_name("a", 1)}
    assert lock.view.next_inspection_s() == 10
    lock.clock.now += 10
    assert lock.view.read_all() == set()
    assert lock.view.snapshot() == ()
    assert lock.view.next_inspection_s() is None
    lock.held[0].keep(lock.clock() + 10, 10)
    assert lock.told(1) == ("one",)


def test_a_death_frees_a_lock_when_its_stamp_lapses(lock: Lock) -> None:
    lock.hold(1, "one")
    lock.view.read_all()
    lock.held[0].drop()
    assert lock.told(1, 0x8) == ("one",)
    looks = 0
    while lock.clock.now < 109.9:
        assert lock.view.snapshot() == ("one",)
        pause_s = lock.view.next_inspection_s()
        assert pause_s is not None
        lock.clock.now += max(pause_s, 0.001)
        lock.view.read_unclear()
        looks += 1
    assert lock.clock.now == pytest.approx(110)
    assert lock.view.snapshot() == ()
    assert looks < 10
    assert lock.view.next_inspection_s() is None


def test_a_file_that_nobody_holds_and_nobody_stamped_is_free(lock: Lock) -> None:
    """Somebody has died between making and stamping it."""
    lock.hold(1, "one")
    (lock.path / file_name("a", 2)).touch()
    assert lock.told(2) == ()


def test_a_living_holder_with_another_boot_id_runs_on_our_kernel(lock: Lock) -> None:
    """Its death is told before it is over, so it is looked at again."""
    lock.hold(1, "one", boot="another")
    assert lock.told(1, 0x8) == ("one",)
    assert lock.view.next_inspection_s() == pytest.approx(0.002)
    lock.held[0].drop()
    lock.clock.now += 0.002
    lock.view.read_unclear()
    assert lock.view.snapshot() == ()
    assert lock.view.next_inspection_s() is None


def test_what_cannot_be_read_stays_until_it_lapses(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is looked at now and then, not without a pause."""
    lock.hold(1, "one")
    lock.view.read_all()

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("corepilot.discovery.embedded.lock_view.inspect", refuse)
    assert lock.told(1) == ("one",)
    looks = 0
    while lock.clock.now < 120:
        pause_s = lock.view.next_inspection_s()
        assert pause_s is not None
        lock.clock.now += max(pause_s, 0.001)
        lock.view.read_unclear()
        looks += 1
    assert lock.view.snapshot() == ()
    assert looks < 30


def test_half_a_record_is_looked_at_again(lock: Lock) -> None:
    held = lock.hold(1, "one")
    lock.view.read_all()
    file = Path(held.path)
    data = file.read_bytes()
    with file.open("r+b") as torn:
        torn.write(data[:-20] + b"x" * 20)
    assert lock.told(1) == ("one",)
    assert lock.view.unclear == {file.name}
    held.keep(lock.clock() + 20, 20)
    lock.clock.now += 0.002
    lock.view.read_unclear()
    assert lock.view.snapshot() == ("one",)
    lock.clock.now += 10
    lock.view.read_unclear()
    assert lock.view.snapshot() == ("one",), "the new stamp counts"


def test_a_claim_that_is_taken_back_leaves_no_file(lock: Lock) -> None:
    held = lock.hold(3, "three")
    held.withdraw()
    held.withdraw()
    assert list(lock.path.iterdir()) == []
    lock.view.read_all()
    assert lock.view.snapshot() == ()
