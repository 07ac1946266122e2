"""What can be a key, a prefix, a value and a lock's name, in every store: judged before a backend is asked.

The rules are those of `corepilot.discovery.keys` and `corepilot.discovery.locks`. A backend repeats none of them; it
refuses what its own store cannot hold beyond them. Pure.
"""

import re

from corepilot.discovery.keys import KEY_MAX, VALUE_MAX
from corepilot.errors import BackendRefusedError

_LOCK_NAME = re.compile(r"[A-Za-z0-9._-]+")


def require_key(action: str, key: str) -> None:
    """Require a key.

    Args:
        action: What is asked for, to follow "cannot" and to be followed by what it is asked for, such as "put".
        key: What may be one.

    Raises:
        BackendRefusedError: it is none; the message says why.
    """
    why = _key_fault(key)
    if why:
        raise BackendRefusedError(f"cannot {action} {_shown(key)}: {why}")


def require_prefix(action: str, prefix: str) -> None:
    """Require a prefix: "" for all keys that are not absolute, or a key, which may have a slash at its end.

    Raises:
        BackendRefusedError: as `require_key`.
    """
    why = _key_fault(prefix.removesuffix("/")) if prefix else ""
    if why:
        raise BackendRefusedError(f"cannot {action} {_shown(prefix)}: {why}")


def require_value(action: str, key: str, value: bytes) -> None:
    """Require a value that every store can hold.

    Raises:
        BackendRefusedError: it is too long.
    """
    if len(value) > VALUE_MAX:
        raise BackendRefusedError(
            f"cannot {action} {_shown(key)}: a value has at most {VALUE_MAX} bytes, and this one has {len(value)}"
        )


def require_lock_name(action: str, name: str) -> None:
    """Require a lock's name.

    Raises:
        BackendRefusedError: it is none.
    """
    if name in {".", ".."} or not _LOCK_NAME.fullmatch(name):
        rule = 'a lock\'s name is made of letters, digits, ".", "_" and "-", and is neither "." nor ".."'
        raise BackendRefusedError(f"cannot {action} {_shown(name)}: {rule}")


def _key_fault(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "a key is text that can be written in UTF-8"
    if not {"", ".", ".."}.isdisjoint(key.removeprefix("/").split("/")):
        return 'a key is made of segments with one slash between them, none of them empty, "." or ".."'
    return f"a key has at most {KEY_MAX} bytes, and this one has {size}" if size > KEY_MAX else ""


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 80 else f"{text[:80]!a}…"  # of what is refused, anything may be in it
