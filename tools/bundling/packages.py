"""The packages that go into a bundle: corepilot, all its plugins, and what they need, as pip installs them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import environment

from bundling.interpreter import Interpreter
from bundling.layout import files_of, run

_NOT_NEEDED = frozenset((".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx", ".typed"))
"""Ends of the names of files that are of use to compilers and type checkers only."""

_FOLDERS = frozenset(("tests", "test", "testing", "__pycache__", "bin", "include"))
"""Names of folders that are for whoever develops a package."""

_UNUSED = (
    *("requests", "urllib3", "idna", "certifi", "charset_normalizer"),
    *("gevent/libuv", "gevent/resolver/cares*", "corepilot/testing"),
)
"""Packages and parts that nothing here imports: the HTTP client of py-consul, in whose place corepilot puts its own;
event loops and resolvers of gevent's that corepilot does not use; what tests of plugins are made of."""

_RECORDS = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL"))
"""Metadata of an installer, which would tell where it was built."""


def install(python: Interpreter, scratch: Path, target: Path, constraints: Sequence[str]) -> None:
    """Install everything into a folder, with a pip of that Python's own.

    Args:
        python: For which.
        scratch: An existing, empty folder.
        target: The folder; it need not exist.
        constraints: Files with versions, as for pip.
    """
    home = scratch / "venv"
    run([python.program, "-I", "-m", "venv", home], "make a virtual environment")
    pip = [home / "bin" / "python", "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    wanted = [word for file in constraints for word in ("--constraint", str(Path(file).resolve()))]
    tools = scratch / "build-tools"
    run([*pip, *wanted, "--target", tools, *environment.build_requirements()], "install what builds corepilot")
    sources = scratch / "sources"
    sources.mkdir()
    staged = environment.stage(sources)
    options = ["--no-build-isolation", "--no-compile", "--target", target]
    run([*pip, *wanted, *options, *staged], "install corepilot and its plugins", PYTHONPATH=str(tools))


def trim(packages: Path) -> None:
    """Take out what nothing in a container can use."""
    for folder in sorted(path for path in packages.rglob("*") if path.is_dir()):
        if folder.exists() and folder.name in _FOLDERS:
            shutil.rmtree(folder)
    for pattern in _UNUSED:
        for path in sorted((*packages.glob(pattern), *packages.glob(f"{pattern}-*.dist-info"))):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in files_of(packages):
        record = path.parent.suffix == ".dist-info" and path.name in _RECORDS
        loose = path.parent == packages and path.suffix not in {".py", ".so", ".pth"}
        if record or loose or path.suffix in _NOT_NEEDED:
            path.unlink()
