"""Locations that mean a descriptor of the process that looks, such as /dev/fd/63 for a shell's `<(…)`.

On the boot path: imports nothing.
"""

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Iterable

_DIRECTORIES = ("/dev/fd/", "/proc/self/fd/")


def named_descriptors(words: "Iterable[str]") -> frozenset[int]:
    """The descriptors above 2 that are named at the end of some words: locations, or whole words of a command line.

    They were inherited, and whoever closes what was inherited has to leave them to the loader.
    """
    found = set()
    for word in words:
        for directory in _DIRECTORIES:
            number = word.rpartition(directory)[2] if directory in word else ""
            if number.isdecimal() and len(number) < 8 and int(number) > 2:
                found.add(int(number))
    return frozenset(found)
