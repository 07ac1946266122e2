"""Events: immutable facts, spelled as users write them in `when` (ContainerPilot contract, section 5)."""

from __future__ import annotations

from typing import ClassVar

from corepilot.model.value import Value

GLOBAL = "global"

CODES = frozenset(
    (
        "exitSuccess", "exitFailed", "stopping", "stopped", "healthy", "unhealthy", "changed", "timerExpired",
        "enterMaintenance", "exitMaintenance", "error", "quit", "startup", "shutdown", "SIGHUP", "SIGUSR2",
        "acquired", "lost", "started", "ready", "reload",
    )
)  # fmt: skip
"""What `when.once` and `when.each` accept (ContainerPilot contract, section 3.6)."""

SIGNALS = frozenset(("SIGHUP", "SIGUSR2"))
"""Subjects that make a job a signal job, and the signals that start it."""

EXITS = frozenset(("exitSuccess", "exitFailed"))

_STATUS = {"healthy": "StatusHealthy", "unhealthy": "StatusUnhealthy", "changed": "StatusChanged"}


def spelled(code: str) -> str:
    """A code as ContainerPilot's log and metrics spell it, such as "ExitSuccess" (contract, section 5)."""
    return _STATUS.get(code, code[:1].upper() + code[1:])


class Event(Value):
    """Something that happened.

    Attributes:
        code: One of CODES, "signal" or "metric".
        subject: A job, `check.<job>`, `watch.<name>`, `lock.<name>`, `render.<name>`, "global", a signal's or a
            metric's name.
        detail: What "error" and "metric" say of it: free text.
        status: Of an exit the exit status, 128+n for a signal; else None. Not compared: a `when` cannot name it.
        origin: The runs that led to it, each as (job, number of its start), the latest last; empty where nobody's run
            did. Not compared.
    """

    ignored: ClassVar[tuple[str, ...]] = ("origin", "status")

    code: str
    subject: str
    detail: str = ""
    origin: tuple[tuple[str, int], ...] = ()
    status: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What `when` names: code and source."""
        source = f"{self.subject}: {self.detail}" if self.code == "error" else self.subject
        return self.code, source

    def __str__(self) -> str:
        """As ContainerPilot's debug log spells it, such as "ExitSuccess app" (contract, section 5)."""
        source = f"{self.subject}|{self.detail}" if self.code == "metric" else self.key[1]
        return f"{spelled(self.code)} {source}"


def exit_event(source: str, status: int, *, failed: bool) -> Event:
    """What is published when a command has ended, with its exit status, 128+n for a signal."""
    return Event("exitFailed" if failed else "exitSuccess", source, status=status)
