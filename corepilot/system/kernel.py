"""What the standard library does not offer of the kernel: prctl, close-on-exec for all, the signal mask as a whole.

`signal` here is the C module under the standard library's `signal`. The public one turns every number into an enum
member: 0.8 MB and 3 ms of imports, in a process that lives as long as the container and wants to be ready at once.
It is imported in this one place, and used as the public module is; the numbers are plain integers.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    import signal as signal  # noqa: PLC0414  - an alias of its own name is how a module re-exports
    from collections.abc import Iterable
else:
    import _signal as signal

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_CHILD_SUBREAPER = 36
_SYS_CLOSE_RANGE = 436  # the same on every architecture but alpha; musl has no function for it
_CLOSE_RANGE_CLOEXEC = 4
_LAST_DESCRIPTOR = 0xFFFF_FFFF

# Raised by the kernel about an instruction of ours. Blocked, they would end the process without faulthandler's report.
FAULTS = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
)
_UNCATCHABLE = frozenset({signal.SIGKILL, signal.SIGSTOP})
# The interpreter ignores these two at its start, so that they come as OSError.
_IGNORED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
_FIRST_REAL_TIME = 34  # of those that the C library leaves to programs (signal(7))
_OLD_NAMES = frozenset({"SIGCLD", "SIGIOT", "SIGPOLL", "SIGRTMIN", "SIGRTMAX"})


def _prctl(option: int, argument: int, purpose: str) -> None:
    from corepilot.system.libc import call

    try:
        call("prctl", option, argument, 0, 0, 0)
    except OSError as error:
        raise OSError(error.errno, f"cannot {purpose}: prctl({option}): {error.strerror}") from None


def set_child_subreaper() -> None:
    """Make orphaned descendants children of this process, as they are of PID 1 (prctl(2), PR_SET_CHILD_SUBREAPER).

    Not inherited by a fork; kept over an exec. Idempotent.

    Raises:
        OSError: the kernel or a seccomp filter refuses; nothing has changed.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "adopt orphans")


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send us a signal when the thread that forked us ends (prctl(2), PR_SET_PDEATHSIG).

    Cleared in a child by fork; kept over an exec, but not of a set-user-id program. A parent that died before the
    call sends nothing: look for that afterwards, or the signal never comes.

    Args:
        number: the signal, 1 to 64; 0 clears the setting.

    Raises:
        OSError: no such signal, or the kernel refuses; nothing has changed.
    """
    _prctl(_PR_SET_PDEATHSIG, number, "watch for the parent's death")


def close_on_exec(keep: Iterable[int] = ()) -> None:
    """Keep every open descriptor above 2 from the programs this process executes, but for those to keep.

    Only the flag is set: the descriptors stay open here. Descriptors that Python opens have the flag from the start
    (PEP 446); this is for those that were inherited. Idempotent.

    Args:
        keep: descriptors left as they are, in any order.

    Raises:
        OSError: /proc is not mounted and the kernel has no close_range(2) (it came with 5.9, the flag with 5.11).
    """
    kept = frozenset(keep)
    try:
        listed = [int(entry) for entry in os.listdir("/proc/self/fd")]
    except OSError:
        _close_on_exec_by_range(kept)
        return
    for descriptor in listed:
        if descriptor > 2 and descriptor not in kept:
            try:
                os.set_inheritable(descriptor, False)  # noqa: FBT003  - its only parameter
            except OSError as error:
                if error.errno != errno.EBADF:  # the listing's own descriptor, gone since
                    raise


def _close_on_exec_by_range(kept: frozenset[int]) -> None:
    from corepilot.system.libc import call

    first = 3
    for stop in [*sorted(descriptor for descriptor in kept if descriptor > 2), _LAST_DESCRIPTOR + 1]:
        if first < stop:
            try:
                call("syscall", _SYS_CLOSE_RANGE, first, stop - 1, _CLOSE_RANGE_CLOEXEC)
            except OSError as error:
                raise OSError(error.errno, f"cannot set close-on-exec: close_range: {error.strerror}") from None
        first = stop + 1


def block_signals() -> None:
    """Hold back every signal but those about our own faults. A fork and an exec inherit the mask.

    A held-back signal waits in the kernel, one of each number (the real-time ones are counted), even where it would
    be ignored: in PID 1 without a handler, and where the disposition is SIG_IGN (signal(7), our own tests).
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - FAULTS)


def unblock_signals() -> None:
    """Let every signal through. What has waited arrives before this returns, at the handlers that are there now."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def reset_dispositions(*, to_run_python: bool) -> None:
    """Give every signal its default action again and forget the wakeup descriptor, whatever was inherited.

    Args:
        to_run_python: keep SIGPIPE and SIGXFSZ ignored, as the interpreter wants them; False before an exec.
    """
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _UNCATCHABLE:
        ignored = to_run_python and number in _IGNORED_BY_PYTHON
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)


def init_stops() -> frozenset[int]:
    """Signals that ask an init of a container to stop, beside SIGTERM and SIGINT: what images name as STOPSIGNAL.

    SIGQUIT (nginx, php-fpm), SIGWINCH (httpd), SIGRTMIN+3 (systemd). The C library may begin to count at 35, and a
    runtime counts from 34.
    """
    return frozenset((signal.SIGQUIT, signal.SIGWINCH, _FIRST_REAL_TIME + 3, signal.SIGRTMIN + 3))


def signal_name(number: int) -> str:
    """Name a signal as kill(1) lists it, with SIG: 15 is "SIGTERM", 34 and above "signal 34"."""
    for name, value in vars(signal).items():
        if value == number and name.startswith("SIG") and name[3:].isalnum() and name not in _OLD_NAMES:
            return name
    return f"signal {number}"
