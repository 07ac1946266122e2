"""The shared libraries that a bundle's programs need, the C library and its loader among them."""

import re
import shutil
from pathlib import Path

from bundling.layout import files_of, run

_ALWAYS = ("libgcc_s.so.1",)
"""What glibc loads by name: it unwinds with that when a thread ends early."""

_PRELOADED = b"/etc/ld.so.preload"
_NOWHERE = b"\x01"
"""Stands for the first letter of folders that the loader is not to look into: no folder has such a name."""


def gather(bundle: Path) -> list[Path]:
    """Copy every library that something in the bundle is linked to into its `lib`, and strip what pip has brought.

    Returns:
        The files they were copied from, the loader first.
    """
    objects = [path for path in files_of(bundle / "lib") if _is_elf(path)]
    run(["strip", "--strip-unneeded", *objects], "strip the libraries")
    said = run(["ldd", *objects], "ask what they are linked to")
    missing = sorted(set(re.findall(r"^\s*(\S+) => not found", said, re.MULTILINE)))
    if missing:
        raise SystemExit(f"cannot make a bundle: a module is linked to {', '.join(missing)}, which is not here")
    found = {Path(path) for path in re.findall(r"=> (/\S+) \(", said)}
    loaders = {Path(path) for path in re.findall(r"^\s+(/\S*/ld-\S+) \(", said, re.MULTILINE)}
    if len(loaders) != 1:
        raise SystemExit(f"cannot make a bundle: one loader is expected, found {sorted(map(str, loaders))}")
    loader = loaders.pop()
    libc = next(path for path in found if path.name == "libc.so.6")
    found |= {libc.with_name(name) for name in _ALWAYS}
    wanted = sorted(path for path in found if not path.is_relative_to(bundle))
    for path in wanted:
        shutil.copyfile(path, bundle / "lib" / path.name)
    (bundle / "lib" / loader.name).write_bytes(confined(loader))
    (bundle / "lib" / loader.name).chmod(0o755)
    return [loader, *wanted]


def confined(loader: Path) -> bytes:
    """The loader's bytes, with the places outside of the bundle where it looks for libraries made such as nobody has.

    It is told the bundle's folder on its command line, and would go on to the system's folders for what is not there
    (a module of the name service that the image's /etc/nsswitch.conf names), and to /etc/ld.so.preload first of all.
    """
    data = loader.read_bytes()
    triplet = loader.resolve().parent.name.encode()
    folders = b"".join(b"/%s/\0" % name for name in (b"lib/" + triplet, b"usr/lib/" + triplet, b"lib", b"usr/lib"))
    for text, expected in ((folders, (1, 2)), (_PRELOADED + b"\0", (1,))):
        if data.count(text) not in expected:
            raise SystemExit(f"cannot make a bundle: {loader} does not hold {text!r} as the loader of Debian does")
        data = data.replace(text, b"\0".join(_moved(path) for path in text.split(b"\0")))
    return data


def _moved(path: bytes) -> bytes:
    return path[:1] + _NOWHERE + path[2:] if path else path


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
