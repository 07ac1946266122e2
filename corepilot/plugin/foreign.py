"""Values and exceptions of plugins, made ours.

Whatever a plugin returns or raises may have methods of its own: a `__str__` that raises, a text that compares wrongly,
a number with a million digits. So each is looked at once, within the boundary, and what goes on from there is a plain
text of Python's, or a name. Standard library only: the loader needs it.
"""

from typing import Any

SHOWN_MAX = 80

_NAME: Any = type.__dict__["__name__"]
_TRACEBACK: Any = BaseException.__dict__["__traceback__"]


def class_name(kind: type) -> str:
    """The name of a class, whatever its metaclass makes of that."""
    return str(_NAME.__get__(kind))


def plain(text: str) -> str:
    """A text without the methods of its class.

    Raises:
        TypeError: it only says that it is one.
    """
    return str.__str__(text)


def shown(found: object, limit: int = SHOWN_MAX) -> str:
    """A value as messages show it: its repr, cut, or its class where that fails."""
    try:
        return plain(repr(found))[:limit]
    except Exception:  # noqa: BLE001  - its own code, or a number that is too long to be written
        return f"a {class_name(type(found))}"


def said(error: BaseException) -> str:
    """The text of an exception; "" where it has none, or cannot say it."""
    try:
        return plain(str(error))
    except Exception:  # noqa: BLE001  - its own code
        return ""


def traceback_of(error: BaseException) -> Any:
    """Where an exception came from, whatever its class makes of that; None where that is unknown."""
    return _TRACEBACK.__get__(error)


def kinds_of(error: BaseException) -> tuple[type, ...]:
    """The class of an exception and all it descends from, the nearest first."""
    mro: Any = type.__dict__["__mro__"]
    found: tuple[type, ...] = mro.__get__(type(error))
    return found


def cause(error: BaseException, module: str = "") -> str:
    """An exception of a plugin's in one line: its kind, its text, and the line of the plugin's that it came from.

    Args:
        error: The exception.
        module: The plugin's module: of all lines of the traceback the last one below its folder is shown.
    """
    kind, text = class_name(type(error)), said(error)
    head = f"{kind}: {text}" if text else kind
    line = place(error, module)
    return f"{head} ({line})" if line and line not in head else head


def refused_values(error: BaseException, module: str) -> str:
    """What is said where `Options` fail with anything but OptionError, whose text may hold secrets: it is left out."""
    where = place(error, module)
    return (
        f"its Options refused the values with {class_name(type(error))}{where and f' ({where})'}, not with OptionError"
    )


def place(error: BaseException, module: str) -> str:
    """File and line of the plugin's that an exception came from, else where it was raised; "" where that is unknown."""
    if isinstance(error, SyntaxError) and type(error.filename) is str and type(error.lineno) is int:
        return f"{error.filename}:{error.lineno}"
    own = f"/{module.partition('.')[0]}" if module else "\0"
    own_line = inner = ""
    trace = traceback_of(error)
    while trace is not None:
        line = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        if not trace.tb_frame.f_code.co_filename.startswith("<frozen"):
            inner = line
        if own in line:
            own_line = line
        trace = trace.tb_next
    return own_line or inner
