"""What the beat has to know of plugins: whether a stack runs a plugin's code, and what to raise in it.

Apart from the boundary, because the beat watches every event loop, with plugins or without.
"""

from __future__ import annotations

import os

from corepilot.system.interruption import Interruption

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing it
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import TypeVar

    _Answer = TypeVar("_Answer")
    _Function = TypeVar("_Function", bound=Callable[..., object])

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/"
_PYTHONS = os.path.dirname(os.__file__) + "/"


_ENTRANCES: set[CodeType] = set()
"""What stands on the stack, innermost of ours, while a plugin's code runs."""


class PluginStalledError(Interruption):
    """Raised by the beat in a call that holds the event loop up. No `Exception`: a plugin's handlers let it pass."""


def entrance(function: _Function) -> _Function:
    """Mark a function that calls plugins' code or waits for it, and that is not interrupted itself."""
    _ENTRANCES.add(function.__code__)
    return function


@entrance
def within(function: Callable[..., _Answer], *arguments: object) -> _Answer:
    """Call a plugin's code. It is this frame that tells the beat so: whoever calls must expect `PluginStalledError`."""
    return function(*arguments)


def in_plugin(frame: FrameType | None) -> bool:
    """Whether a stack runs a plugin's code that can be interrupted, because nothing of ours would be.

    That is code within an entrance; a finalizer, whose exceptions go nowhere; and what a plugin has left to the event
    loop, a greenlet or a callback of its own, as long as nothing of ours is on the stack.

    Args:
        frame: The innermost; None where a greenlet has nothing but a C function, which none of ours has.
    """
    if frame is None:
        return True
    if frame.f_code in _ENTRANCES:
        return False
    ours = theirs = False
    while frame is not None:
        code = frame.f_code
        if code in _ENTRANCES:
            return True
        ours = ours or is_ours(code.co_filename)
        theirs = theirs or is_foreign(code.co_filename)
        if theirs and not ours and code.co_name == "__del__":
            return True
        frame = frame.f_back
    return theirs and not ours


def is_ours(path: str) -> bool:
    """Whether a file of code is corepilot's."""
    return path.startswith(_OURS)


def is_foreign(path: str) -> bool:
    """Whether a file of code is neither ours nor Python's nor gevent's."""
    if is_ours(path) or path.startswith("<frozen") or "/gevent/" in path:
        return False
    return not path.startswith(_PYTHONS) or "-packages/" in path
