"""Control groups of version 2 (cgroups(7)), one for each job that asks for it: all of it can be found and killed.

A process cannot leave its control group by a session of its own, by another environment, or by the death of its
parents, and one write kills all of it at once, also what is forked meanwhile (cgroup.kill, Linux 5.14). The launcher
enters the group before it becomes the job's program, so that nothing has been forked outside. Imported
only for a job that asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

_PID_NAMESPACE = "/proc/self/ns/pid"
_ROOT, _POINT, _OPTIONAL = 3, 4, 6
"""Where a line of mountinfo (proc_pid_mountinfo(5)) has them; what is optional ends with a dash."""


class ControlGroup:
    """The control group of one job. It is made by the launcher.

    Args:
        path: Its directory.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def pids(self) -> set[int]:
        """The processes in it and in groups that the job has made below it, zombies left out; none without a group."""
        found: set[int] = set()
        for path, _, _ in os.walk(self.path):
            with suppress(OSError), open(f"{path}/cgroup.procs", "rb", 0) as file:
                found.update([int(word) for word in file.read().split()])
        return found - {0}  # those of another PID namespace

    def kill(self) -> None:
        """Kill all of it, and what it forks meanwhile."""
        with suppress(OSError):
            descriptor = os.open(f"{self.path}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, b"1")
            finally:
                os.close(descriptor)

    def remove(self) -> None:
        """Remove it, with what is below it, if nothing is left there."""
        for path, _, _ in os.walk(self.path, topdown=False):
            with suppress(OSError):
                os.rmdir(path)


def control_group(mark: str) -> ControlGroup | None:
    """The control group of a job; None where corepilot may make none.

    Args:
        mark: What tells the job apart: our pid, a dash and a number.
    """
    base = _base()
    return ControlGroup(f"{base}/{_prefix()}{mark}") if base else None


@cache
def _prefix() -> str:
    """What the names of our groups begin with: a mark begins with our pid, which another PID namespace has, too."""
    return f"corepilot-{os.stat(_PID_NAMESPACE).st_ino}-"


@cache
def _base() -> str:
    """Our own control group, if we may make groups in it; "" if not. Looked at once: nobody moves us."""
    for path in _own():
        if os.path.exists(_PID_NAMESPACE) and os.access(path, os.W_OK) and os.access(f"{path}/cgroup.procs", os.W_OK):
            _tidy(path)
            return path
    return ""


def _own() -> Iterator[str]:
    """The directories that are our own control group, one for each mount that shows it."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            groups = file.read()
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = file.read()
    except OSError:
        return
    yield from directories(groups, mounts)


def directories(groups: str, mounts: str) -> Iterator[str]:
    """The directories of a process's control group.

    Args:
        groups: The text of /proc/PID/cgroup.
        mounts: The text of /proc/PID/mountinfo.
    """
    own = next((line[3:] for line in groups.splitlines() if line.startswith("0::/")), None)
    if own is None:
        return
    for line in mounts.splitlines():
        fields = line.split(" ")
        kind = fields.index("-", _OPTIONAL) + 1 if "-" in fields[_OPTIONAL:] else len(fields)
        if fields[kind : kind + 1] != ["cgroup2"]:
            continue
        root = "" if fields[_ROOT] == "/" else fields[_ROOT]
        if own == root or own.startswith(f"{root}/"):
            yield f"{_unescaped(fields[_POINT])}{own.removeprefix(root)}".rstrip("/")


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


def _tidy(base: str) -> None:
    """Remove the empty groups of supervisors that have died: nobody else would."""
    for name in os.listdir(base):
        pid = name.removeprefix(_prefix()).partition("-")[0]
        if name.startswith(_prefix()) and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            ControlGroup(f"{base}/{name}").remove()
