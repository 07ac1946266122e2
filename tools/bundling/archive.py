"""A folder as a .tar.gz that is the same for the same files."""

import gzip
import os
import tarfile
from pathlib import Path


def settle(bundle: Path, when: int) -> None:
    """Give everything in a folder the same time and the usual modes."""
    for path in sorted(bundle.rglob("*"), reverse=True):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.parent.name == "bin" or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, (when, when))
    bundle.chmod(0o755)
    os.utime(bundle, (when, when))


def pack(bundle: Path, archive: Path, when: int) -> None:
    """Write the folder under its own name, sorted, owned by root."""

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = when
        return member

    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=when) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in [bundle, *sorted(bundle.rglob("*"))]:
            tar.add(path, path.relative_to(bundle.parent), recursive=False, filter=owned)
