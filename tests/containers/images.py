"""Root file systems without Python, in which the bundle is to work: see IMAGES.

The bundle itself is at /opt/corepilot, with links to it where entry points are looked for.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

PLACE = "/opt/corepilot"
JOB = Path(__file__).with_name("job.c")
_MUSL = Path("/lib/ld-musl-x86_64.so.1")
_SHELL_PROGRAMS = ("sh", "sleep", "cat", "env", "flock", "kill", "ls", "mv")


def make(name: str, folder: Path) -> Path:
    """Make the root file system of that name in a folder that does not exist; returns the folder."""
    for made in ("etc", "bin", "usr/local/bin"):
        (folder / made).mkdir(parents=True)
    (folder / "usr" / "local" / "bin" / "corepilot").symlink_to(f"{PLACE}/bin/corepilot")
    (folder / "bin" / "containerpilot").symlink_to(f"{PLACE}/bin/containerpilot")
    IMAGES[name](folder)
    return folder


def _scratch(folder: Path) -> None:
    _compile(folder, "musl-gcc", "-static")


def _distroless(folder: Path) -> None:
    _compile(folder, "gcc")
    _copy_with_libraries(folder / "bin" / "job", folder)


def _debian(folder: Path) -> None:
    _distroless(folder)
    (folder / "lib").mkdir(exist_ok=True)
    for name in _SHELL_PROGRAMS:
        program = Path(str(shutil.which("dash" if name == "sh" else name)))
        shutil.copy(program, folder / "bin" / name)
        _copy_with_libraries(folder / "bin" / name, folder)


def _musl(folder: Path) -> None:
    _compile(folder, "musl-gcc")
    (folder / "lib").mkdir()
    shutil.copy(_MUSL, folder / "lib")
    shutil.copy(str(shutil.which("busybox")), folder / "bin")
    names = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True, timeout=60).stdout.split()
    for name in {*names} - {"busybox"}:
        (folder / "bin" / name).symlink_to("busybox")


IMAGES: dict[str, Callable[[Path], None]] = {
    "debian": _debian,
    "distroless": _distroless,
    "musl": _musl,
    "scratch": _scratch,
}
"""Debian's C library with a shell and some programs; without them; musl and busybox; nothing but a static program.

busybox is to be Debian's static one, as tests/run installs it: another needs Debian's C library.
"""


def _compile(folder: Path, compiler: str, *options: str) -> None:
    """Put the job into `bin`, for the C library of that compiler."""
    subprocess.run([compiler, *options, "-o", folder / "bin" / "job", JOB], check=True, timeout=60)


def _copy_with_libraries(program: Path, folder: Path) -> None:
    """Copy what a program of the host's is linked to, to where it is on the host."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, timeout=60).stdout
    for path in re.findall(r"(/\S+) \(", said):
        (folder / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.lstrip("/"))
