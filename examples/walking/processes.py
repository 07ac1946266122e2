"""Processes below this one: whom a walk kills, and who is left at the end."""

import contextlib
import ctypes
import os
import signal
import socket
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, prctl(2): `left_behind` sees them wherever they went."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """All processes below one, zombies included, parents first."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *descendants(child)]
    return found


def command_line(pid: int) -> str:
    """The program and its arguments; "" of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def find(pid: int, words: str) -> list[int]:
    """The processes below one whose command line has these words."""
    return [one for one in descendants(pid) if words in command_line(one)]


def left_behind() -> list[str]:
    """Kill every process that is still below this one; returns their pids and command lines."""
    left = []
    for pid in descendants(os.getpid()):
        if words := command_line(pid):  # a zombie has none
            left.append(f"{pid} ({words})")
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    return left


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_or_another(port: int) -> int:
    """This port if nobody has it, else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return int(probe.getsockname()[1])
