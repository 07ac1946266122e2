"""Whether the kernel has killed something of ours because memory ran out: the counter of our control group.

A process that the OOM killer takes ends by SIGKILL like any other. The difference is in a counter of the memory
controller, `oom_kill`, which the kernel raises before it sends the signal: in `memory.events` (cgroup v2, cgroups(7))
or in `memory.oom_control` (v1, since Linux 4.13). It can be read without any privilege where the control groups are
mounted, as every engine does; elsewhere nothing is ever claimed.
"""

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TOGETHER_S = 1.0
"""What ends by SIGKILL within so many seconds of a job that the kernel has killed went the same way: it is killed
process by process, and one may be the end of another job."""

_FILES = {"cgroup": "memory.oom_control", "cgroup2": "memory.events"}


class OutOfMemory:
    """The kills in our control group since `begin`.

    Args:
        clock: Monotonic seconds.
        proc: Where /proc/self is.

    Attributes:
        before: How many there had been in our control group when `begin` was called; 0 where nothing counts them.
    """

    def __init__(self, clock: "Callable[[], float]", proc: str = "/proc/self") -> None:
        self._clock, self._proc = clock, proc
        self.before = 0
        self._path = ""
        self._seen = 0
        self._grew_at: float | None = None

    def begin(self) -> None:
        """What has been counted by now was before our time. Never raises; without a counter nothing is ever told."""
        try:
            with open(f"{self._proc}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
                groups = dict(_groups(file))
            with open(f"{self._proc}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
                paths = list(_paths(groups, file))
        except OSError:
            return
        for path in paths:
            count = _count(path)
            if count is not None:
                self._path, self._seen, self.before = path, count, count
                return

    def killed(self) -> bool:
        """Whether a process that has just ended by a SIGKILL that is not ours was killed because memory ran out."""
        if self._news():
            self._grew_at = self._clock()
        return self._grew_at is not None and self._clock() - self._grew_at < TOGETHER_S

    def others(self) -> int:
        """How many processes have been killed since this or `killed` was asked last: for a timer."""
        return self._news()

    def _news(self) -> int:
        now = _count(self._path) if self._path else None
        if now is None:
            return 0
        before, self._seen = self._seen, now
        return max(now - before, 0)


KILLS = OutOfMemory(time.monotonic)
"""Of this process; told of nothing before its `begin`."""


def _groups(lines: "Iterable[str]") -> "Iterable[tuple[str, str]]":
    """Our memory control group, by the type of its file system: cgroups(7), /proc/pid/cgroup."""
    for line in lines:
        number, _, rest = line.rstrip("\n").partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            yield "cgroup", path
        elif number == "0" and not controllers:
            yield "cgroup2", path


def _paths(groups: "dict[str, str]", lines: "Iterable[str]") -> "Iterable[str]":
    """Where the counter may be: proc_pid_mountinfo(5). A container sees a part of the tree, or its own group only."""
    for line in lines:
        before, _, after = line.rstrip("\n").partition(" - ")
        kind, _, rest = after.partition(" ")
        group = groups.get(kind)
        if group is None or (kind == "cgroup" and "memory" not in rest.rpartition(" ")[2].split(",")):
            continue
        fields = before.split(" ")
        root, mounted = _unescaped(fields[3]), _unescaped(fields[4])
        if root == "/":
            yield f"{mounted}{group.rstrip('/')}/{_FILES[kind]}"
        elif group == root or group.startswith(f"{root}/"):
            yield f"{mounted}{group[len(root) :]}/{_FILES[kind]}"
        yield f"{mounted}/{_FILES[kind]}"


def _unescaped(field: str) -> str:
    r"""A field of mountinfo: blanks and the like are `\040`."""
    first, *others = field.split("\\")
    return first + "".join([chr(int(one[:3], 8)) + one[3:] for one in others])


def _count(path: str) -> int | None:
    """What a file counts; None if it cannot be read or does not count."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill" and value.isdigit():
            return int(value)
    return None
