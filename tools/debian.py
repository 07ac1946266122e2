"""Debian packages that a script of this checkout needs: installed as root, else named with the one command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

APT_DEADLINE_S = 900
_POLICY = Path("/usr/sbin/policy-rc.d")


def require_programs(packages: Mapping[str, str]) -> None:
    """Make sure that every program is there.

    Args:
        packages: program, or the path of another file -> the Debian package that brings it.

    Raises:
        SystemExit: one is missing and cannot be installed; the message names the command that does it.
    """
    missing = {package for program, package in packages.items() if not has_program(program)}
    if missing:
        install(sorted(missing))
        still = sorted(program for program in packages if not has_program(program))
        if still:
            raise SystemExit(f"cannot find {', '.join(still)} although {', '.join(sorted(missing))} is installed")


def has_program(name: str) -> bool:
    """Whether it is on PATH or where Debian puts what is for root; of what is no program the path, from the root."""
    if name.startswith("/"):
        return Path(name).exists()
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def install(packages: list[str]) -> None:
    """`apt-get install` as root, without starting any service that a package brings.

    Raises:
        SystemExit: not root, or no apt-get, or it failed.
    """
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    by_hand = f"sudo apt-get update && sudo {' '.join(command)}"
    if not has_program("apt-get"):
        raise SystemExit(f"cannot install {', '.join(packages)}: there is no apt-get here; install them by hand")
    if os.geteuid() != 0:
        raise SystemExit(f"cannot go on without the package(s) {', '.join(packages)}; run this, then try again:\n"
                         f"    {by_hand}")  # fmt: skip
    print(f"installing {' '.join(packages)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        result = _apt(command, environment)
        if result.returncode:  # the lists may be old, or not there at all
            _apt(["apt-get", "update"], environment)
            result = _apt(command, environment)
    if result.returncode:
        raise SystemExit(f"cannot install {', '.join(packages)}: {' '.join(command)} says:\n{result.stderr}")


def _apt(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=APT_DEADLINE_S)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's way to say that a package's service is not to be started on installation (invoke-rc.d(8))."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
