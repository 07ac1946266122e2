"""What a watch makes of the files it sees, on a clock that the test turns."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corepilot.discovery.embedded import view as view_module
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.directories import Directories, default_path
from corepilot.discovery.embedded.held import HeldInstance
from corepilot.discovery.embedded.inspection import Inspection, inspect, version_of
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
    assert Path(held.path).exists(), "who sees the lock less well than its holder's friends must not remove it yet"
    assert view.next_inspection_s() == pytest.approx(9.998)
    directory.clock.now += 10
    view.read_unclear()
    assert not Path(held.path).exists()
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


def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened from now on."""
    opened: list[str] = []

    def look(path: str, known: object = None) -> Inspection:
        opened.append(path)
        return inspect(path, known)  # type: ignore[arg-type]

    monkeypatch.setattr(view_module, "inspect", look)
    return opened


def age(directory: Directory) -> None:
    """Wait until what was written is old enough for its version to tell."""
    while any(version_of(file.lstat()) is None for file in directory.path.iterdir()):
        os.sched_yield()


def test_a_file_that_has_not_changed_is_not_opened(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [directory.hold(f"web-{number}", ttl_s=3600) for number in range(10)]
    (directory.path / "README").touch()
    view = directory.view()
    age(directory)
    assert view.read_all(locks=False) == set()
    before = view.snapshot()
    opened = count(monkeypatch)
    assert view.read_all(locks=False) == set()
    assert opened == []
    assert view.snapshot() is before
    held[3].rewrite(replace(held[3].record, status="warning"))
    assert view.read_all(locks=False) == {Path(held[3].path).name}
    assert opened == [held[3].path]
    assert shown(view)["web-3"] == (80, "warning")


def test_what_was_written_just_now_is_read_again(directory: Directory) -> None:
    """Two writes within one tick of the file system's clock leave the same times and the same size."""
    held = directory.hold("web-a")
    status = os.stat(held.path)
    view = directory.view()
    for number in range(1, 100):
        held.rewrite(replace(held.record, status="warning" if number % 2 else "passing", sequence=number))
        os.utime(held.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert view.read_all(locks=False)
        assert shown(view) == {"web-a": (80, "warning" if number % 2 else "passing")}


def test_a_report_that_changes_nothing_makes_no_snapshot(directory: Directory) -> None:
    """Its cost does not depend on how many instances there are."""
    held = [directory.hold(f"web-{number:02}") for number in range(20)]
    view = directory.view()
    before = view.snapshot()
    directory.clock.now += 9
    for one in held:
        one.rewrite(replace(one.record, until=directory.clock() + 10, sequence=1))
        view.read({Path(one.path).name: 0x2}, 0x8)
    assert view.snapshot() is before
    directory.clock.now += 9
    assert view.snapshot() is before
    directory.clock.now += 1
    assert {one.status for one in view.snapshot()} == {"critical"}


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, errno.EACCES, errno.ENOMEM])
def test_only_what_is_not_there_is_gone(directory: Directory, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    held = directory.hold("web-a", ttl_s=3600)
    view = directory.view()

    def refuse(path: str, _known: object = None) -> Inspection:
        raise OSError(error, os.strerror(error), path)

    with monkeypatch.context() as patched:
        patched.setattr(view_module, "inspect", refuse)
        view.read({Path(held.path).name: 0x2}, 0x8)
        assert view.read_all() == set()
        for _ in range(20):
            directory.clock.now += 3
            view.read_unclear()
        assert shown(view) == {"web-a": (80, "passing")}
        with pytest.raises(OSError, match=os.strerror(error)):
            directory.view()
    held.rewrite(replace(held.record, status="warning"))
    directory.clock.now += 3
    view.read_unclear()
    assert shown(view) == {"web-a": (80, "warning")}


def test_a_holder_knows_its_file_where_it_may_not_look(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    held = directory.hold("web-a")

    def refuse(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patched:
        patched.setattr("os.stat", refuse)
        assert held.in_place()
        os.unlink(held.path)
        assert not held.in_place()
    assert not held.in_place()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(file.read_bytes() + b"x" * 100_000),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"y" * 70_000),
    ],
    ids=["grown", "emptied", "overwritten"],
)
def test_a_holder_mends_its_file(directory: Directory, spoil: Callable[[Path], None]) -> None:
    held = directory.hold("web-a")
    file = Path(held.path)
    size = file.stat().st_size
    spoil(file)
    held.rewrite(replace(held.record, status="warning", sequence=1))
    assert file.stat().st_size - size < 100
    assert shown(directory.view()) == {"web-a": (80, "warning")}


def test_what_somebody_adds_to_a_file_does_not_matter(directory: Directory) -> None:
    held = directory.hold("web-a")
    with open(held.path, "ab") as file:
        file.write(b"x" * 100_000)
    assert shown(directory.view()) == {"web-a": (80, "passing")}
    assert directory.ignored == []


def test_many_instances_come_and_go(directory: Directory) -> None:
    """What is kept up to date file by file is what a fresh look shows."""
    dice = random.Random(5)
    view = directory.view()
    held: list[HeldInstance] = []
    for _ in range(300):
        if held and dice.random() < 0.4:
            one = held.pop(dice.randrange(len(held)))
            one.remove()
        else:
            one = directory.hold(f"web-{dice.randrange(30)}", dice.randrange(1, 9), ttl_s=dice.choice((5, 50)))
            held.append(one)
        view.read({Path(one.path).name: 0x200}, 0x8)
        directory.clock.now += dice.random()
        view.read_unclear()
        assert view.snapshot() == directory.view().snapshot()


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


def test_root_in_a_container_of_another_user_has_that_users_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a corepilot of that user's has made what is above it; what root makes there is theirs."""
    user, real = 4321, os.stat

    def stat(path: str, **more: bool) -> os.stat_result:
        found = real(path, follow_symlinks=more.get("follow_symlinks", True))
        return os.stat_result((*found[:4], user, *found[5:])) if path == "/proc/1" else found

    monkeypatch.setattr(os, "stat", stat)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    above = tmp_path / "corepilot"
    assert default_path(environment) == "/var/run/corepilot/catalog", "there is none"
    above.mkdir()
    assert default_path(environment) == "/var/run/corepilot/catalog", "somebody else has made it"
    os.chown(above, user, user)
    catalog = above / "catalog"
    assert default_path(environment) == str(catalog)
    directories = Directories(str(catalog), shared=False, chosen=True)
    directories.of("web").make()
    assert [real(one).st_uid for one in (catalog, catalog / "web")] == [user, user]
    shutil.rmtree(catalog)
    catalog.symlink_to("/etc")
    assert default_path(environment) == "/var/run/corepilot/catalog", "a link leads anywhere"
    directories = Directories(str(tmp_path / "named"), shared=False)
    os.chown(tmp_path, user, user)
    directories.make_root()
    assert real(directories.root).st_uid == 0, "its place was named"


def test_directories_of_services_are_below_the_catalog() -> None:
    assert Directories("/c", shared=False).of("../../etc").path == "/c/%2E.%2F..%2Fetc"
