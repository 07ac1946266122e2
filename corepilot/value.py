"""How frozen dataclasses compare and show themselves, once.

`dataclass` generates and compiles these methods for each class, which for our models was 10 ms of the boot. They are
declared with `eq=False, repr=False` instead and inherit them from here.
"""

from typing import Any


class Value:
    """The base of a `@dataclass(frozen=True, slots=True, eq=False, repr=False)`: equal when all fields are."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self._names()])
        return f"{type(self).__name__}({shown})"

    def _fields(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._names()])

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        names: tuple[str, ...] = cls.__slots__
        return names
