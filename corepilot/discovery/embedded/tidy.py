"""Removing what the dead have left: only tidiness, nothing depends on it."""

import os
from collections.abc import Callable
from contextlib import suppress

from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.held import STAGED
from corepilot.discovery.embedded.inspection import Inspection, RecordState, inspect

_ABANDONED_S = 60.0
"""A staged file has its final name within milliseconds, and a write takes less; what is this old lost its maker."""


def remove(path: str, found: Inspection, clock: BootClock) -> None:
    """Remove what a dead holder has left, as far as we may: in a sticky directory, only its owner can.

    It waits until the stamp has lapsed too. Whoever looks through a file system that hides
    the holder's lock, such as an overlay over the holder's directory, takes a living instance for a dead one; it must
    not take it away from those who see better.

    Args:
        path: The file.
        found: What a look at it has shown.
        clock: Of the stamps.
    """
    record = found.record
    if (
        found.state is RecordState.DEAD
        and record is not None
        and not (record.boot == clock.boot and clock() < record.until)
    ):
        with suppress(OSError):
            os.unlink(path)


def sweep_staged(directory: str, now: float) -> None:
    """Remove the files whose makers have died before they could give them their names.

    Args:
        directory: Where.
        now: As for `sweep`.

    Raises:
        OSError: it cannot be listed.
    """
    for name in os.listdir(directory):
        if name.startswith(".") and name.endswith(STAGED):
            path = os.path.join(directory, name)
            with suppress(OSError):
                if now - os.lstat(path).st_mtime > _ABANDONED_S:
                    os.unlink(path)  # a maker that only slept finds it gone, and starts again


def sweep(directory: str, clock: BootClock, now: float, breathe: Callable[[], None] = lambda: None) -> None:
    """Remove all that dead holders have left in a directory.

    Args:
        directory: The directory of a service.
        clock: Of the stamps.
        now: The file system's clock: the modification time of a file written just now.
        breathe: Called between two files; may let others run.

    Raises:
        OSError: it cannot be listed.
    """
    sweep_staged(directory, now)
    for name in os.listdir(directory):
        if not name.startswith("."):
            breathe()
            path = os.path.join(directory, name)
            with suppress(OSError):
                found = inspect(path)
                remove(path, found, clock)
                if (
                    found.state is RecordState.DEAD
                    and found.record is None
                    and now - os.lstat(path).st_mtime > _ABANDONED_S
                ):
                    os.unlink(path)
