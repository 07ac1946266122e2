"""A key's file: its version, its name, its value.

    corepilot-key 1 5f1c2e90 000047
    9f3c5d0e77aa1b42 10
    app/limits
    …the value as it is

The second line is the version and the length of the key in bytes. Files are never written in place: whoever reads one
reads the whole of it, as it was.
"""

import errno
import os
from typing import NamedTuple

from corepilot.discovery.embedded.framing import LIMIT_BYTES, ForeignRecordError, TornError, frame, unframe
from corepilot.discovery.embedded.names import key_prefix
from corepilot.discovery.keys import VALUE_MAX

_MAGIC = b"corepilot-key"
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_FILE = frozenset((errno.ELOOP, errno.ENXIO, errno.EISDIR))
_LIMIT_BYTES = VALUE_MAX + LIMIT_BYTES


class KeyFile(NamedTuple):
    """What a file says.

    Attributes:
        key: Without a slash at its beginning.
        value: What it holds.
        version: Random, so that no two writes ever have the same.
    """

    key: str
    value: bytes
    version: str


def new_version() -> str:
    """A version that no file ever had."""
    return os.urandom(8).hex()


def encode(file: KeyFile) -> bytes:
    """The bytes of a file."""
    key = file.key.encode()
    return frame(_MAGIC, b"%s %d\n%s\n%s" % (file.version.encode(), len(key), key, file.value))


def read(path: str) -> KeyFile:
    """Read a file.

    Raises:
        OSError: it is not there, or cannot be read.
        ForeignRecordError: it is not a key's: the reason is the message.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            data = bytearray()
            while len(data) <= _LIMIT_BYTES and (more := os.read(descriptor, _LIMIT_BYTES)):
                data += more
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise ForeignRecordError("it is not a regular file") from error
        raise
    return decode(bytes(data))


def decode(data: bytes) -> KeyFile:
    """What these bytes say.

    Raises:
        ForeignRecordError: they are something else.
    """
    try:
        header, _, rest = unframe(_MAGIC, "a key of a catalog", data).partition(b"\n")
        version, length = header.decode("ascii").split(" ")
        size = int(length)
        key, newline, value = rest[:size].decode(), rest[size : size + 1], rest[size + 1 :]
    except ForeignRecordError:
        raise
    except TornError as error:
        raise ForeignRecordError(str(error)) from None
    except ValueError:
        raise ForeignRecordError("its second line is broken") from None
    if newline != b"\n" or size < 0:
        raise ForeignRecordError("its second line is broken")
    return KeyFile(key, value, version)


def may_be_below(name: str, prefix: str) -> bool:
    """Whether the key of a file of this name may be below a prefix; for long keys only the file itself tells."""
    return "~" in name or name.startswith(key_prefix(prefix))


def is_below(key: str, prefix: str) -> bool:
    """Whether a key is below a prefix; "" for all."""
    return not prefix or key.startswith(f"{prefix}/")
