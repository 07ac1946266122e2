"""Numbers of bytes, as people write them."""

from collections.abc import Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import refusal
from corepilot.config.schema.fields import Setting


class Size(Setting):
    """A number of bytes, such as 65536, "64KiB", "10MB" or "1GiB".

    Args:
        help: As for Setting.
        least: The smallest.
        most: The largest.
        settings: As for Setting.
    """

    kind = "size"

    def __init__(self, help: str, *, least: int = 0, most: int = 2**50, **settings: Any) -> None:  # noqa: A002  - as above
        super().__init__(help, **settings)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        del attr, data, kwargs
        found = _bytes(value)
        if found is None:
            raise refusal("wrong-type", f"{self.shown(value)} is not a size", 'write bytes, or a text such as "10MiB"')
        if not self._least <= found <= self._most:
            rule = f"{self.shown(value)} is not between {self._least} and {self._most} bytes"
            raise refusal("wrong-value", rule, "write another size")
        return found


_UNITS = {"": 1, "B": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "KI": 1024, "MI": 1024**2, "GI": 1024**3}
_LONGEST_SIZE = 20


def _bytes(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip().upper()
    digits = text.rstrip("BIKMG ")
    unit = text[len(digits) :].strip()
    unit = unit.removesuffix("B") if len(unit) > 1 else unit
    if unit not in _UNITS or len(digits) > _LONGEST_SIZE or not digits.replace(".", "", 1).isdecimal():
        return None
    return int(float(digits) * _UNITS[unit])
