"""An instance of inotify: it is closed without watches, since the close waits for those."""

import os
from contextlib import suppress
from pathlib import Path

import gevent
import pytest

from corepilot.system.inotify import IN_DELETE_SELF, Notifications


def instances() -> set[int]:
    """The descriptors of ours that are instances of inotify."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            if os.readlink(one) == "anon_inode:inotify":
                found.add(int(one.name))
    return found


def watches(descriptor: int) -> int:
    return Path(f"/proc/self/fdinfo/{descriptor}").read_text().count("inotify wd:")


def test_no_watch_is_left_when_it_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").touch()
    (tmp_path / "there").touch()
    loop = gevent.get_hub().loop
    before = instances()
    notifications = Notifications(loop, lambda: None)
    [descriptor] = instances() - before
    for name in (".", "there", "gone"):
        notifications.add(str(tmp_path / name), IN_DELETE_SELF)
    (tmp_path / "gone").unlink()
    assert watches(descriptor) == 2
    left = []
    close = os.close

    def closing(fd: int) -> None:
        if fd == descriptor:
            left.append(watches(fd))
        close(fd)

    monkeypatch.setattr(os, "close", closing)
    notifications.close()
    notifications.close()
    assert left == [0]
    notifications.remove(1)
