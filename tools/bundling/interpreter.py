"""The Python that goes into a bundle: its program, and what of its standard library a supervisor can use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bundling.layout import INTERPRETER, run

LEFT_OUT = frozenset(
    (
        *("__phello__", "config", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "turtledemo", "venv"),
        *("curses", "dbm", "distutils", "sqlite3", "tkinter"),
        *("antigravity", "pydoc", "sitecustomize", "this", "turtle"),
        *("_crypt", "_curses", "_curses_panel", "_dbm", "_gdbm", "_sqlite3", "_tkinter", "nis", "ossaudiodev"),
        *("_ctypes_test", "_testbuffer", "_testcapi", "_testclinic", "_testimportmultiple", "_testinternalcapi"),
        *("_testmultiphase", "_testsinglephase", "_xxinterpchannels", "_xxsubinterpreters", "_xxtestfuzz"),
        *("readline", "xxlimited", "xxlimited_35", "xxsubtype", "crypt"),
    )
)
"""Modules for tests, screens and databases, and those that make other Pythons. docs/how-to/bundle.md names them."""

_ASK = """\
import json, os, site, sys, sysconfig
paths = sysconfig.get_paths()
beginning = "/lib/python%d." % sys.version_info[0]
packages = [entry for entry in site.getsitepackages(["/"]) if entry.startswith(beginning)]
print(json.dumps({
    "program": os.path.realpath(sys.executable), "version": "%d.%d" % sys.version_info[:2],
    "full_version": sys.version.split()[0], "standard": paths["stdlib"], "platform": paths["platstdlib"],
    "packages": packages[0].lstrip("/"),
}))
"""


class Interpreter(NamedTuple):
    """What a Python says of itself.

    Attributes:
        program: The file, links resolved.
        version: Such as 3.11.
        full_version: Such as 3.11.2.
        standard: The folder of its standard library.
        platform: The folder in which `lib-dynload` is.
        packages: Where packages are installed, from the bundle's folder.
    """

    program: Path
    version: str
    full_version: str
    standard: Path
    platform: Path
    packages: str


def ask(program: str) -> Interpreter:
    """Ask a Python where its parts are."""
    said = json.loads(run([program, "-I", "-c", _ASK], f"ask {program} what it consists of"))
    paths = {name: Path(said[name]) for name in ("program", "standard", "platform")}
    return Interpreter(**{**said, **paths})


def copy(python: Interpreter, bundle: Path) -> None:
    """Put the program and its library into the bundle, as they are."""
    library = bundle / "lib" / f"python{python.version}"
    shutil.copytree(python.standard, library, ignore=_ignored(python.standard))
    if python.platform != python.standard:
        shutil.copytree(python.platform, library, ignore=_ignored(python.platform), dirs_exist_ok=True)
    shutil.copy(python.program, bundle / "lib" / INTERPRETER)


def parts(python: Interpreter) -> list[Path]:
    """Files by which the packages are found that it is from."""
    modules = [python.standard / name for name in ("os.py", "asyncio/__init__.py")]
    return [python.program, *modules, *sorted((python.platform / "lib-dynload").glob("_ssl.*.so"))]


def _ignored(top: Path) -> Callable[[str, list[str]], list[str]]:
    """For shutil.copytree: everything that is not Python, and what is left out."""

    def ignored(folder: str, names: list[str]) -> list[str]:
        within = Path(folder) == top or Path(folder).name == "lib-dynload"
        return [name for name in names if _is_left_out(Path(folder) / name, named=within)]

    return ignored


def _is_left_out(path: Path, *, named: bool) -> bool:
    if path.is_dir():
        unwanted = path.name in {"__pycache__", "site-packages", "dist-packages", "test", "tests"}
        return unwanted or (named and path.name.partition("-")[0] in LEFT_OUT)
    if path.suffix not in {".py", ".so"}:
        return True
    return named and path.name.partition(".")[0] in LEFT_OUT
