"""The source: `gzip://PATH`, decompressed in the loader, up to the limit that every source has."""

import gzip
import os
import zlib

from corepilot.sources.source import MAX_BYTES, SourceContext, SourceError, SourceText

SCHEME = "gzip://"


class GzipSource:
    def read(self, location: str, context: SourceContext) -> SourceText:  # noqa: ARG002  - a file makes nobody wait
        path = "/" + location.removeprefix(SCHEME).rpartition("@")[2].lstrip("/")
        name = SCHEME + path
        try:
            with open(path, "rb", opener=_without_waiting) as raw, gzip.open(raw) as file:
                data = file.read(MAX_BYTES + 1)  # a bomb is not decompressed any further
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"cannot read configuration {name!r}: {error}; compress it with gzip") from error
        except OSError as error:
            raise SourceError(f"cannot read configuration {name!r}: {error.strerror}; check the path") from error
        if len(data) > MAX_BYTES:
            raise SourceError(f"cannot read configuration {name!r}: more than {MAX_BYTES} bytes; make it smaller")
        try:
            return SourceText(data.decode("utf-8"), name, None)
        except UnicodeDecodeError as error:
            raise SourceError(f"cannot read configuration {name!r}: not UTF-8 at byte {error.start}") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
