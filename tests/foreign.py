"""Plugins of others for tests: distributions written to a folder, and a Python that has them beside corepilot."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import gevent

from corepilot.output.log import Log
from corepilot.plugin.oversight import Oversight


def write_distribution(folder: Path, name: str, version: str, groups: str, modules: Mapping[str, str]) -> None:
    """Write a distribution as if it had been installed there.

    Args:
        folder: A folder of Python's path.
        name: Of the distribution.
        version: Of the distribution.
        groups: The text of its `entry_points.txt`.
        modules: Text of each module, by its name.
    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(groups)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)


def python_with(folder: Path, directory: Path) -> Path:
    """A Python whose path has a folder beside everything that this one has; its own children have it too.

    Args:
        folder: With distributions.
        directory: Where the environment is made. Nothing is copied: it takes no time.
    """
    libraries = directory / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    libraries.mkdir(parents=True)
    own = sysconfig.get_path("purelib")
    (libraries / "both.pth").write_text(f"{folder}\nimport site; site.addsitedir({own!r})\n")
    program = directory / "bin" / "python"
    program.parent.mkdir()
    base = Path(os.path.realpath(sys.executable))
    program.symlink_to(base)
    (directory / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    return program


def unwatched(log: Log) -> Oversight:
    """An oversight that makes boundaries and does not watch the event loop. To be stopped at the end."""
    return Oversight(
        gevent.get_hub().loop, log, log.lines, note=lambda _: None, working=lambda _: None, turned=lambda _: None
    )
