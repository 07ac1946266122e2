"""The source: what `corepilot.sources.source.Source` asks for, here from a file behind `first-source://`."""

import os

from corepilot.sources.source import MAX_BYTES, SourceContext, SourceError, SourceText

SCHEME = "first-source://"


class FirstSourceSource:
    """Reads the text at `first-source://PATH`. Replace `_bytes` with a request to your store."""

    def read(self, location: str, context: SourceContext) -> SourceText:
        """Return the whole text, or raise a SourceError that says what to do."""
        path = "/" + location.removeprefix(SCHEME).rpartition("@")[2].lstrip("/")
        name = SCHEME + path  # without user and password
        data = _bytes(path, name, context.deadline_s)
        if len(data) > MAX_BYTES:
            raise SourceError(f"cannot read configuration {name!r}: more than {MAX_BYTES} bytes; make it smaller")
        try:
            return SourceText(data.decode("utf-8"), name, None)
        except UnicodeDecodeError as error:
            raise SourceError(f"cannot read configuration {name!r}: not UTF-8 at byte {error.start}") from error


def _bytes(path: str, name: str, deadline_s: float) -> bytes:
    """All of it, at most one byte more than may be. Whatever waits here has to give up after `deadline_s` seconds."""
    del deadline_s  # a regular file does not keep anybody waiting
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"cannot read configuration {name!r}: {error.strerror}; check the path") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
