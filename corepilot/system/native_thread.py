"""Native threads for what blocks. The module threading is not imported, and nobody waits for them at the end.

Every signal is blocked in them: they are for the hub's thread, and a system call in a library is not interrupted.
"""

import sys
from _thread import get_ident, start_new_thread
from collections.abc import Callable

from corepilot.system.kernel import block_signals


def start_native_thread(work: Callable[[], None]) -> None:
    """Run a function, which raises nothing, in a native thread of its own.

    Raises:
        RuntimeError: none can be started: the limit of processes (RLIMIT_NPROC, or pids.max of the control group) or
            memory is used up.
    """
    start_new_thread(_run, (work,))


def _run(work: Callable[[], None]) -> None:
    block_signals()
    try:
        work()
    finally:
        _forget()


def _forget() -> None:
    """Take this thread out of the module threading's table, if a library has asked there who it runs in.

    The dummy that is made then outlives its thread before CPython 3.13, which does as much as this by itself
    (`threading._DeleteDummyThreadOnDel`).
    """
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._active.pop(get_ident(), None)  # noqa: SLF001  - it has no public name
