"""Everything between a fresh clone and a test report: environment, Debian packages, servers, linters, pytest.

It can be run again at any time and is quick when nothing has changed. The last line printed is pytest's own, and the
status is not 0 when the tests, ruff, mypy or tools/settings_agree.py find something.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-test"

# program -> Debian package
PROGRAMS = {
    "bash": "bash",
    "buildah": "buildah",
    "busybox": "busybox-static",
    "curl": "curl",
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "gcc": "gcc",
    "gencat": "libc6-dev",  # by way of libc-dev-bin, which it needs
    "haproxy": "haproxy",
    "ip": "iproute2",
    "java": "default-jre-headless",
    "mount": "mount",
    "musl-gcc": "musl-tools",
    "nginx": "nginx-light",
    "pg_ctlcluster": "postgresql",
    "pidof": "sysvinit-utils",
    "ps": "procps",
    "redis-server": "redis-server",
    "runc": "runc",
    "setpriv": "util-linux",
    "strace": "strace",
    "unshare": "util-linux",
    "/usr/share/zookeeper/bin/zkServer.sh": "zookeeper",
}


def main(pytest_arguments: list[str]) -> int:
    """Set up, check, test.

    Returns:
        pytest's status; 1 when only a linter complains.
    """
    sys.path.insert(0, str(ROOT / "tools"))
    sys.path.insert(0, str(ROOT / "tests"))
    sys.path.insert(0, str(ROOT / "examples"))
    import debian
    import environment
    import pypi
    from bundles import building
    from go_programs import PROGRAMS as GO_PROGRAMS
    from walking.command import packages

    for example in sorted((ROOT / "examples").iterdir()):
        PROGRAMS.update(packages(example))
    debian.require_programs(PROGRAMS)
    if _is_dynamic("busybox"):  # the package of that name brings another under the same path
        debian.install(["busybox-static"])
    for requirements in sorted((ROOT / "examples").glob("*/requirements.txt")):
        pypi.programs_of(requirements)
    programs = environment.ensure(ENVIRONMENT, ["containerpilot", "docs", "test"], link=True)
    built = {program.variable: str(program.binary()) for program in GO_PROGRAMS}
    # As for a user who has activated the environment; sbin is where Debian keeps nginx.
    os.environ["PATH"] = f"{programs}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    os.environ.update(built)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # every worker would compile all the tests at every run

    bundle = building()  # it takes half a minute, as long as the linters do
    checks = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["python", "tools/settings_agree.py"]]
    failed = [check for check in checks if _status([str(programs / check[0]), *check[1:]])]
    for check in failed:
        sys.stdout.write(f"{' '.join(check)}: failed\n")
    sys.stdout.flush()
    bundle.wait()  # where it could not be made, the first test that needs it says why
    # A file is one worker's, so that what its tests share is made once; tests/conftest.py says how many workers. In the
    # order of the folders the last files are the many quick ones, and no worker is left alone with a slow one.
    in_parallel = ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]
    status = _status([str(programs / "python"), "-m", "pytest", *in_parallel, *pytest_arguments])
    return status or (1 if failed else 0)


def _is_dynamic(program: str) -> bool:
    found = shutil.which(program)
    return found is not None and subprocess.run(["ldd", found], capture_output=True, check=False).returncode == 0


def _status(command: list[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
