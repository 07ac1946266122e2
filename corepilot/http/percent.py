"""Paths and queries of URLs, percent-encoded (RFC 3986, section 2.1).

`urllib.parse` does so too; it also reads URLs, and is 0.4 MB in every supervisor that has nothing but a path to write.
"""

from collections.abc import Iterable

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quoted(text: str, safe: str = "") -> str:
    """A text with all that is not unreserved as %XX of its UTF-8. What is not Unicode becomes "?".

    Args:
        text: Any.
        safe: Characters of ASCII that stay as they are, too.
    """
    stays = _UNRESERVED.union(safe.encode("ascii"))
    return "".join([chr(one) if one in stays else f"%{one:02X}" for one in text.encode("utf-8", "replace")])


def unquoted(text: str) -> str:
    """What `quoted` made a text of. Bytes that are no UTF-8 become U+FFFD; what only looks like an escape stays."""
    first, *rest = text.encode("utf-8", "replace").split(b"%")
    found = bytearray(first)
    for part in rest:
        code = part[:2]
        if len(code) == 2 and code.isalnum() and all(one in b"0123456789abcdefABCDEF" for one in code):
            found += bytes.fromhex(code.decode("ascii")) + part[2:]
        else:
            found += b"%" + part
    return found.decode("utf-8", "replace")


def query(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values as the query of a URL, without the "?"."""
    return "&".join([f"{quoted(name)}={quoted(str(value))}" for name, value in pairs])
