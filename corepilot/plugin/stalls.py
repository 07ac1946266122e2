"""What the beat has to know of plugins: whether a stack runs a plugin's code, and what to raise in it.

Apart from the boundary, because the beat watches every event loop, with plugins or without.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing it
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import TypeVar

    _Function = TypeVar("_Function", bound=Callable[..., object])

_ENTRANCES: set[CodeType] = set()
"""What stands on the stack, innermost of ours, while a plugin's code runs."""


class PluginStalledError(BaseException):
    """Raised by the beat in a call that holds the event loop up. No `Exception`: a plugin's handlers let it pass."""


def entrance(function: _Function) -> _Function:
    """Mark a function that calls plugins' code, and in which nothing of ours may be interrupted."""
    _ENTRANCES.add(function.__code__)
    return function


def in_plugin(frame: FrameType | None) -> bool:
    """Whether a stack runs a plugin's code within an entrance: its innermost frame is not the entrance itself."""
    if frame is None or frame.f_code in _ENTRANCES:
        return False
    while frame is not None:
        if frame.f_code in _ENTRANCES:
            return True
        frame = frame.f_back
    return False
