"""The guard: the small process above everything else, PID 1 in a container. Standard library only.

What it promises whatever happens below it: a stop ends in time, nothing outlives it, and the exit status is true.
`supervise` runs the supervisor under it, `wrap` a single command, without any supervisor.

It is the one part that has to stay after everything else was loaded, so it imports little: see
`corepilot.system.kernel` for how it does without the standard library's `signal` and `socket`.
"""

from __future__ import annotations

from corepilot.system import kernel

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.guard.channel import Channel
    from corepilot.guard.supervising import supervise
    from corepilot.guard.wrapping import wrap

__all__ = ["Channel", "install_early_handlers", "supervise", "wrap"]

_PLACES = {"Channel": "channel", "supervise": "supervising", "wrap": "wrapping"}


def __getattr__(name: str) -> object:
    """Import what is asked for, and nothing else: `wrap` needs no line to a supervisor, and no page to share."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(__import__(f"{__name__}.{_PLACES[name]}", fromlist=[name]), name)


def install_early_handlers() -> None:
    """Hold signals back from now on, until `supervise` or `wrap` takes them. For the program's first line of work.

    There are no handlers: the signals are blocked, and wait in the kernel. Before this call a SIGTERM ends the
    process or, sent to PID 1, is dropped by the kernel (signal(7)): the start of the interpreter, some 10 to 20 ms.
    Whoever does something else instead calls `corepilot.system.kernel.unblock_signals`. Idempotent.
    """
    kernel.block_signals()
