"""The values of the template language, on Python's own types.

A Go ``string`` is a ``str``; bytes of it that are not UTF-8 are surrogate escapes, as in ``os.environ``. ``int`` (64
bits), ``float64``, ``complex128`` and ``bool`` are Python's; no operation of the language can overflow an integer. Nil,
and the missing value that Go prints as ``<no value>``, are both ``None``: nothing in the language can tell them apart.
The classes here are the types that have no Python twin. Every false value of Go is false in Python and the reverse.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.limits import MAX_OUTPUT_BYTES

TYPE_CHECKING = False  # the typing module would double what importing this package costs
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class Byte:
    """A Go ``uint8``: what ``index`` takes out of a string."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __bool__(self) -> bool:
        return self.number != 0


class Record:
    """A Go struct: an instance of a service, or a key and what it holds.

    Attributes:
        kind: Go's name of the type.
        fields: name to value.
    """

    __slots__ = ("fields", "kind")

    def __init__(self, kind: str, fields: dict[str, Value]) -> None:
        self.kind = kind
        self.fields = fields

    def field(self, name: str) -> Value:
        """Return the value of a field.

        Raises:
            FunctionFailure: there is no such field.
        """
        if name not in self.fields:
            known = ", ".join(f".{one}" for one in self.fields)
            raise FunctionFailure(f"{self.kind} has no field .{name}; it has {known}")
        return self.fields[name]


class GoList:
    """A Go slice of strings, of integers or of structs, with Go's spare capacity behind its end.

    Attributes:
        element: Go's name of the type of the elements, ``string``, ``int``, or the kind of a Record.
        capacity: elements that ``slice`` can reach, at least the length.
    """

    __slots__ = ("_base", "_length", "_start", "capacity", "element")

    def __init__(
        self,
        base: Sequence[str] | Sequence[int] | Sequence[Record],
        element: str,
        start: int = 0,
        length: int = -1,
        capacity: int = -1,
    ) -> None:
        self._base = base
        self._start = start
        self._length = len(base) if length < 0 else length
        self.capacity = self._length if capacity < 0 else capacity
        self.element = element

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str | int | Record]:
        return iter(self._base[self._start : self._start + self._length])

    def at(self, index: int) -> str | int | Record:
        """Return the element at an index from 0; the caller has checked the bounds."""
        return self._base[self._start + index]

    def cut(self, low: int, high: int, limit: int) -> GoList:
        """Return elements low to high with capacity up to limit; the caller has checked 0 <= low <= high <= limit."""
        return GoList(self._base, self.element, self._start + low, high - low, limit - low)


class UnansweredError(Exception):
    """A template looks at a watch of which nothing is known: what it would make is not to be used.

    Attributes:
        name: the watch.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Watches:
    """What watches have found: a Go map from their names to what each has.

    Args:
        known: by the watch's name its kind, ``service``, ``key`` or ``prefix``; what it watches; and what there is: a
            list of Record, a string or None for a key that does not exist. A function makes it when it is looked at,
            and raises UnansweredError where nothing is known.

    Attributes:
        used: the names that were looked at.
    """

    __slots__ = ("_known", "used")

    def __init__(self, known: Mapping[str, tuple[str, str, Callable[[], Value]]]) -> None:
        self._known = known
        self.used: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    def names(self) -> list[str]:
        """Return the names in Go's order."""
        return sorted(self._known, key=encoded)

    def field(self, name: str) -> Value:
        """Return what a watch has found.

        Raises:
            FunctionFailure: there is no such watch.
            UnansweredError: nothing is known of it yet.
        """
        if name not in self._known:
            raise FunctionFailure(f"there is no watch {name!a}; there are: {', '.join(self.names()) or 'none'}")
        self.used.add(name)
        return self._known[name][2]()

    def of(self, kind: str, name: str) -> Value:
        """Return the same of a watch of a kind, found by its name or by what it watches."""
        if name in self._known and self._known[name][0] == kind:
            return self.field(name)
        for other in self.names():
            if self._known[other][:2] == (kind, name):
                return self.field(other)
        known = [one for one in self.names() if self._known[one][0] == kind]
        raise FunctionFailure(f"no watch of a {kind} is called {name!a}; there are: {', '.join(known) or 'none'}")


class Environment:
    """The root value: a Go ``map[string]string`` of environment variables.

    Attributes:
        variables: name to value.
        unset: names that were looked up and not found since the owner emptied the list; with repetitions.
        watches: what ``.watches`` is, in the template of a file; None in a configuration, which has none.
    """

    __slots__ = ("unset", "variables", "watches")

    def __init__(self, variables: Mapping[str, str], watches: Watches | None = None) -> None:
        self.variables = variables  # looked at, one by one if that is enough: who reads may note what is asked
        self.watches = watches
        self.unset: list[str] = []

    def field(self, name: str) -> Value:
        """Return what stands behind a dot: a variable, or the watches."""
        return self.watches if name == "watches" and self.watches is not None else self.lookup(name)

    def __len__(self) -> int:
        return len(self.variables)

    def lookup(self, name: str) -> str:
        """Return the value of a variable, empty where it is not set (contract section 2)."""
        value = self.variables.get(name)
        if value is None:
            self.unset.append(name)
            return ""
        return value

    def names(self) -> list[str]:
        """Return the names in Go's order: by their bytes."""
        return sorted(self.variables, key=encoded)


Value = str | bool | int | float | complex | Byte | Record | GoList | Watches | Environment | None

_TYPE_NAMES = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "float64",
    complex: "complex128",
    Byte: "uint8",
    Watches: "map[string]any",
    Environment: "map[string]string",
    type(None): "nil",
}


def type_name(value: Value) -> str:
    """Return Go's name for the type of a value, ``nil`` for no value."""
    if isinstance(value, GoList):
        return "[]" + value.element
    return value.kind if isinstance(value, Record) else _TYPE_NAMES[type(value)]


def encoded(text: str) -> bytes:
    """Return the bytes that Go has for a string."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte: no Go string has them, so any bytes will do
        return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """Return the string for bytes that need not be UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def has_stray_bytes(text: str) -> bool:
    """Tell whether a string holds bytes that are not UTF-8."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def repaired(text: str) -> str:
    """Return a string in which stray bytes that stand side by side and make up a character have become it."""
    return decoded(encoded(text)) if has_stray_bytes(text) else text


def bounded(text: str) -> str:
    """Return a string that was put together, repaired.

    Raises:
        FunctionFailure: it is longer than a template may make one.
    """
    if len(text) > MAX_OUTPUT_BYTES:
        raise too_long()
    return text if text.isascii() else repaired(text)


def too_long() -> FunctionFailure:
    """Return the error for a string over the limit."""
    return FunctionFailure(f"the text grows over {MAX_OUTPUT_BYTES} bytes, the most a template may make")
