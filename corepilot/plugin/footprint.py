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
from corepilot.system.signal_names import signal_name

_WANTED = ("Umask:", "SigBlk:", "SigCgt:")
_SIGNALS = tuple(sorted(signal.valid_signals()))


class Footprint(NamedTuple):
    """The shared state at one moment. `blocked` are signals, a bit each; `reaps` says whether SIGCHLD is caught at all.

    File descriptors are left out: importing a library may rightly open some.
    """

    handlers: tuple[object, ...]
    directory: str
    umask: str
    blocked: int
    reaps: bool
    depth: int
    environment: dict[str, str]
    threads: int
    patched: frozenset[str]
    children: frozenset[int]

    @classmethod
    def take(cls) -> "Footprint":
        """The state now. About 0.1 ms."""
        status = _status()
        return cls(
            handlers=tuple(signal.getsignal(number) for number in _SIGNALS),
            directory=_working_directory(),
            umask=status.get("Umask", ""),
            blocked=int(status.get("SigBlk", "0"), 16),
            reaps=bool(int(status.get("SigCgt", "0"), 16) >> (signal.SIGCHLD - 1) & 1),
            depth=sys.getrecursionlimit(),
            environment=dict(os.environ),
            threads=_threads(),
            patched=frozenset(getattr(sys.modules.get("gevent.monkey"), "saved", ())),
            children=_own_children(),
        )

    def changes_to(self, after: "Footprint") -> list[str]:
        """What is different in `after`, in words; environment variables by name only."""
        pairs = zip(_SIGNALS, self.handlers, after.handlers, strict=True)
        moved = [f"SIG{signal_name(number)}" for number, one, other in pairs if one is not other]
        names = {name for name, _ in self.environment.items() ^ after.environment.items()}
        if self.reaps and not after.reaps and "SIGCHLD" not in moved:
            moved.append("SIGCHLD")  # the event loop's, of which Python does not know
        changes = [f"the handler of {', '.join(moved)}"] if moved else []
        if self.blocked != after.blocked:
            changes.append("the blocked signals")
        if self.directory != after.directory:
            changes.append("the working directory")
        if self.umask != after.umask:
            changes.append("the umask")
        if self.depth != after.depth:
            changes.append("the recursion limit")
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

    def with_present_handlers(self) -> "Footprint":
        """The same state, but for the signal handlers: those that are there now are right."""
        return self._replace(handlers=tuple(signal.getsignal(number) for number in _SIGNALS))

    def restore(self) -> None:
        """Put signals, working directory and umask back: the stop, and what jobs inherit, depend on them.

        The event loop's handler of SIGCHLD is C, and is put back by whoever has the loop.
        """
        for number, handler in zip(_SIGNALS, self.handlers, strict=True):
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)  # type: ignore[arg-type]  # it came from getsignal
        signal.pthread_sigmask(signal.SIG_SETMASK, {one for one in _SIGNALS if self.blocked >> (one - 1) & 1})
        if self.directory and self.directory != _working_directory():
            with suppress(OSError):  # it was removed
                os.chdir(self.directory)
        if self.depth != sys.getrecursionlimit():
            sys.setrecursionlimit(self.depth)
        if self.umask:
            os.umask(int(self.umask, 8))


def _working_directory() -> str:
    try:
        return os.getcwd()  # a system call, where pathlib would be an import
    except OSError:
        return ""  # it was removed


def _status() -> dict[str, str]:
    """From /proc: asking the kernel for the umask means setting it, and Python does not know of handlers in C.

    Without /proc, as in a chroot, only the blocked signals are known.
    """
    try:
        with open("/proc/self/status") as status:
            pairs = [line.partition(":") for line in status if line.startswith(_WANTED)]
    except OSError:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return {"SigBlk": f"{sum(1 << (number - 1) for number in blocked):x}"}
    return {name: value.strip() for name, _, value in pairs}


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
    """Native threads: the kernel's count, which also knows those that a C library started; 0 without /proc."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 0
