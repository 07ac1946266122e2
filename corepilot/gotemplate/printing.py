"""Print values as Go's package fmt does: the verbs with their flags, Sprint and Sprintln."""

from __future__ import annotations

from corepilot.gotemplate.floats import format_float
from corepilot.gotemplate.limits import MAX_OUTPUT_BYTES
from corepilot.gotemplate.quoting import can_backquote, quote
from corepilot.gotemplate.values import (
    Byte,
    Environment,
    GoList,
    Record,
    Value,
    Watches,
    bounded,
    encoded,
    too_long,
    type_name,
)

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Sequence

_FLOAT_PRECISION = {"b": -1, "g": -1, "G": -1, "x": -1, "X": -1, "f": 6, "F": 6, "e": 6, "E": 6, "v": -1}
_BASES = {"d": 10, "v": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_FORMATS = {10: "d", 2: "b", 8: "o", 16: "x"}
_PREFIXES = {2: "0b", 8: "0", 16: "0x", 10: ""}


def sprint(values: Sequence[Value]) -> str:
    """Print values one after the other, with a space between two of which neither is a string.

    Raises:
        FunctionFailure: the text is longer than a template may make one.
    """
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    printer = Printer()
    was_string = True
    for value in values:
        is_string = isinstance(value, str)
        if not is_string and not was_string:
            printer.write(" ")
        printer.argument(value, "v")
        was_string = is_string
    return printer.text()


def sprintln(values: Sequence[Value]) -> str:
    """Print values with a space between them and a line feed behind.

    Raises:
        FunctionFailure: the text is longer than a template may make one.
    """
    printer = Printer()
    for number, value in enumerate(values):
        if number:
            printer.write(" ")
        printer.argument(value, "v")
    printer.write("\n")
    return printer.text()


class Printer:
    """Text that grows value by value, and the flags of the verb at work.

    Attributes:
        minus, plus, sharp, space, zero: the flags - + # space 0.
        go_syntax: the verb is %#v.
        width: least number of characters; None where none is given.
        precision: its meaning depends on the verb; None where none is given.
    """

    __slots__ = ("_parts", "_size", "go_syntax", "minus", "plus", "precision", "sharp", "space", "width", "zero")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self.clear()

    def clear(self) -> None:
        """Forget the flags of the last verb."""
        self.minus = self.plus = self.sharp = self.space = self.zero = self.go_syntax = False
        self.width: int | None = None
        self.precision: int | None = None

    def write(self, text: str) -> None:
        """Add text as it is."""
        self._size += len(text)
        if self._size > MAX_OUTPUT_BYTES:
            raise too_long()
        self._parts.append(text)

    def text(self) -> str:
        """Return all that was printed."""
        return bounded("".join(self._parts))

    def argument(self, value: Value, verb: str) -> None:
        """Print an argument of a function by a verb."""
        if value is None:
            if verb in "Tv":
                self._pad("<nil>")
            else:
                self.write(f"%!{verb}(<nil>)")
        elif verb == "T":
            self._text(type_name(value))
        elif verb == "p" and isinstance(value, (GoList, Environment)):
            self._integer(id(value), "x", prefix=not self.sharp)
        elif verb == "w" and isinstance(value, (GoList, Environment)):
            self._bad_verb(value, verb)
        else:
            self._value(value, verb)

    def _value(self, value: Value, verb: str) -> None:
        if isinstance(value, str):
            self._string(value, verb)
        elif isinstance(value, bool):
            if verb in "tv":
                self._pad("true" if value else "false")
            else:
                self._bad_verb(value, verb)
        elif isinstance(value, int):
            self._number(value, value, verb, signed=True)
        elif isinstance(value, Byte):
            self._number(value, value.number, verb, signed=False)
        elif isinstance(value, float):
            if verb in _FLOAT_PRECISION:
                self._float(value, verb)
            else:
                self._bad_verb(value, verb)
        elif isinstance(value, complex):
            self._complex(value, verb)
        elif isinstance(value, GoList):
            self._list(value, verb)
        elif isinstance(value, Environment):
            self._map(value, verb)
        elif isinstance(value, Record):
            self._record(value, verb)
        elif isinstance(value, Watches):
            self.write(f"map[{' '.join(value.names())}]")

    def _bad_verb(self, value: Value, verb: str) -> None:
        self.write(f"%!{verb}({type_name(value)}=")
        self._value(value, "v")
        self.write(")")

    def _pad(self, text: str, *, zero: bool | None = None) -> None:
        width = self.width or 0
        if len(text) >= width:
            self.write(text)
        elif self.minus:
            self.write(text + " " * (width - len(text)))
        else:
            zero = self.zero if zero is None else zero
            self.write(("0" if zero else " ") * (width - len(text)) + text)

    def _text(self, text: str) -> None:
        self._pad(text if self.precision is None else text[: self.precision])

    def _string(self, text: str, verb: str) -> None:
        if verb == "s" or (verb == "v" and not self.go_syntax):
            self._text(text)
        elif verb in "qv":
            text = text if self.precision is None else text[: self.precision]
            if self.sharp and can_backquote(text):
                self._pad("`" + text + "`")
            else:
                self._pad(quote(text, ascii_only=self.plus))
        elif verb in "xX":
            self._hexadecimal(encoded(text), verb)
        else:
            self._bad_verb(text, verb)

    def _hexadecimal(self, data: bytes, verb: str) -> None:
        if self.precision is not None:
            data = data[: self.precision]
        if len(data) * 5 > MAX_OUTPUT_BYTES:
            raise too_long()
        digits = data.hex(" ") if self.space and data else data.hex()
        if self.sharp and data:
            digits = "0x" + (digits.replace(" ", " 0x") if self.space else digits)
        self._pad(digits.upper() if verb == "X" else digits)

    def _number(self, value: Value, number: int, verb: str, *, signed: bool) -> None:
        if verb == "v" and self.go_syntax and not signed:
            self._integer(number, "x", prefix=True)
        elif verb in _BASES:
            self._integer(number, verb, prefix=self.sharp)
        elif verb in "cq":
            character = chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
            self._pad(character if verb == "c" else quote(character, "'", ascii_only=self.plus))
        elif verb == "U":
            self._code_point(number)
        else:
            self._bad_verb(value, verb)

    def _integer(self, number: int, verb: str, *, prefix: bool) -> None:
        base = _BASES[verb]
        needs_sign = number < 0 or self.plus or self.space
        least = 0
        if self.precision is not None:
            least = self.precision
            if not least and not number:
                self.write(" " * (self.width or 0))
                return
        elif self.zero and not self.minus and self.width is not None:
            least = self.width - needs_sign
        digits = format(abs(number), _FORMATS[base]).rjust(least, "0")
        if prefix and not (base == 8 and digits.startswith("0")):
            digits = _PREFIXES[base] + digits
        if verb == "X":
            digits = digits.upper()
        elif verb == "O":
            digits = "0o" + digits
        sign = "-" if number < 0 else "+" if self.plus else " " if self.space else ""
        self._pad(sign + digits, zero=False)

    def _code_point(self, number: int) -> None:
        least = max(4, self.precision or 0)
        digits = format(number % (1 << 64), "X").rjust(least, "0")
        character = chr(number) if 0 <= number <= 0x10FFFF else ""
        shown = f" '{character}'" if self.sharp and character and character.isprintable() else ""
        self._pad(f"U+{digits}{shown}", zero=False)

    def _float(self, value: float, verb: str) -> None:
        precision = _FLOAT_PRECISION[verb] if self.precision is None else self.precision
        form = {"v": "g", "F": "f"}.get(verb, verb)
        number = format_float(value, form, precision)
        sign, number = ("-", number[1:]) if number.startswith("-") else ("+", number)
        if self.space and sign == "+" and not self.plus:
            sign = " "
        if self.sharp and verb != "b":
            number = _with_point(number, form, precision)
        if sign == "+" and not self.plus:
            self._pad(number)
        elif self.zero and not self.minus:
            self.write(sign + number.rjust((self.width or 0) - 1, "0"))
        else:
            self._pad(sign + number)

    def _complex(self, value: complex, verb: str) -> None:
        if verb not in _FLOAT_PRECISION:
            self._bad_verb(value, verb)
            return
        plus = self.plus
        self.write("(")
        self._float(value.real, verb)
        self.plus = True
        self._float(value.imag, verb)
        self.write("i)")
        self.plus = plus

    def _list(self, value: GoList, verb: str) -> None:
        separator, end = " ", "]"
        if self.go_syntax:
            separator, end = ", ", "}"
            self.write(type_name(value) + "{")
        else:
            self.write("[")
        for number, element in enumerate(value):
            if number:
                self.write(separator)
            self._value(element, verb)
        self.write(end)

    def _record(self, value: Record, verb: str) -> None:
        self.write("{")
        for number, field in enumerate(value.fields.values()):
            if number:
                self.write(" ")
            self._value(field, verb)
        self.write("}")

    def _map(self, value: Environment, verb: str) -> None:
        separator, end = " ", "]"
        if self.go_syntax:
            separator, end = ", ", "}"
            self.write(type_name(value) + "{")
        else:
            self.write("map[")
        for number, name in enumerate(value.names()):
            if number:
                self.write(separator)
            self._value(name, verb)
            self.write(":")
            self._value(value.variables[name], verb)
        self.write(end)


def _with_point(number: str, form: str, precision: int) -> str:
    """Give a float its decimal point, and the zeros behind it that g and x leave away: the flag #."""
    hexadecimal = form in "xX"
    places = [place for place in (number.find(letter) for letter in ("pP" if hexadecimal else "eE")) if place >= 0]
    head, tail = (number[: places[0]], number[places[0] :]) if places else (number, "")
    wanted = 0
    if form in "gGx":
        wanted = 6 if precision < 0 else precision
    wanted -= len(head.replace(".", "").lstrip("0"))
    if "." not in head:
        if head == "0":
            wanted -= 1
        head += "."
    return head + "0" * max(wanted, 0) + tail
