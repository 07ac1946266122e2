"""Functions of the C library that the standard library does not offer.

They are called through the C module under the standard library's `ctypes`. The public one makes a class for each type
of C: 2 ms before the first job, and 0.2 MB in the guard as in the supervisor.
"""

from __future__ import annotations

import os
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_USE_ERRNO, CFuncPtr, _SimpleCData, dlopen, dlsym, get_errno

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from typing import Any

    _Number = _SimpleCData[Any]
else:
    _Number = _SimpleCData


class _Int(_Number):
    _type_ = "i"


class _UnsignedLong(_Number):
    _type_ = "L"


class _Function(CFuncPtr):
    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Int


_ITSELF = dlopen(None, 0)  # type: ignore[arg-type]  # None: the process with the libraries it has loaded


def call(name: str, *arguments: int | bytes) -> int:
    """Call a function that returns an `int`, which is negative when it has failed.

    Args:
        name: The function's name.
        arguments: Numbers from 0 on, which fill a register as an `unsigned long`, as variadic functions such as
            prctl(2) need it; bytes, which are a string of C.

    Raises:
        OSError: It has failed, as `errno` says; or there is no such function.
    """
    function = _Function(dlsym(_ITSELF, name))
    result: int = function(*[_UnsignedLong(one) if isinstance(one, int) else one for one in arguments])
    if result < 0:
        number = get_errno()
        raise OSError(number, os.strerror(number))
    return result
