"""What names look like: of services, of catalogs, and keys.

On the way to the first job, where a regular expression costs a third of a millisecond to compile.
"""

NAME_HINT = "start with a small letter, then at least one more letter, digit or dash"
CATALOG_HINT = "write letters, digits, - and _"
LOCK_HINT = "write letters, digits, -, _ and ."
KEY_HINT = "write segments with / between them, such as app/limits"

KEY_MAX = 512
"""Bytes; the same as `corepilot.discovery.keys.KEY_MAX`."""


def is_service_name(name: str) -> bool:
    """Whether a name is `^[a-z][a-zA-Z0-9-]+$`, which DNS and catalogs can carry."""
    return len(name) > 1 and "a" <= name[0] <= "z" and name.isascii() and name.replace("-", "a").isalnum()


def is_catalog_name(name: str) -> bool:
    """Whether a name can be a catalog's: it is shown in front of log lines, and named in lists."""
    return bool(name) and name.isascii() and name.replace("-", "a").replace("_", "a").isalnum()


def is_lock_name(name: str) -> bool:
    """Whether a name can be a lock's in every store (see `corepilot.discovery.locks`)."""
    return name not in {".", ".."} and is_catalog_name(name.replace(".", "a"))


def key_fault(key: str) -> str:
    """What is wrong with a key, to follow its text; "" if nothing is (see `corepilot.discovery.keys`).

    It may have a slash at its end, as a prefix may: that one names no single key is the caller's to say.
    """
    segments = key.removeprefix("/").removesuffix("/").split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        return "is not a key"
    if not key.isprintable():
        return "holds characters that a key cannot have"
    return "is too long for a key" if len(key.encode()) > KEY_MAX else ""
