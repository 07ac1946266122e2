"""The child of a guard: what is set up before `main` runs in it, and how it ends; a parent that adopts orphans."""

from __future__ import annotations

import os
import sys

from corepilot.system import kernel
from corepilot.system.kernel import signal
from corepilot.system.writing import try_write

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from corepilot.guard.channel import Channel

CRASHED = 70  # EX_SOFTWARE of sysexits.h
_LAST_WORDS_S = 1.0  # what a traceback waits for the reader of stderr


def adopt_orphans(say: Callable[[str], None]) -> None:
    """Become a child subreaper; where the kernel refuses, say so and go on without."""
    try:
        kernel.set_child_subreaper()
    except OSError as error:
        say(f"{error.strerror}; processes that lose their parent will not be ended with the others")


def watch_parent(number: int, say: Callable[[str], None]) -> None:
    """Have the kernel send a signal when the parent dies; where it refuses, say so and go on without."""
    try:
        kernel.set_parent_death_signal(number)
    except OSError as error:
        say(f"{error.strerror}; nothing ends this process when its parent is killed")


def be_supervisor(main: Callable[[Channel], int], channel: Channel, say: Callable[[str], None]) -> NoReturn:
    """Be the process that `main` runs in, and end it. Called once, right after the fork, with all signals blocked."""
    try:
        kernel.reset_dispositions(to_run_python=True)
        os.setsid()
        adopt_orphans(say)
        watch_parent(signal.SIGTERM, say)
        kernel.close_on_exec()
        # Not getppid(): it is 0 for a parent in another PID namespace. The kernel closes a dying process's
        # descriptors before it sends parent-death signals, so a guard that is too dead for one is seen here.
        if not channel.guard_lost():
            status = _status_of(main, channel)
            _flush()
            channel.leaving(status)
            os._exit(status)
    except BaseException:  # noqa: BLE001  - whatever it is, the guard's code must not run twice
        _traceback()
    finally:
        os._exit(CRASHED)


def _status_of(main: Callable[[Channel], int], channel: Channel) -> int:
    try:
        status: object = main(channel)
    except SystemExit as leaving:
        status = leaving.code
        if status is None:
            return 0
        if not isinstance(status, int):
            _print(f"{status}\n")  # what Python does with sys.exit("message")
            return 1
    return status if isinstance(status, int) and 0 <= status <= 255 else CRASHED


def _traceback() -> None:
    try:
        from traceback import format_exc

        _print(format_exc())
        _flush()
    except BaseException:  # noqa: BLE001  - no memory for it, perhaps; the exit status still tells
        return


def _print(text: str) -> None:
    try:
        try_write(2, text.encode("utf-8", "backslashreplace"), _LAST_WORDS_S)
    except OSError:
        return  # nobody reads; the exit status still tells


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, full, or never there
