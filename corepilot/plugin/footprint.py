"""What plugins must leave alone: state that the whole process shares, compared before and after.

A library that takes SIGCHLD, starts a thread or monkey-patches the standard library breaks the supervisor in ways that
show up much later and look like somebody else's fault. So the change is found at load time, and the plugin is named;
what changes later is found within ten seconds, by `corepilot.plugin.oversight`.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import NamedTuple

from corepilot.system.children import children

_SIGNALS = tuple(sorted(signal.valid_signals()))


class Footprint(NamedTuple):
    """The shared state at one moment. File descriptors are left out: importing a library may rightly open some."""

    handlers: tuple[object, ...]
    directory: str
    umask: str
    environment: dict[str, str]
    threads: int
    patched: frozenset[str]
    children: frozenset[int]

    @classmethod
    def take(cls) -> "Footprint":
        """The state now. About 0.1 ms."""
        return cls(
            handlers=tuple(signal.getsignal(number) for number in _SIGNALS),
            directory=_working_directory(),
            umask=_umask(),
            environment=dict(os.environ),
            threads=_threads(),
            patched=frozenset(getattr(sys.modules.get("gevent.monkey"), "saved", ())),
            children=_own_children(),
        )

    def changes_to(self, after: "Footprint") -> list[str]:
        """What is different in `after`, in words; environment variables by name only."""
        pairs = zip(_SIGNALS, self.handlers, after.handlers, strict=True)
        moved = [signal.Signals(number).name for number, one, other in pairs if one is not other]
        names = {name for name, _ in self.environment.items() ^ after.environment.items()}
        changes = [f"the handler of {', '.join(moved)}"] if moved else []
        if self.directory != after.directory:
            changes.append("the working directory")
        if self.umask != after.umask:
            changes.append("the umask")
        if names:
            changes.append(f"the environment ({', '.join(sorted(names))})")
        if after.threads > self.threads:
            changes.append(f"the number of threads, from {self.threads} to {after.threads}")
        if after.children - self.children:
            changes.append(f"the children of this process, by {len(after.children - self.children)}")
        if after.patched - self.patched:
            changes.append(
                f"the standard library, by monkey-patching {', '.join(sorted(after.patched - self.patched))}"
            )
        return changes

    def restore(self) -> None:
        """Put signal handlers, working directory and umask back: the stop, and what jobs inherit, depend on them."""
        for number, handler in zip(_SIGNALS, self.handlers, strict=True):
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)  # type: ignore[arg-type]  # it came from getsignal
        if self.directory and self.directory != _working_directory():
            with suppress(OSError):  # it was removed
                os.chdir(self.directory)
        words = self.umask.split()
        if len(words) > 1:
            os.umask(int(words[1], 8))


def _working_directory() -> str:
    try:
        return os.getcwd()  # a system call, where pathlib would be an import
    except OSError:
        return ""  # it was removed


def _umask() -> str:
    """From /proc, because asking the kernel for the umask means setting it."""
    with open("/proc/self/status") as status:
        return next((line for line in status if line.startswith("Umask:")), "")


def _own_children() -> frozenset[int]:
    """Children of ours in our own process group. Jobs are groups of their own, and so are the orphans they leave."""
    found = set()
    group = os.getpgrp()
    for pid in children():
        with suppress(OSError):  # it has ended meanwhile
            if os.getpgid(pid) == group:
                found.add(pid)
    return frozenset(found)


def _threads() -> int:
    """Native threads: the kernel's count, which also knows those that a C library started."""
    return len(os.listdir("/proc/self/task"))
