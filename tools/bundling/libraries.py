"""The shared libraries that a bundle's programs need, the C library and its loader among them."""

import re
import shutil
from pathlib import Path

from bundling.layout import files_of, run

_ALWAYS = ("libgcc_s.so.1",)
"""What glibc loads by name: it unwinds with that when a thread ends early."""

_OUTSIDE = (b"/lib/{}/\0", b"/usr/lib/{}/\0", b"/lib/\0", b"/usr/lib/\0", b"/etc/ld.so.preload\0")


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
    shutil.copyfile(loader, bundle / "lib" / loader.name)
    (bundle / "lib" / loader.name).chmod(0o755)
    return [loader, *wanted]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
