"""What the kernel tells of one path."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from http_script import eventually_switching

from corepilot.system.path_watch import PathWatch


class Told:
    """Counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "above" / "directory").mkdir(parents=True)
    made = tmp_path / "above" / "directory" / "file"
    made.write_text("")
    return made


@pytest.fixture
def told(file: Path) -> Iterator[Told]:
    counted = Told()
    watch = PathWatch(gevent.get_hub().loop, str(file), counted)
    yield counted
    watch.close()
    watch.close()


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("")
    other.rename(file)


HARMS: dict[str, Callable[[Path], object]] = {
    "removed": lambda file: file.unlink(),
    "moved": lambda file: file.rename(file.with_name("moved")),
    "replaced": replace,
    "its directory is moved": lambda file: file.parent.rename(file.parent.with_name("moved")),
    "a directory further up is moved": lambda file: file.parent.parent.rename(file.parent.parent.with_name("moved")),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_takes_a_file_from_its_path_is_told(file: Path, told: Told, harm: str) -> None:
    with file.open():  # as a socket that is bound keeps its file, which then is not deleted as long as it is open
        HARMS[harm](file)
        eventually_switching(lambda: told.times)


def test_nothing_is_told_of_other_files_in_the_directories(file: Path, told: Told) -> None:
    for directory in (file.parent, file.parent.parent):
        (directory / "other").write_text("")
        (directory / "other").rename(directory / "third")
        (directory / "third").unlink()
    HARMS["removed"](file)
    eventually_switching(lambda: told.times)
    assert told.times == 1


def test_without_the_file_there_is_no_watch_and_nothing_stays_open(file: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        PathWatch(gevent.get_hub().loop, str(file.with_name("none")), Told())
    assert os.listdir("/proc/self/fd") == before
