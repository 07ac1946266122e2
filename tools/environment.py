"""A virtual environment with corepilot and its plugins from this checkout, made once and kept up to date.

    tools/python3 tools/environment.py DIRECTORY [--adopt] [--link] [--extra NAME]…

Standard library only. A second call with nothing changed takes a few milliseconds. With `--link` the environment's
packages are symbolic links into the checkout: tests then run what is being edited, with the metadata, scripts and
start-up time of an ordinary installation (an editable one adds 12 ms to every start of Python). With `--adopt` an
environment that something else has made, such as tox, is filled.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_DEADLINE_S = 1800
_PACKAGING = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "launcher")
_STAMP = "corepilot-environment.json"


def distributions() -> list[Path]:
    """The folders of this checkout that are built: the core first, then every backend and plugin."""
    found = sorted(path.parent for kind in ("backends", "plugins") for path in ROOT.glob(f"{kind}/*/setup.cfg"))
    return [ROOT, *found]


def packages_of(distribution: Path) -> list[Path]:
    """The import packages in such a folder."""
    return sorted(path.parent for path in distribution.glob("corepilot*/__init__.py"))


def ensure(directory: Path, extras: Iterable[str] = (), *, link: bool = False, adopt: bool = False) -> Path:
    """Make the environment, or bring it up to date.

    Args:
        directory: Where it is or shall be.
        extras: Extras of the core to install with it, such as `test`.
        link: Link the packages into the checkout instead of copying them.
        adopt: The environment exists and is not ours to make.

    Returns:
        Its folder of programs.

    Raises:
        SystemExit: it cannot be made; the message says what to do.
    """
    programs = directory / "bin"
    with _lock():
        wanted = {"python": _python_id(), "inputs": _inputs_hash(sorted(extras), link=link)}
        has = _read_stamp(directory)
        if has == wanted:
            return programs
        (directory / _STAMP).unlink(missing_ok=True)
        if has.get("python") == wanted["python"] or adopt:
            _unlink_packages(directory)
        else:
            make(directory)
        _install(directory, sorted(extras))
        if link:
            _link_packages(directory)
        (directory / _STAMP).write_text(json.dumps(wanted))
    return programs


@contextmanager
def _lock() -> Iterator[None]:
    """One at a time for each checkout."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _python_id() -> str:
    return f"{os.path.realpath(sys.executable)} {sys.version}"


def _inputs_hash(extras: list[str], *, link: bool) -> str:
    """Changes when what would be installed does; where the packages are linked, only their metadata count."""
    digest = hashlib.sha256(json.dumps([extras, link]).encode())
    for distribution in distributions():
        trees = [distribution / name for name in _PACKAGING]
        trees += [package / "_version.py" if link else package for package in packages_of(distribution)]
        for path in sorted(file for tree in trees for file in _files(tree)):
            digest.update(f"{path}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _files(tree: Path) -> Iterator[Path]:
    if tree.is_file():
        yield tree
    elif tree.is_dir():
        yield from (path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _read_stamp(directory: Path) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((directory / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def make(directory: Path) -> None:
    """Make an empty virtual environment; what was there is removed.

    Raises:
        SystemExit: it cannot be made; the message says what to do.
    """
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is None or ensurepip.origin is None:  # a folder without files is a namespace package to Python
        import debian  # beside this file, and needed on Debian only

        debian.install([f"python{sysconfig.get_python_version()}-venv"])
    print(f"making {directory} (once)", file=sys.stderr, flush=True)
    _run([sys.executable, "-I", "-m", "venv", "--clear", str(directory)], "make a virtual environment")


def _install(directory: Path, extras: list[str]) -> None:
    print(f"installing corepilot and its plugins into {directory}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="corepilot-install-") as scratch:
        staged = stage(Path(scratch))
        targets = [str(path) for path in staged]
        if extras:
            targets[0] += f"[{','.join(extras)}]"
        pip = [str(directory / "bin" / "python"), "-I", "-m", "pip"]
        options = ["--quiet", "--disable-pip-version-check", "--no-input"]
        # Once for all distributions: pip would make an environment with the same setuptools for each of them.
        tools = str(Path(scratch) / "build-tools")
        _run([*pip, "install", *options, "--target", tools, *build_requirements()], "install what builds corepilot")
        _run([*pip, "install", *options, "--no-build-isolation", *targets], "install corepilot", PYTHONPATH=tools)


def stage(target: Path) -> list[Path]:
    """Copy what the distributions are built from: building inside the checkout would leave files in it, old ones too.

    Args:
        target: An existing, empty folder.

    Returns:
        One folder for each distribution, the core first.
    """
    staged = []
    for number, distribution in enumerate(distributions()):
        copy = target / f"{number}-{distribution.name if number else 'corepilot'}"
        copy.mkdir()
        for name in _PACKAGING:
            source = distribution / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            elif source.exists():
                shutil.copy(source, copy / name)
        for package in packages_of(distribution):
            shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        staged.append(copy)
    return staged


def _site_packages(directory: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(directory), "platbase": str(directory)}))


def _link_packages(directory: Path) -> None:
    for distribution in distributions():
        for package in packages_of(distribution):
            installed = _site_packages(directory) / package.name
            shutil.rmtree(installed)
            installed.symlink_to(package)


def _unlink_packages(directory: Path) -> None:
    """Before pip comes near: it must not follow a link into the checkout."""
    for path in _site_packages(directory).glob("corepilot*"):
        if path.is_symlink():
            path.unlink()


def build_requirements() -> list[str]:
    """What the distributions name in `build-system.requires`, each once."""
    files = [distribution / "pyproject.toml" for distribution in distributions()]
    named = [tomllib.loads(file.read_text())["build-system"]["requires"] for file in files]
    return sorted({requirement for requirements in named for requirement in requirements})


def _run(command: list[str], what: str, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(
        command,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PIP_DEADLINE_S,
    )
    if result.returncode:
        raise SystemExit(f"cannot {what}: {' '.join(command)} says:\n{result.stdout.strip()}")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="tools/environment.py", description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--link", action="store_true", help="link the packages into the checkout")
    parser.add_argument("--adopt", action="store_true", help="the environment exists: fill it")
    parser.add_argument("--extra", action="append", default=[], help="an extra of the core to install too")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    print(ensure(directory, arguments.extra, link=arguments.link, adopt=arguments.adopt))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    _main()
