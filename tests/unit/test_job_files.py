"""Files of jobs' own: rotation, reopening, and what a disk that fails costs."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from eventually import eventually

from corepilot.model.command import OutputFile
from corepilot.output.files import JobFiles
from corepilot.output.job_file import QUEUE_MAX_BYTES


class World:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.files = JobFiles(gevent.get_hub().loop, lambda _level, text: self.lines.append(text))

    def close(self) -> bool:
        return self.files.close(20)

    def until_told(self, text: str) -> None:
        def told() -> bool:
            gevent.sleep(0.01)
            return any(text in line for line in self.lines)

        eventually(told, message=f"{text!r} in {self.lines}")

    def until_lost(self, lost_bytes: int) -> None:
        def lost() -> bool:
            gevent.sleep(0.01)
            return self.files.lost_bytes == lost_bytes

        eventually(lost, message=f"{lost_bytes} bytes are lost")


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.close()


def test_what_is_written_is_there_and_is_appended(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    file = world.files.open(OutputFile(str(path)))
    file.write(b"1\n2\n")
    file.write(b"3\n")
    file.close()
    assert world.close()
    assert path.read_bytes() == b"before\n1\n2\n3\n"
    assert world.lines == []


def test_two_spellings_of_a_path_are_one_file(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [world.files.open(OutputFile(path)) for path in ("log", "./log", f"{tmp_path}//log", str(tmp_path / "log"))]
    assert len(set(map(id, files))) == 1
    assert world.files.open(OutputFile("other/../log")) is not files[0], "other may be a link"


def test_a_file_is_renamed_before_a_line_that_would_not_fit(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = world.files.open(OutputFile(str(path), max_bytes=10, keep=2))
    file.write(b"".join(b"%04d\n" % number for number in range(9)))
    file.close()
    assert world.close()
    found = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert found == {"log": b"0008\n", "log.1": b"0006\n0007\n", "log.2": b"0004\n0005\n"}


def test_a_line_that_is_longer_than_the_file_may_be_has_one_to_itself(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = world.files.open(OutputFile(str(path), max_bytes=10, keep=5))
    file.write(b"1\n" + b"x" * 50 + b"\n2\n")
    file.close()
    assert world.close()
    assert [(tmp_path / name).read_bytes() for name in ("log.2", "log.1", "log")] == [b"1\n", b"x" * 50 + b"\n", b"2\n"]


def test_with_none_kept_it_is_emptied(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = world.files.open(OutputFile(str(path), max_bytes=6, keep=0))
    file.write(b"1234\n5678\n")
    file.close()
    assert world.close()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("log", b"5678\n")]


def test_without_a_size_it_grows(world: World, tmp_path: Path) -> None:
    file = world.files.open(OutputFile(str(tmp_path / "log"), max_bytes=0))
    file.write(b"x\n" * 100_000)
    file.close()
    assert world.close()
    assert (tmp_path / "log").stat().st_size == 200_000


def test_reopening_goes_on_in_a_new_file(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = world.files.open(OutputFile(str(path)))
    file.write(b"1\n")
    eventually(path.exists, message="the file")
    eventually(lambda: path.read_bytes() == b"1\n", message="the line")
    path.rename(tmp_path / "moved")
    file.write(b"2\n")
    world.files.reopen()
    file.write(b"3\n")
    assert world.close()
    assert (tmp_path / "moved").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


def test_a_file_that_somebody_has_removed_is_made_again_when_it_would_be_renamed(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = world.files.open(OutputFile(str(path), max_bytes=10, keep=2))
    file.write(b"0001\n0002\n")
    eventually(lambda: path.exists() and path.stat().st_size == 10, message="the lines")
    path.unlink()
    file.write(b"0003\n0004\n0005\n")
    file.close()
    assert world.close()
    found = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert found == {"log": b"0005\n", "log.1": b"0003\n0004\n"}
    assert world.lines == []


def test_runs_that_share_a_path_share_the_file(world: World, tmp_path: Path) -> None:
    settings = OutputFile(str(tmp_path / "log"))
    first, second = world.files.open(settings), world.files.open(settings)
    assert first is second
    first.close()
    second.write(b"2\n")
    second.close()
    third = world.files.open(settings)
    third.write(b"3\n")
    third.close()
    assert world.close()
    assert (tmp_path / "log").read_bytes() == b"2\n3\n"
    assert not [fd for fd in os.listdir("/proc/self/fd") if _leads_to(fd, tmp_path / "log")]


def _leads_to(fd: str, path: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == str(path)
    except FileNotFoundError:
        return False


def test_a_full_disk_costs_lines_that_are_counted_and_told(world: World, tmp_path: Path) -> None:
    full = world.files.open(OutputFile("/dev/full"))
    fine = world.files.open(OutputFile(str(tmp_path / "fine")))
    for _ in range(3):
        full.write(b"lost\n")
        fine.write(b"here\n")
    world.until_told("the file /dev/full: cannot write to it: No space left on device; ")
    assert world.close()
    assert full.all_lost_bytes == world.files.lost_bytes == 15
    assert world.lines[-1].endswith("; 15 bytes lost so far")
    assert (tmp_path / "fine").read_bytes() == b"here\n" * 3


def test_a_file_that_each_run_opens_is_told_of_once_and_all_that_it_costs_is_counted(world: World) -> None:
    for number in range(1, 21):
        file = world.files.open(OutputFile("/dev/full"))
        file.write(b"lost\n")
        file.close()
        world.until_lost(number * 5)
    assert len(world.lines) == 1
    assert world.close()
    assert world.files.lost_bytes == 100
    assert world.lines[1:] == ["the file /dev/full: cannot write to it: No space left on device; 100 bytes lost so far"]


def test_what_a_full_disk_has_taken_of_a_line_does_not_tear_the_next_one(world: World, tmp_path: Path) -> None:
    path, most = tmp_path / "log", 1024 * 1024
    path.touch()
    os.truncate(path, most - 3)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = world.files.open(OutputFile(str(path)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        file.write(b"first\n")
        world.until_told("; 3 bytes lost so far")
        file.write(b"lost\n")
        world.until_lost(3 + 5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.write(b"second\n")
    file.close()
    assert world.close()
    assert path.read_bytes().lstrip(b"\0") == b"fir\nsecond\n"
    assert world.files.lost_bytes == 3 + 5


def test_a_directory_that_comes_later_is_found(world: World, tmp_path: Path) -> None:
    path = tmp_path / "later" / "log"
    file = world.files.open(OutputFile(str(path)))
    file.write(b"lost\n")
    world.until_told("cannot open it: No such file or directory; 5 bytes lost so far")
    path.parent.mkdir()

    def written() -> bool:
        file.write(b"here\n")
        gevent.sleep(0.05)
        return path.exists() and b"here\n" in path.read_bytes()

    eventually(written, message="the file")


def test_runs_one_after_the_other_have_one_queue_before_a_disk_that_does_not_get_on(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for _ in range(12 * QUEUE_MAX_BYTES // 65_536):  # as many runs
            file = world.files.open(OutputFile(str(path)))
            file.write(b"x" * 65_535 + b"\n")
            file.close()
        assert world.files.lost_bytes >= 2 * QUEUE_MAX_BYTES
        assert not world.files.close(0.01)
    finally:
        os.close(reader)


def test_a_disk_that_does_not_get_on_holds_up_nobody_for_ever(world: World, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = world.files.open(OutputFile(str(path)))
        block = b"x" * 65_535 + b"\n"
        for _ in range(QUEUE_MAX_BYTES // len(block) + 2):
            file.write(block)
        assert file.congested
        eventually(lambda: not file.congested, message="it is taken for stuck")
        file.write(block)
        world.until_told("the disk does not keep up; 65536 bytes lost so far")
        assert not world.files.close(0.01)
    finally:
        os.close(reader)


def test_where_a_file_cannot_be_renamed_it_grows(world: World, tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    file = world.files.open(OutputFile(str(path), max_bytes=4, keep=1))
    file.write(b"123\n456\n789\n")
    world.until_told("cannot rename it: Is a directory; it grows beyond its size")
    assert world.close()
    assert path.read_bytes() == b"123\n456\n789\n"
