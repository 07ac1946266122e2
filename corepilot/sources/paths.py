"""Which path a location names: a path as it is, or one in a `file://` URL (RFC 8089)."""

import os

from corepilot.sources.values import SourceError


def absolute_path(location: str) -> str:
    """The path of a location as processes with other working directories name it. Symbolic links stay in it.

    Raises:
        SourceError: It is a URL that names no file here.
    """
    return os.path.abspath(path_of(location))


def path_of(location: str) -> str:
    """The path that a location names.

    Raises:
        SourceError: It is a URL that names no file here, or no path at all.
    """
    name = printable(location)
    if location[:7].lower() != "file://":
        path = location
    else:
        from urllib.parse import unquote_to_bytes

        host, slash, rest = location[7:].partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            rule = "a file URL names no other host and has an absolute path"
            raise SourceError(f"cannot read configuration {name!r}: {rule}; write file:///path/to/file")
        path = os.fsdecode(unquote_to_bytes(os.fsencode("/" + rest)))
    if not path or "\0" in path:
        why = "the path holds a NUL character" if path else "the path is empty"
        raise SourceError(f"cannot read configuration {name!r}: {why}; name a file")
    return path


def printable(text: str) -> str:
    """Return text that can be written to any UTF-8 stream: file names may hold bytes that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
