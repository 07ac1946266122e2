"""File names for any text: services and instance ids may hold what a file name may not."""

import os

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 200  # of the 255 bytes that a file system allows
_SHORTENED = 100


def directory_name(service: str) -> str:
    """The name of a service's directory: the same for everybody, different for different services, never hidden.

    Bytes of its UTF-8 that are not letters, digits, "-", "_" or "." become %XX; so does a "." at the beginning. A name
    that would be too long ends in "~" and a digest of the whole instead.
    """
    name = _escape(service)
    if len(name) <= _LONGEST:
        return name
    from hashlib import sha256  # loads OpenSSL; nobody has such a service

    return f"{name[:_SHORTENED]}~{sha256(_bytes(service)).hexdigest()}"


def new_file_name(instance_id: str) -> str:
    """A name that no file ever had, which begins with the id for people to read.

    It is never used again. Whoever finds the holder dead may therefore unlink the name, however much later: it cannot
    hit a successor. A name derived from the id alone could, between looking at the inode and unlinking.
    """
    return f"{_escape(instance_id)[:_SHORTENED]}~{os.urandom(8).hex()}"


def key_file_name(key: str) -> str:
    """The name of a key's file: as that of a service's directory. "/" is a byte like any other.

    Only of names without "~" it can be told which keys they stand for: see `key_prefix`.
    """
    return directory_name(key)


def key_prefix(prefix: str) -> str:
    """What the names of all files begin with whose keys are below a prefix, if they have no "~" in them."""
    return _escape(f"{prefix}/") if prefix else ""


def _escape(text: str) -> str:
    escaped = "".join([chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in _bytes(text)])
    return "%2E" + escaped[1:] if escaped.startswith(".") else escaped or "%"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
