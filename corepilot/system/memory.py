"""Memory that nobody needs: what explains the code, and what is free and still counts as ours."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from corepilot.system.libc import call

_OURS = "corepilot."


def forget_explanations(first: str) -> None:
    """Drop what only explains the code that is loaded: docstrings of modules and classes, annotations of our functions.

    A quarter of a megabyte of a supervisor, which shows them to nobody. Docstrings of functions stay, being part of
    their code; and annotations of classes, which say what a plugin's options are. What is imported next takes the place
    that this leaves, so call it before that. It takes a few milliseconds.

    Args:
        first: The first module to do this to, in the order in which they were loaded. What a process has loaded before
            it was forked it shares with the other one; whoever writes to it makes a copy for both.
    """
    names = list(sys.modules)
    for name in names[names.index(first) :]:
        module = sys.modules[name]
        if type(module) is not ModuleType:  # a class, such as typing.io, or what stands for a module
            continue
        contents = vars(module)
        ours = name.startswith(_OURS)
        if isinstance(contents.get("__doc__"), str):
            contents["__doc__"] = None
        for one in list(contents.values()):
            if getattr(one, "__module__", None) != name:
                continue
            if isinstance(one, type):
                _forget_of_class(one, ours=ours)
            elif ours and isinstance(one, FunctionType):
                one.__annotations__ = None  # type: ignore[assignment]  # no dictionary, not even an empty one


def _forget_of_class(one: type, *, ours: bool) -> None:
    contents = vars(one)
    if isinstance(contents.get("__doc__"), str):
        try:
            one.__doc__ = None
        except (AttributeError, TypeError):  # one that is made in C
            return
    if not ours:
        return
    for member in contents.values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            function.__annotations__ = None  # type: ignore[assignment]  # as above


def give_back() -> None:
    """Return to the kernel what the C library's allocator keeps: whole pages between things that live long.

    Left alone they become more for days, because what does not fit into one of the holes goes to new memory. It takes
    less than a millisecond. A library without such a function, such as musl, does it by itself.
    """
    try:
        call("malloc_trim", 0)
    except OSError:
        return
