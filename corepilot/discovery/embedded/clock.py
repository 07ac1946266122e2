"""The clock of the stamps: seconds since the kernel's boot, the same number in every container of one kernel.

CLOCK_BOOTTIME counts while the machine is suspended and is never set, so that a stamp means the same to everybody.
Only a time namespace shifts it (time_namespaces(7)); the shift is taken off again. The boot's id tells stamps of
another kernel, which mean nothing here, from ours.
"""

from time import CLOCK_BOOTTIME, clock_gettime

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_OFFSETS = "/proc/self/timens_offsets"


class BootClock:
    """Tells the time since boot, as the initial time namespace has it.

    Attributes:
        boot: The id of this boot; "" where the kernel does not tell it. Some container managers (systemd-nspawn, LXD)
            give every container another one: equal ids prove one kernel, different ids prove nothing.
    """

    def __init__(self) -> None:
        self.boot = _read(_BOOT_ID).strip()
        self._offset_s = _offset_s(_read(_OFFSETS))

    def __call__(self) -> float:
        """Seconds since the boot."""
        return clock_gettime(CLOCK_BOOTTIME) - self._offset_s


def _offset_s(offsets: str) -> float:
    for line in offsets.splitlines():  # "boottime    <seconds>    <nanoseconds>", or the clock's number for the name
        fields = line.split()
        if len(fields) == 3 and fields[0] in {"boottime", "7"}:
            return int(fields[1]) + int(fields[2]) / 1e9
    return 0.0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:  # an old kernel, or /proc is hidden
        return ""
