"""A value that is made when it is needed, by one of those who need it while the others wait."""

from collections.abc import Callable
from typing import Generic, TypeVar

from gevent.event import Event

_Value = TypeVar("_Value")


class Single(Generic[_Value]):
    """A value that somebody has to be asked for.

    Args:
        make: Asks; may switch, and fail: then the next one who needs it asks again.
    """

    def __init__(self, make: Callable[[], _Value]) -> None:
        self._make = make
        self._value: _Value | None = None
        self._made: Event | None = None

    @property
    def value(self) -> _Value | None:
        """The value, if there is one now."""
        return self._value

    def get(self) -> _Value:
        """The value. Raises what `make` does."""
        while self._value is None:
            if self._made is not None:
                self._made.wait()
                continue
            made = self._made = Event()
            try:
                self._value = self._make()
            finally:
                self._made = None
                made.set()
        return self._value

    def drop(self, value: _Value) -> None:
        """It is of no more use: make another one when it is needed."""
        if self._value == value:
            self._value = None
