"""Signals as people write them. Nothing heavy: the command line imports it."""

from corepilot.system.kernel import signal

_LONGEST_SHOWN = 20
_LAST = 64
_NUMBERS = {
    name[3:]: number
    for number, name in sorted(
        [(int(number), name) for name, number in vars(signal).items() if name.startswith("SIG") and name[3:].isalnum()]
    )
}


class Signalled(int):
    """The exit status of a process that a signal has ended: 128 plus its number.

    A process that exits with such a number by itself, as shells and Java do, has none of these, but a number.
    """


def signal_number(written: object) -> int:
    """The number of a signal.

    Args:
        written: A name with or without SIG, in any case; "RTMIN+3" and "RTMAX-3" are names too (signal(7)). Or a number
            from 1 to 64.

    Raises:
        ValueError: It is neither, and what is.
    """
    if isinstance(written, int) and not isinstance(written, bool):
        number = written
    elif isinstance(written, str):
        number = _named(written)
    else:
        number = 0
    if not 1 <= number <= _LAST:
        shown = repr(written)
        shown = shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
        raise ValueError(f"cannot send signal {shown}: write a name, such as HUP or SIGHUP, or a number from 1 to 64")
    return number


def signal_name(number: int) -> str:
    """The name without SIG, such as "HUP" and "RTMIN+3"; the number itself where there is none."""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"RTMIN+{number - signal.SIGRTMIN}"
    return next((name for name, known in _NUMBERS.items() if known == number), str(number))


def _named(written: str) -> int:
    """0 for what is no name."""
    text = written.strip().upper()
    if text.isascii() and text.isdigit() and len(text) <= len(str(_LAST)):
        return int(text)
    name = text.removeprefix("SIG")
    if name in _NUMBERS:
        return _NUMBERS[name]
    base, offset = name[: len("RTMIN")], name[len("RTMIN") + 1 :]
    if base not in {"RTMIN", "RTMAX"} or not (offset.isascii() and offset.isdigit() and len(offset) <= len(str(_LAST))):
        return 0
    number = _NUMBERS[base] + (int(offset) if name.startswith("RTMIN+") else -int(offset))
    in_range = _NUMBERS["RTMIN"] <= number <= _NUMBERS["RTMAX"]
    return number if in_range and name[len("RTMIN")] == {"RTMIN": "+", "RTMAX": "-"}[base] else 0
