"""A configuration in the files of a directory, such as `conf.d`.

What counts are names that end in `.json5` or `.json` and do not begin with a dot, in the order of their bytes (so
`10-…` before `20-…`, and `9-…` after both). Other files, such as a README, a backup (`x.json5~`, `x.json5.orig`) or
what a package manager leaves behind, are not part of the configuration; directories in it are not searched. A name that
counts and is not a readable file is an error: a document that is silently left out would be a job that silently does
not run.

The files may be replaced while they are read, as when a ConfigMap is updated. So the directory is looked at before and
after; if something is different, everything is read again.
"""

import os
import time

from corepilot.sources.file import read, world_writable
from corepilot.sources.paths import path_of, printable
from corepilot.sources.values import SourceContext, SourceError, SourceText

SUFFIXES = (".json5", ".json")

_ROUNDS = 3  # a directory that never comes to rest is written to by something that is no deployment


class DirectorySource:
    """The source for directories."""

    def read(self, location: str, context: SourceContext) -> list[SourceText]:
        """Return the text of each file that counts, in the order of their names; an empty list if there is none.

        Args:
            location: A path, or a `file://` URL.
            context: The deadline is for all files together.

        Raises:
            SourceError: The directory cannot be read, one of its files cannot, or it changes all the time.
        """
        end = time.monotonic() + context.deadline_s
        label, path = printable(location), path_of(location)
        base = location if path == location else path  # a name may hold what means something else in a URL
        for _ in range(_ROUNDS):
            before = _looked_at(path, label)
            texts = []
            for name, _, _, _ in before:
                left_s = end - time.monotonic()
                if left_s <= 0:
                    rule = f"reading took longer than {context.deadline_s:g} s"
                    raise SourceError(f"cannot read configuration {label!r}: {rule}; check the file system it is on")
                texts.append(read(os.path.join(base, name), left_s))
            if _looked_at(path, label) == before:
                return _with_warnings(path, label, texts)
        raise SourceError(f"cannot read configuration {label!r}: its files keep changing; find out what writes to it")


def _looked_at(path: str, label: str) -> list[tuple[str, int, int, int]]:
    """Name, inode, time and size of each file that counts."""
    found = []
    try:
        for name in sorted(os.listdir(path), key=os.fsencode):
            if not name.endswith(SUFFIXES) or name.startswith("."):
                continue
            try:
                info = os.stat(os.path.join(path, name))
            except OSError:  # reading it says why
                found.append((name, 0, 0, 0))
            else:
                found.append((name, info.st_ino, info.st_mtime_ns, info.st_size))
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        hint = f"user {os.geteuid()} needs the right to read and to enter it, and the directories above it"
        raise SourceError(f"cannot read configuration {label!r}: {why}; {hint}") from error
    return found


def _with_warnings(path: str, label: str, texts: list[SourceText]) -> list[SourceText]:
    """Say with the first document that others can put documents here."""
    if texts:
        try:
            found = world_writable(os.stat(path), label, os.geteuid())
        except OSError:
            found = ()  # it has gone since; what was read is whole
        texts[0].warnings = (*found, *texts[0].warnings)
    return texts
