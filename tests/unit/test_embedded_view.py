"""What a watch makes of the files it sees, on a clock that the test turns."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.directories import Directories, default_path
from corepilot.discovery.embedded.held import HeldInstance
from corepilot.discovery.embedded.record import Record
from corepilot.discovery.embedded.tidy import sweep
from corepilot.discovery.embedded.view import View
from corepilot.model.service import Query, Registration


class Clock(BootClock):
    def __init__(self) -> None:
        self.boot = "this boot"
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Directory:
    """A service's directory with holders in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.held: list[HeldInstance] = []
        self.ignored: list[str] = []

    def hold(self, instance_id: str, port: int = 80, *, boot: str = "this boot", ttl_s: int = 10) -> HeldInstance:
        registration = Registration(instance_id, "web", "10.0.0.1", port, ttl_s=ttl_s)
        record = Record.of(registration, "passing", "", now=self.clock(), boot=boot, pid=1)
        held = HeldInstance.create(str(self.path), record, readable_by_all=False)
        self.held.append(held)
        return held

    def view(self, tag: str = "") -> View:
        view = View(str(self.path), Query("web", tag), self.clock, lambda path, _reason: self.ignored.append(path))
        view.read_all()
        return view


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    one = Directory(tmp_path)
    yield one
    for held in one.held:
        held.release()


def shown(view: View) -> dict[str, tuple[int, str]]:
    return {one.id: (one.port, one.status) for one in view.snapshot()}


def test_a_stamp_lapses(directory: Directory) -> None:
    held = directory.hold("web-a")
    view = directory.view()
    assert view.next_inspection_s() == 10
    directory.clock.now += 9.9
    assert shown(view) == {"web-a": (80, "passing")}
    directory.clock.now += 0.1
    assert shown(view) == {"web-a": (80, "critical")}
    assert view.next_inspection_s() is None
    held.rewrite(replace(held.record, until=directory.clock() + 10, sequence=1))
    assert view.read_all() == {Path(held.path).name}
    assert shown(view) == {"web-a": (80, "passing")}


def test_a_stamp_of_another_boot_counts_from_when_it_was_seen(directory: Directory) -> None:
    held = directory.hold("web-a", boot="another boot")
    held.rewrite(replace(held.record, until=1.0))
    directory.clock.now += 1000
    view = directory.view()
    directory.clock.now += 9
    assert shown(view) == {"web-a": (80, "passing")}
    directory.clock.now += 1
    assert shown(view) == {"web-a": (80, "critical")}
    held.rewrite(replace(held.record, sequence=1))
    view.read_all()
    assert shown(view) == {"web-a": (80, "passing")}


def test_the_later_of_two_counts_while_it_lives(directory: Directory) -> None:
    directory.hold("web-a", 1)
    directory.clock.now += 1
    later = directory.hold("web-a", 2)
    view = directory.view()
    assert shown(view) == {"web-a": (2, "passing")}
    later.release()
    view.read_all()
    assert shown(view) == {"web-a": (1, "passing")}


def test_a_close_that_came_before_the_lock_was_free_is_looked_at_again(directory: Directory) -> None:
    held = directory.hold("web-a")
    view = directory.view()
    view.read({Path(held.path).name: 0x8}, 0x8)
    assert shown(view) == {"web-a": (80, "passing")}
    assert view.next_inspection_s() == pytest.approx(0.002)
    held.release()
    directory.clock.now += 0.002
    view.read_unclear()
    assert shown(view) == {}
    assert view.next_inspection_s() is None


def test_a_holder_that_lives_is_not_looked_at_for_ever(directory: Directory) -> None:
    held = directory.hold("web-a", ttl_s=3600)
    view = directory.view()
    view.read({Path(held.path).name: 0x8}, 0x8)
    for _ in range(10):
        directory.clock.now += 3
        view.read_unclear()
    assert view.unclear == frozenset()
    assert shown(view) == {"web-a": (80, "passing")}


def spoil(held: HeldInstance) -> None:
    """As a reader sees it while its holder writes."""
    data = Path(held.path).read_bytes()
    with open(held.path, "r+b") as file:
        file.write(data[:-20] + b"x" * 20)


def test_half_a_record_is_not_a_moment_without_the_instance(directory: Directory) -> None:
    held = directory.hold("web-a", ttl_s=3600)
    view = directory.view()
    spoil(held)
    assert view.read_all() == set()
    assert shown(view) == {"web-a": (80, "passing")}
    assert view.unclear == {Path(held.path).name}
    held.rewrite(replace(held.record, status="warning"))
    directory.clock.now += 0.002
    view.read_unclear()
    assert shown(view) == {"web-a": (80, "warning")}
    assert not view.unclear
    assert directory.ignored == []


def test_what_stays_half_a_record_is_broken(directory: Directory) -> None:
    held = directory.hold("web-a", ttl_s=3600)
    view = directory.view()
    spoil(held)
    view.read_all()
    for _ in range(10):
        directory.clock.now += 3
        view.read_unclear()
    assert shown(view) == {}
    assert directory.ignored == [held.path]
    held.rewrite(replace(held.record, sequence=1))
    view.read({Path(held.path).name: 0x2}, 0x8)
    assert shown(view) == {"web-a": (80, "passing")}


def test_what_the_dead_have_left_is_swept(directory: Directory) -> None:
    alive = directory.hold("web-alive", ttl_s=3600)
    directory.hold("web-lapsed", ttl_s=1).release()
    fresh = directory.hold("web-fresh", ttl_s=3600)
    fresh.release()
    torn = directory.hold("web-torn", ttl_s=3600)
    spoil(torn)
    torn.release()
    staged = directory.path / ".web-staged~00.new"
    staged.touch()
    foreign = directory.path / "README"
    foreign.touch()
    directory.clock.now += 2
    now = alive.created_at
    sweep(str(directory.path), directory.clock, now)
    left = {Path(alive.path), Path(fresh.path), Path(torn.path), staged, foreign}
    assert set(directory.path.iterdir()) == left
    sweep(str(directory.path), directory.clock, now + 3600)
    assert set(directory.path.iterdir()) == {Path(alive.path), Path(fresh.path), foreign}


def test_root_has_a_default_directory_and_others_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_path({"XDG_RUNTIME_DIR": "/run/user/0"}) == "/var/run/corepilot/catalog"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_path({"XDG_RUNTIME_DIR": "/run/user/1000"}) == "/run/user/1000/corepilot/catalog"
    assert default_path({"XDG_RUNTIME_DIR": "relative"}) == "/tmp/corepilot-1000/catalog"
    assert default_path({}) == "/tmp/corepilot-1000/catalog"


def test_directories_of_services_are_below_the_catalog() -> None:
    assert Directories("/c", shared=False).of("../../etc") == "/c/%2E.%2F..%2Fetc"
