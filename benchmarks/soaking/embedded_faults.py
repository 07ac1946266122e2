"""What can happen to the embedded catalog: to its directory, its disk, the kernel's limits, and to other holders.

Two of these need a mount and limits of our own. They are had in a user namespace, so that nobody else on the machine
has to suffer; where there may be none, those two are left out, and that is said.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soaking.faults import EVERYTHING, Fault
from stores import SERVICE, Holder, Store

_MARK = "COREPILOT_SOAK_ALONE"
_ALONE = ("unshare", "--user", "--map-root-user", "--mount")
_LIMITS = ("max_inotify_instances", "max_inotify_watches")
_DISK = "2m"


def live_alone() -> None:
    """Begin this program anew in namespaces of its own, if that can be done."""
    if _MARK in os.environ:
        return
    with suppress(OSError):
        if subprocess.run([*_ALONE, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            words = [*_ALONE, sys.executable, *sys.argv]
            os.execvpe(words[0], words, {**os.environ, _MARK: "1"})
    print("  no user namespace can be had: the disk is never full, and inotify never used up")


@contextmanager
def in_directory(one: Store) -> Iterator[tuple[Store, list[Fault]]]:
    """The catalog, on a small disk of its own where that can be had, and what can be done to it."""
    root = Path(one.where)
    faults = [*_of_holders(one), *_of_directory(root)]
    if _MARK not in os.environ:
        yield one, faults
        return
    disk = str(root.parent)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", disk], check=True)
    try:
        yield one, [*faults, _full_disk(root.parent), _no_inotify(root)]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _of_holders(one: Store) -> list[Fault]:
    from members import Member

    holders: list[Holder] = []
    stopped: list[Member] = []

    def stop() -> None:
        wish = {"path": one.where, "service": SERVICE, "id": "stopped", "port": 7, "ttl_s": 1, "beat_s": 0.1}
        stopped.append(Member("holder", wish))
        stopped[-1].until(lambda said: bool(said["held"]))
        stopped[-1].signal(signal.SIGSTOP)

    def wake() -> None:
        with stopped.pop() as member:
            member.signal(signal.SIGCONT)
            time.sleep(0.5)  # it reports again, and is seen again
            member.kill()

    return [
        Fault(
            "another holder killed",
            lambda: holders.append(one.hold(3)),
            lambda: holders.pop().kill(),
            serves=True,
            others=3,
        ),
        Fault("another holder stopped past its stamp", stop, wake, serves=True),
    ]


def _of_directory(root: Path) -> list[Fault]:
    def remove() -> None:
        root.rename(f"{root}-removed")  # all at once

    def clear() -> None:
        shutil.rmtree(f"{root}-removed")

    def litter() -> None:
        for place in (root / SERVICE, root / ".locks", root / ".keys", root):
            if place.is_dir():
                _litter(place)

    def tidy() -> None:
        for place in (root / SERVICE, root / ".locks", root / ".keys", root):
            for path in place.glob("*foreign*"):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                else:
                    path.unlink()

    return [
        Fault("the directory removed", remove, clear, loses=EVERYTHING, serves=True),
        Fault(
            "the service's directory removed",
            lambda: shutil.rmtree(root / SERVICE),
            loses=frozenset({"services"}),
            serves=True,
        ),
        Fault("foreign files", litter, tidy, serves=True),
    ]


def _litter(place: Path) -> None:
    os.mkfifo(place / "foreign-fifo")
    (place / "foreign-directory").mkdir()
    (place / "foreign-link").symlink_to("/etc/passwd")
    (place / "foreign-dangling").symlink_to("/nowhere")
    (place / "foreign").write_text("hello\n")
    (place / "foreign~1").touch()
    (place / ".foreign~1.new").write_bytes(b"corepilot-instance 1 00000000 000000\n")
    (place / "foreign~2").write_text("corepilot-instance 2 00000000 000000\n")
    (place / "foreign~3").write_text("corepilot-lock 1 xyz\n")
    (place / "foreign~4").write_bytes(b"\0" * 100_000)


def _full_disk(place: Path) -> Fault:
    filling = place / "filling"

    def fill() -> None:
        with suppress(OSError), filling.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass

    return Fault("the disk full", fill, filling.unlink)


def _no_inotify(root: Path) -> Fault:
    """The watches that there are go with the directory, and there are no new ones."""
    limits = [Path("/proc/sys/user") / name for name in _LIMITS]
    before = [path.read_text() for path in limits]

    def exhaust() -> None:
        for path in limits:
            path.write_text("0")
        shutil.rmtree(root / SERVICE)

    def restore() -> None:
        for path, text in zip(limits, before, strict=True):
            path.write_text(text)

    return Fault("inotify exhausted", exhaust, restore, loses=frozenset({"services"}), serves=True)
