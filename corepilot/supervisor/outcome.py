"""With which status corepilot ends, and what its last line says: from the reasons, and nothing else. Pure."""

from __future__ import annotations

from typing import Literal

from corepilot.model.value import Value
from corepilot.wording.counting import counted

BROKEN = 70
"""Exit status when corepilot itself broke (sysexits.h, EX_SOFTWARE)."""

QUIT = 2
"""Exit status after SIGQUIT, which prints all stacks and ends (ContainerPilot contract, section 4.9)."""

WORTH_TELLING_S = 1.0
"""A stop that took longer says where the time went."""

PARTS_MAX = 3


class Reasons(Value):
    """Why corepilot ends.

    Attributes:
        asked: Who asked for the stop, such as "SIGTERM"; "" if every job has ended by itself.
        ended_by: The status of the job that ended everything by its `exitOn`, or None.
        failure: The first job that failed for good, and its status; or None.
        mode: `exitStatus` of the configuration.
        quit: A stop by SIGQUIT.
        refused: The status with which a start was given up, or None.
        guard_lost: The guard has died.
    """

    asked: str = ""
    ended_by: int | None = None
    failure: tuple[str, int] | None = None
    mode: Literal["job", "zero"] = "job"
    quit: bool = False
    refused: int | None = None
    guard_lost: bool = False


class Account(Value):
    """What is told of the end.

    Attributes:
        up_s: How long corepilot ran.
        stop_s: How long the stop took.
        parts: What it waited for, and how long, in seconds.
        killed: What had to be killed.
    """

    up_s: float
    stop_s: float = 0.0
    parts: tuple[tuple[str, float], ...] = ()
    killed: tuple[str, ...] = ()


def status_of(reasons: Reasons) -> int:
    """The exit status, 0 to 255: what is worse counts."""
    if reasons.guard_lost:
        return BROKEN
    if reasons.quit:
        return QUIT
    if reasons.refused is not None:
        return reasons.refused
    if reasons.mode == "zero":
        return 0
    if reasons.failure is not None and not reasons.asked:
        return reasons.failure[1]
    return reasons.ended_by or 0


def last_line(reasons: Reasons, account: Account) -> str:
    """What the log says at the end."""
    why = reasons.asked or "every job has ended"
    if reasons.failure is not None and not reasons.asked:
        why = f"job {reasons.failure[0]} failed for good with status {reasons.failure[1]}"
    killed = f"; killed: {', '.join(account.killed)}" if account.killed else "; no process had to be killed"
    return f"corepilot ends after {account.up_s:.1f} s: {why}{_duration(account)}{killed}"


def _duration(account: Account) -> str:
    if account.stop_s <= WORTH_TELLING_S:
        return ""
    parts = sorted(account.parts, key=lambda part: -part[1])[:PARTS_MAX]
    shown = ", ".join([f"{what} {seconds:.1f} s" for what, seconds in parts if seconds >= 0.1])
    return f"; the stop took {account.stop_s:.1f} s" + (f": {shown}" if shown else "")


def killed_orphans(count: int) -> str:
    """Processes that jobs left behind, for `Account.killed`."""
    return f"{counted(count, 'process', 'processes')} that jobs left behind"
