"""`docker build` without an engine, a registry or another machine's packages: buildah, with a store of its own.

The images that a Dockerfile begins with are made here under their names, almost empty. While it is built the host's
programs are mounted read-only, and everything else is as the builder has it: stages, cached layers, what is copied.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEADLINE_S = 600
_SETTINGS = ("/etc", "/var/lib/dpkg")
_PROGRAMS = tuple(Path("/usr") / name for name in ("bin", "sbin", "share", "include", "libexec"))
_CACHE = Path.home() / ".cache" / "pip"
_STUBS = "/opt/stubs"
_PATH = f"{_STUBS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Builder:
    """Builds images, and gives their content.

    Args:
        directory: For its store; it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True)

    def base(self, name: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Make an image of a folder, under the name that `FROM` has for it."""
        container = self._call("from", "scratch").strip()
        self._call("add", container, str(folder), "/")
        variables = [f"--env={key}={value}" for key, value in (environment or {}).items()]
        self._call("config", *variables, "--label=made=here", container)
        self._call("commit", "--format=docker", container, f"docker.io/library/{name}")
        self._call("rm", container)

    def system(self, name: str, stubs: Mapping[str, str], **environment: str) -> None:
        """Make an image of the host's programs, with scripts that come before them in PATH.

        Args:
            name: As `FROM` has it.
            stubs: Name -> what /bin/sh runs.
            environment: Variables of the image, beside those with which pip is told where packages are.
        """
        folder = self._directory / "system"
        for made in (_STUBS, "/usr/local/bin", "/tmp", "/root"):
            (folder / made.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for path in Path("/").iterdir():
            if path.is_symlink() and path.name in {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}:
                (folder / path.name).symlink_to(os.readlink(path))
        (folder / "tmp").chmod(0o1777)
        for stub, script in stubs.items():
            file = folder / _STUBS.lstrip("/") / stub
            file.write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)
        for_pip = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        self.base(name, folder, {"PATH": _PATH, **for_pip, "PIP_CACHE_DIR": str(_CACHE), **environment})
        shutil.rmtree(folder)

    def build(self, file: Path, context: Path, tag: str, *, target: str = "", **arguments: str) -> None:
        """Build it; what has been built for another tag is not built again.

        Args:
            file: The Dockerfile.
            context: What COPY copies from.
            tag: The name of the result.
            target: The stage to end with; "" for the last.
            arguments: For ARG.
        """
        words = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        words += [f"--volume={path}:{path}:ro" for path in _mounted()]
        words += [f"--volume={_CACHE}:{_CACHE}"] if _CACHE.is_dir() else []
        words += [f"--target={target}"] if target else []
        options = ["--isolation=chroot", "--pull-never", "--layers", "--format=docker", f"--tag={tag}"]
        self._call("bud", *options, *words, f"--file={file}", str(context))

    def root(self, tag: str) -> Path:
        """The root file system of an image; it is only to be read."""
        return Path(self._call("mount", self._call("from", "--pull-never", tag).strip()).strip())

    def config(self, tag: str) -> dict[str, Any]:
        """What `docker inspect` has under `Config`: Entrypoint, Healthcheck, Labels, StopSignal, Env …"""
        found: dict[str, Any] = json.loads(self._call("inspect", "--type=image", tag))["Docker"]["config"]
        return found

    def remove(self) -> None:
        """Remove the store with everything in it."""
        self._call("umount", "--all")
        shutil.rmtree(self._directory)

    def _call(self, *words: str) -> str:
        store = ["--root", str(self._directory / "store"), "--runroot", str(self._directory / "run")]
        done = subprocess.run(
            ["buildah", *store, "--storage-driver=vfs", *words],
            env={**os.environ, "TMPDIR": str(self._directory)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"buildah {' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout


def programs() -> list[Path]:
    """The host's programs with their libraries, and the Python of the tests; not /usr/local, which is the image's."""
    python = (sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix))
    given = [*_PROGRAMS, *Path("/usr").glob("lib*"), *map(Path, python)]
    paths = {path for path in given if path.is_dir() and not path.is_symlink()}
    return sorted(path for path in paths if not paths & set(path.parents))


def _mounted() -> list[Path]:
    """What is there while an image is built: also where pip is told to look for packages."""
    more = [Path(word) for word in os.environ.get("PIP_FIND_LINKS", "").split() if os.path.isdir(word)]
    return [*map(Path, _SETTINGS), *programs(), *more]
