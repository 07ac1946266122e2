"""The layouts of printf: text with verbs, as in Go's package fmt.

A layout cannot fail: what is wrong with it or with its arguments is printed in its place, such as %!d(string=x).
"""

from __future__ import annotations

from corepilot.gotemplate.printing import Printer
from corepilot.gotemplate.values import Byte, Value, type_name

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Sequence

_LARGEST = 1_000_000
"""Most that Go takes as a width or precision."""


def sprintf(layout: str, arguments: Sequence[Value]) -> str:
    """Print arguments as a layout says.

    Raises:
        FunctionFailure: the text is longer than a template may make one.
    """
    return _Layout(layout, arguments).printed()


class _Layout:
    __slots__ = ("after_index", "arguments", "good", "layout", "next", "position", "printer", "reordered")

    def __init__(self, layout: str, arguments: Sequence[Value]) -> None:
        self.layout = layout
        self.arguments = arguments
        self.printer = Printer()
        self.position = 0
        self.next = 0  # number of the next argument
        self.reordered = False  # an argument was asked for by its number
        self.good = True  # of the verb at hand: such a number was in range and in its place
        self.after_index = False  # of the verb at hand: such a number came just before

    def printed(self) -> str:
        printer = self.printer
        layout = self.layout
        while (percent := layout.find("%", self.position)) >= 0:
            printer.write(layout[self.position : percent])
            self.position = percent + 1
            self._verb()
        printer.write(layout[self.position :])
        if not self.reordered and self.next < len(self.arguments):
            self._extra()
        return printer.text()

    def _verb(self) -> None:
        printer = self.printer
        printer.clear()
        self.good = True
        self._flags()
        self._index()
        self._width()
        self._precision()
        if not self.after_index:
            self._index()
        if self.position >= len(self.layout):
            printer.write("%!(NOVERB)")
            return
        verb = self.layout[self.position]
        self.position += 1
        if "\ud800" <= verb <= "\udfff":
            verb = "\ufffd"
        if verb == "%":
            printer.write("%")
        elif not self.good:
            printer.write(f"%!{verb}(BADINDEX)")
        elif self.next >= len(self.arguments):
            printer.write(f"%!{verb}(MISSING)")
        else:
            if verb in "vw":
                printer.go_syntax = printer.sharp
                printer.sharp = printer.plus = False
            printer.argument(self.arguments[self.next], verb)
            self.next += 1

    def _flags(self) -> None:
        printer = self.printer
        while (flag := self._character()) in ("#", "0", "+", "-", " "):
            if flag == "#":
                printer.sharp = True
            elif flag == "0":
                printer.zero = True
            elif flag == "+":
                printer.plus = True
            elif flag == "-":
                printer.minus = True
            else:
                printer.space = True
            self.position += 1

    def _character(self) -> str:
        return self.layout[self.position : self.position + 1]

    def _width(self) -> None:
        printer = self.printer
        if self._character() == "*":
            self.position += 1
            printer.width = self._argument_as_integer()
            if printer.width is None:
                printer.write("%!(BADWIDTH)")
            elif printer.width < 0:
                printer.width = -printer.width
                printer.minus = True
                printer.zero = False
            self.after_index = False
        else:
            printer.width = self._integer()
            if self.after_index and printer.width is not None:
                self.good = False

    def _precision(self) -> None:
        printer = self.printer
        if self._character() != "." or self.position + 1 >= len(self.layout):
            return
        self.position += 1
        if self.after_index:
            self.good = False
        self._index()
        if self._character() == "*":
            self.position += 1
            printer.precision = self._argument_as_integer()
            if printer.precision is None or printer.precision < 0:
                printer.precision = None
                printer.write("%!(BADPREC)")
            self.after_index = False
        else:
            printer.precision = self._integer() or 0

    def _index(self) -> None:
        """Read the number of an argument in brackets, if there is one."""
        self.after_index = False
        if self._character() != "[":
            return
        self.reordered = True
        closing = self.layout.find("]", self.position)
        if closing < 0:
            self.position += 1
            self.good = False
            return
        digits = self.layout[self.position + 1 : closing]
        self.position = closing + 1
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
        self.after_index = number is not None and number <= _LARGEST * 10
        if number is not None and 1 <= number <= len(self.arguments):
            self.next = number - 1
        else:
            self.good = False

    def _integer(self) -> int | None:
        """Read digits; a number that is far too large takes the rest of the layout with it, as in Go."""
        start = self.position
        number = 0
        while (digit := self._character()) and digit in "0123456789":
            if number > _LARGEST:
                self.position = len(self.layout)
                return None
            number = number * 10 + int(digit)
            self.position += 1
        return number if self.position > start else None

    def _argument_as_integer(self) -> int | None:
        if self.next >= len(self.arguments):
            return None
        value = self.arguments[self.next]
        self.next += 1
        if isinstance(value, Byte):
            return value.number
        if type(value) is int and -_LARGEST <= value <= _LARGEST:
            return value
        return None

    def _extra(self) -> None:
        printer = self.printer
        printer.clear()
        printer.write("%!(EXTRA ")
        for number, value in enumerate(self.arguments[self.next :]):
            if number:
                printer.write(", ")
            if value is None:
                printer.write("<nil>")
            else:
                printer.write(type_name(value) + "=")
                printer.argument(value, "v")
        printer.write(")")
