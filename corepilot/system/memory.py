"""Memory that is free and still counts as ours."""

from __future__ import annotations

from corepilot.system.libc import call


def give_back() -> None:
    """Return to the kernel what the C library's allocator keeps: whole pages between things that live long.

    Left alone they become more for days, because what does not fit into one of the holes goes to new memory. It takes
    less than a millisecond. A library without such a function, such as musl, does it by itself.
    """
    try:
        call("malloc_trim", 0)
    except OSError:
        return
