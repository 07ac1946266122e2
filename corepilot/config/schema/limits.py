"""The settings of `jobs[].limits`: resource limits, in the names and units of setrlimit(2)."""

from typing import Any, cast

from corepilot.config.diagnostics.complaints import refusal, shown
from corepilot.config.schema.fields import Setting
from corepilot.config.schema.sections import Section
from corepilot.config.text.units import weak_int


class Limit(Setting):
    """A resource limit: one number for both, `soft:hard`, or an object of them. The result is (soft, hard).

    Args:
        help: As for Setting.
        settings: As for Setting; a limit in bytes takes `K`, `M` and `G`.
    """

    kind = "whole number, `unlimited`, `soft:hard` or object"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[int, int]:
        del attr, data, kwargs
        soft = hard = value
        if isinstance(value, dict) and set(value) == {"soft", "hard"}:
            soft, hard = value["soft"], value["hard"]
        elif isinstance(value, str) and ":" in value:
            soft, _, hard = value.partition(":")
        numbers = self._number(soft), self._number(hard)
        if None in numbers:
            units = ", with K, M or G" if self.metadata["unit"] else ""
            hint = f'write a whole number{units}, "unlimited", or "1024:4096": soft and hard'
            raise refusal("wrong-value", f"{shown(value)} is not a limit", hint)
        low, high = cast(tuple[int, int], numbers)
        if high != _UNLIMITED and (low == _UNLIMITED or low > high):
            raise refusal("wrong-value", "the soft limit is above the hard one", "raise the hard one, the second")
        return low, high

    def _number(self, value: Any) -> int | None:
        factor = 1
        if isinstance(value, str):
            value = value.strip()
            if value.lower() in {"unlimited", "infinity", "-1"}:
                return _UNLIMITED
            if self.metadata["unit"] == "bytes" and value[:-1].isdigit() and value[-1:].upper() in _FACTORS:
                factor, value = _FACTORS[value[-1].upper()], value[:-1]
            elif not (value.isascii() and value.isdigit()):
                return None
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            return None
        try:
            number = weak_int(value) * factor
        except ValueError:
            return None
        return number if 0 <= number < 2**63 else _UNLIMITED if number == -1 else None


_UNLIMITED = -1
_FACTORS = {"K": 1024, "M": 1024**2, "G": 1024**3}


class LimitsSection(Section):
    """`jobs[].limits`."""

    cpu = Limit("processor time", unit="s", default_text="as corepilot's")
    fsize = Limit("size of a file that it writes", unit="bytes", default_text="as corepilot's", example="1G")
    data = Limit("data segment", unit="bytes", default_text="as corepilot's")
    stack = Limit("stack", unit="bytes", default_text="as corepilot's", example="8M")
    core = Limit("core file; 0: none is written", unit="bytes", default_text="as corepilot's", example="0")
    rss = Limit("resident memory, which Linux does not limit", unit="bytes", default_text="as corepilot's")
    nproc = Limit("processes of its user", default_text="as corepilot's")
    nofile = Limit("open files", default_text="as corepilot was given it", example="65536")
    memlock = Limit("locked memory", unit="bytes", default_text="as corepilot's", example="unlimited")
    address_space = Limit("address space", key="as", unit="bytes", default_text="as corepilot's", example="512M")
    sigpending = Limit("queued signals of its user", default_text="as corepilot's")
    msgqueue = Limit("POSIX message queues of its user", unit="bytes", default_text="as corepilot's")
    nice = Limit("ceiling of its nice value, as 20 minus that", default_text="as corepilot's")
    rtprio = Limit("real-time priority", default_text="as corepilot's")
