"""From a checkout to a bundle, step by step."""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import debian

from bundling import archive, compiling, interpreter, libraries, packages, papers
from bundling.layout import NAME, PLUGINS, PROGRAMS, run

ROOT = Path(__file__).resolve().parents[2]

NEEDED = {
    "/usr/bin/python3": "python3",
    "gcc": "gcc",
    "musl-gcc": "musl-tools",
    "strip": "binutils",
    "ldd": "libc-bin",
}
"""Program -> the Debian package that brings it."""

EARLIEST = 315532800
"""The first moment that every archive format can express: 1980."""


def make(directory: Path, python: str, constraints: Sequence[str]) -> Path:
    """Make the folder `corepilot` and its archive in a directory.

    Args:
        directory: It need not exist.
        python: The Python that goes into it.
        constraints: Files with versions, as for pip.

    Returns:
        The archive's path.
    """
    debian.require_programs(NEEDED)
    chosen = interpreter.ask(python)
    if not (chosen.standard / "ensurepip").is_dir():
        debian.install([f"python{chosen.version}-venv"])
    when = moment()
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"corepilot-{_version()}-linux-{platform.machine()}.tar.gz"
    with tempfile.TemporaryDirectory(prefix="corepilot-bundle-") as name:
        scratch = Path(name)
        bundle = scratch / "bundle" / NAME
        (bundle / "lib").mkdir(parents=True)
        interpreter.copy(chosen, bundle)
        installed = bundle / chosen.packages
        packages.install(chosen, scratch, installed, constraints)
        packages.trim(installed)
        compiling.compile_all(chosen, bundle)
        loader, *others = libraries.gather(bundle)
        static = add_starters(bundle, loader.name)
        _add_place_for_plugins(bundle, installed)
        papers.write(bundle, installed, [*interpreter.parts(chosen), loader, *others, static], when)
        archive.settle(bundle, when)
        archive.pack(bundle, scratch / "archive", when)
        shutil.rmtree(directory / NAME, ignore_errors=True)
        shutil.move(bundle, directory / NAME)
        shutil.move(scratch / "archive", target)
    return target


def add_starters(bundle: Path, loader: str) -> Path:
    """Compile the starter, and put it there under each of its names; returns the library that became part of it."""
    programs = bundle / "bin"
    programs.mkdir()
    first = programs / PROGRAMS[0]
    options = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-static", "-s"]
    fixed = ["-Wl,--build-id=none", "-fno-ident", f'-DLOADER="{loader}"', "-x", "c", "-", "-o", first]
    source = Path(__file__).with_name("starter.c").read_text()
    run(["musl-gcc", *options, *fixed], "compile the starter", feed=source)
    for name in PROGRAMS[1:]:
        shutil.copy(first, programs / name)
    return Path(f"/usr/lib/{platform.machine()}-linux-musl/libc.a")


def _add_place_for_plugins(bundle: Path, installed: Path) -> None:
    """A folder on the search path behind the packages of the bundle."""
    (bundle / PLUGINS).mkdir()
    (installed / "plugins.pth").write_text(f"{os.path.relpath(bundle / PLUGINS, installed)}\n")


def _version() -> str:
    text = (ROOT / "corepilot" / "_version.py").read_text()
    return text.rpartition("= ")[2].strip().strip('"')


def moment() -> int:
    """The time that every file in the bundle gets."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        if not given.isdecimal():
            raise SystemExit(f"cannot use SOURCE_DATE_EPOCH={given!r}: it is a number of seconds since 1970")
        return max(int(given), EARLIEST)
    log = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        said = subprocess.run(log, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        said = ""  # no git: a copy of a checkout, in an image
    return max(int(said or 0), EARLIEST)
