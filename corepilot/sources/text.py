"""From bytes to the text of a configuration, with the place of what is not UTF-8."""

from corepilot.sources.values import MAX_BYTES, SourceError


def decoded(data: bytes, name: str) -> str:
    """The text in UTF-8 bytes.

    Args:
        data: The whole document.
        name: The document in messages.

    Raises:
        SourceError: they are not UTF-8; says where.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        hint = "save it as UTF-8"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "it looks like UTF-16: save it as UTF-8"
        place = f"line {line}, column {column} (byte {error.start})"
        raise SourceError(
            f"cannot read configuration {name!r}: it is not UTF-8: byte 0x{data[error.start]:02x} at {place}; {hint}"
        ) from None


def too_long(name: str, size: str) -> SourceError:
    """The error for a document of more than MAX_BYTES bytes."""
    return SourceError(
        f"cannot read configuration {name!r}: it has {size}, and {MAX_BYTES} are the limit; make it smaller"
    )
