"""What every file of the catalog begins with: one line that proves the rest.

    corepilot-instance 1 9ae0daaf 000214

The kind of file, the format's version, the CRC-32 of what follows, and its length in bytes. What follows that is
filling. A reader of an older version leaves alone what a newer one wrote.
"""

from zlib import crc32

VERSION = 1
LIMIT_BYTES = 64 * 1024
"""The longest file that is read, and the longest record that is written, but for values of keys."""

_HEADER_MORE_BYTES = 32


class TornError(ValueError):
    """The bytes are half of one record and half of another: look again."""


class ForeignRecordError(ValueError):
    """The bytes are not a record of this version: the reason is the message."""


def frame(magic: bytes, payload: bytes) -> bytes:
    """The bytes of a file, with a newline at the end."""
    return b"%s %d %08x %06d\n%s\n" % (magic, VERSION, crc32(payload), len(payload), payload)


def unframe(magic: bytes, what: str, data: bytes) -> bytes:
    """What is framed in these bytes.

    Args:
        magic: The kind of file.
        what: The same in words: "an instance of a catalog".
        data: The file, or its beginning.

    Raises:
        TornError: they were read while the holder wrote.
        ForeignRecordError: they are something else, or of another version.
    """
    header, newline, _ = data[: len(magic) + _HEADER_MORE_BYTES].partition(b"\n")
    fields = header.split(b" ")
    if fields[0] != magic or len(fields) < 2 or not newline:
        raise ForeignRecordError(f"it is not {what}")
    if fields[1] != b"%d" % VERSION:
        version = fields[1].decode(errors="replace")
        raise ForeignRecordError(f"it has format version {version}, and this corepilot knows version {VERSION} only")
    try:
        checksum, length = int(fields[2], 16), int(fields[3])
    except (ValueError, IndexError):
        raise ForeignRecordError("its first line is broken") from None
    begin = len(header) + 1
    payload = data[begin : begin + length]
    if len(payload) < length or crc32(payload) != checksum:
        raise TornError("its checksum does not match")
    return payload
