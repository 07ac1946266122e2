"""Whether jobs can become the users that they are to run as, on this machine."""

import os
from collections.abc import Sequence

_SETGID, _SETUID, SYS_RESOURCE = 6, 7, 24
"""Numbers of capabilities (capabilities(7))."""


NUMBER_MAX = 2**32 - 2
"""The last number of a user or a group: the one behind it means "unchanged" to the kernel."""


def number(name: str) -> int:
    """The number that is written in the place of a name; -1 if it is a name."""
    # More digits than any number of a user has stay too many, and int() takes only so many.
    return int(name[:20]) if name.isascii() and name.isdigit() else -1


def unknown(kind: str, name: str) -> bool:
    """Whether there is no such "user" or "group" here; a number needs no entry."""
    if number(name) >= 0:
        return False
    try:
        if kind == "user":
            import pwd

            pwd.getpwnam(name)
        else:
            import grp

            grp.getgrnam(name)
    except (KeyError, ValueError):
        return True
    return False


def may_become(user: str, group: str, groups: Sequence[str]) -> bool:
    """Whether this process may become a user that is known, with these groups."""
    uid = os.geteuid()
    if user and not group and not groups and _uid_of(user) == uid:
        return True
    other = bool(user) and _uid_of(user) != uid
    return has(_SETGID) and (not other or has(_SETUID))


def has(capability: int) -> bool:
    """Whether this process has a capability."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            line = next((one for one in file if one.startswith("CapEff:")), "")
        return bool(int(line.split()[1], 16) >> capability & 1)
    except (OSError, IndexError, ValueError):
        return os.geteuid() == 0


def _uid_of(user: str) -> int:
    if number(user) >= 0:
        return number(user)
    import pwd

    return pwd.getpwnam(user).pw_uid
