"""The launcher: it finds its own Python from anywhere, and hands the environment on as it was given."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

LAUNCHER = Path(__file__).resolve().parents[2] / "launcher"

# Every shell that /bin/sh is on a distribution we know, each as it behaves under the name sh.
SHELLS = {
    "dash": ("dash",),
    "busybox": ("busybox", "sh"),
    "bash": ("bash", "--posix"),
}

# A corepilot that tells how it was started.
PROBE = """
import json, os, sys

prefix = os.path.dirname(os.path.dirname(sys.executable))  # without `site` that of sys is where Python is

def main():
    json.dump({
        "arguments": sys.argv[1:],
        "environment": open("/proc/self/environ", encoding="utf-8", errors="surrogateescape").read(),
        "isolated": sys.flags.isolated, "safe_path": sys.flags.safe_path,
        "no_environment": sys.flags.ignore_environment, "no_user_site": sys.flags.no_user_site,
        "module": os.path.relpath(__file__, prefix), "prefix": prefix, "pid": os.getpid(),
        "site": "site" in sys.modules,
    }, sys.stdout)
"""


class Installation:
    """A virtual environment with the launcher, and the probe in the place of corepilot."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir(parents=True)
        base = Path(sys.base_exec_prefix) / "bin"
        (directory / "pyvenv.cfg").write_text(f"home = {base}\ninclude-system-site-packages = false\n")
        (self.programs / "python3").symlink_to(base / f"python{sysconfig.get_python_version()}")
        packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory)}))
        (packages / "corepilot" / "cli").mkdir(parents=True)
        for module in ("__init__", "cli/__init__", "cli/main", "cli/containerpilot"):
            text = "" if module.endswith("__init__") else PROBE
            (packages / "corepilot" / f"{module}.py").write_text(text)
        for name in ("corepilot", "containerpilot"):
            shutil.copy(LAUNCHER / name, self.programs)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "an installation")


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    program, *rest = SHELLS[request.param]
    found = shutil.which(program)
    assert found, f"{program} is not installed; tests/run installs it"
    return (found, *rest)


def started(command: list[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> dict[str, Any]:
    result = subprocess.run(command, env=env, cwd=cwd, capture_output=True, check=False, timeout=30)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def as_entries(env: Mapping[str, str]) -> list[str]:
    return sorted(f"{name}={value}" for name, value in env.items())


def entries(said: Mapping[str, Any]) -> list[str]:
    return sorted(said["environment"].split("\0")[:-1])


def test_it_becomes_the_python_beside_it_in_isolated_mode(installation: Installation) -> None:
    process = subprocess.Popen(
        [installation.programs / "corepilot", "run", "-c", "a b", "", "*", "--", "-x"], stdout=subprocess.PIPE
    )
    said = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    assert said["pid"] == process.pid
    assert said["arguments"] == ["run", "-c", "a b", "", "*", "--", "-x"]
    assert said["isolated"] == 1
    assert said["prefix"] == str(installation.directory)
    assert said["module"].endswith("corepilot/cli/main.py")
    assert not said["site"]


def test_the_old_name_starts_the_old_command_line(installation: Installation, tmp_path: Path) -> None:
    assert started([str(installation.programs / "containerpilot")])["module"].endswith("cli/containerpilot.py")
    link = tmp_path / "containerpilot"
    link.symlink_to(installation.programs / "corepilot")
    assert started([str(link)])["module"].endswith("cli/containerpilot.py")


ENVIRONMENTS = {
    "empty": {},
    "hostile": {
        "PYTHONHOME": "/bogus",
        "PYTHONPATH": "/bogus:.",
        "PYTHONSTARTUP": "/bogus",
        "PYTHONWARNINGS": "error",
        "GEVENT_LOOP": "bogus",
        "VIRTUAL_ENV": "/bogus",
        "PATH": ".:/usr/bin:/bin",
        "ENV": "/bogus",
        "BASH_ENV": "/bogus",
        "CDPATH": "/tmp",
        "IFS": "/",
    },
    "odd names": {"spring.datasource.url": "jdbc:x", "A-B": "1", "1": "one", "a b": "c d", "é": "ü", "-u": "HOME"},
    "odd values": {
        "EMPTY": "",
        "STAR": "*",
        "TABS": "a\tb",
        "EQUALS": "a=b=c",
        "QUOTES": "'\"`$(echo no)\\",
        "UTF": "日本",
    },
    "lines": {"LINES_": "one\ntwo\n\n", "FIRST": "\nx", "spring.lines": "a\nb", "AFTER": "1"},
    "names of the script": {
        "self": "1",
        "called": "2",
        "home": "3",
        "python": "4",
        "module": "5",
        "entries": "6",
        "isolate": "7",
        "path": "8",
        "newline": "9",
    },
    "names of the shell": {
        "PWD": "/bogus",
        "OLDPWD": "/bogus",
        "SHLVL": "7",
        "_": "x",
        "PPID": "1",
        "OPTIND": "5",
        "PS4": "$(id)",
    },
    "large": {f"SERVICE_{number}_PORT": "x" * 200 for number in range(2000)},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_is_handed_on_unchanged(installation: Installation, shell: tuple[str, ...], name: str) -> None:
    said = started([*shell, str(installation.programs / "corepilot")], env=ENVIRONMENTS[name])
    assert entries(said) == as_entries(ENVIRONMENTS[name])


# execve(2) takes any strings, Python's os.execve does not.
RAW_EXEC = """
import ctypes, sys
def strings(items):
    return (ctypes.c_char_p * (len(items) + 1))(*(item.encode() for item in items), None)
environment = ["=x", "NOT A VARIABLE", "GOOD=y\\nz", ""]
ctypes.CDLL(None).execve(sys.argv[1].encode(), strings(sys.argv[1:]), strings(environment))
"""


def test_entries_that_are_no_variables_are_left_out(installation: Installation, shell: tuple[str, ...]) -> None:
    command = [sys.executable, "-I", "-c", RAW_EXEC, *shell, str(installation.programs / "corepilot")]
    assert entries(started(command)) == ["GOOD=y\nz"]


def test_a_directory_full_of_look_alikes_changes_nothing(
    installation: Installation, shell: tuple[str, ...], tmp_path: Path
) -> None:
    traps = tmp_path / "traps"
    traps.mkdir()
    for name in ("tr", "env", "printf", "readlink", "python3", "python"):
        (traps / name).write_text("#!/bin/sh\necho trapped >&2\nexit 99\n")
        (traps / name).chmod(0o755)
    for name in ("corepilot.py", "events.py", "json.py", "site.py", "sitecustomize.py", "runpy.py"):
        (traps / name).write_text("raise SystemExit('trapped')\n")
    (traps / "corepilot").mkdir()
    (traps / "corepilot" / "__init__.py").write_text("raise SystemExit('trapped')\n")
    link = tmp_path / "link"
    link.symlink_to(installation.programs / "corepilot")
    said = started([*shell, str(link)], env={"PATH": f".:{traps}:/usr/bin:/bin", "PYTHONPATH": "."}, cwd=traps)
    assert said["prefix"] == str(installation.directory)


@pytest.mark.parametrize("name", ["with space", "-dash", "new\nline", "end\n", "$(id)", "'quote", "a*b", "back\\slash"])
def test_odd_paths(tmp_path: Path, shell: tuple[str, ...], name: str) -> None:
    installation = Installation(tmp_path / name / "venv")
    assert started([*shell, str(installation.programs / "corepilot")])["prefix"] == str(installation.directory)
    # relative, and through a chain of links, of which one is relative
    (tmp_path / "first").symlink_to(installation.programs / "corepilot")
    (tmp_path / name / "second").symlink_to("../first")
    relative = started([*shell, f"./{name}/second"], cwd=tmp_path)
    assert relative["prefix"] == str(installation.directory)


def test_it_is_found_on_path(installation: Installation) -> None:
    path = f"{installation.programs}:/usr/bin:/bin"
    said = started(["env", f"PATH={path}", "corepilot"], env=dict(os.environ))
    assert said["prefix"] == str(installation.directory)


def test_outside_a_virtual_environment_the_recorded_python_is_used(
    installation: Installation, tmp_path: Path, shell: tuple[str, ...]
) -> None:
    scripts = tmp_path / "usr local bin"
    scripts.mkdir()
    shutil.copy(LAUNCHER / "corepilot", scripts)
    (scripts / "corepilot-python").write_text(f"#!{installation.programs}/python3\n# the rest does not matter\n")
    (scripts / "python3").write_text("#!/bin/sh\nexit 99\n")
    (scripts / "python3").chmod(0o755)
    said = started([*shell, str(scripts / "corepilot")])
    assert said["prefix"] == str(installation.directory)
    assert said["isolated"] == 1
    assert said["site"]


@pytest.mark.parametrize("module", ["main", "containerpilot"])
def test_a_corepilot_that_only_site_finds_is_found(
    installation: Installation, tmp_path: Path, shell: tuple[str, ...], module: str
) -> None:
    [packages] = installation.directory.glob("lib/python*/site-packages")
    (packages / "corepilot").rename(tmp_path / "corepilot")
    (packages / "editable.pth").write_text(f"{tmp_path}\n")
    name = "corepilot" if module == "main" else module
    said = started([*shell, str(installation.programs / name)])
    assert said["site"]
    assert said["module"].endswith(f"/corepilot/cli/{module}.py")


def test_a_copied_environment_uses_its_own_python(installation: Installation, tmp_path: Path) -> None:
    (installation.programs / "corepilot-python").write_text("#!/builder/bin/python3\n")
    copy = tmp_path / "copy"
    shutil.copytree(installation.directory, copy, symlinks=True)
    assert started([str(copy / "bin" / "corepilot")])["prefix"] == str(copy)


def test_without_a_record_the_python_on_path_is_the_last_resort(
    installation: Installation, tmp_path: Path, shell: tuple[str, ...]
) -> None:
    scripts = tmp_path / "bin"
    scripts.mkdir()
    shutil.copy(LAUNCHER / "corepilot", scripts)
    env = {"PATH": f"{installation.programs}:/usr/bin:/bin"}
    assert started([*shell, str(scripts / "corepilot")], env=env)["prefix"] == str(installation.directory)


def test_no_python_is_one_clear_message(tmp_path: Path, shell: tuple[str, ...]) -> None:
    shutil.copy(LAUNCHER / "corepilot", tmp_path)
    result = subprocess.run(
        [*shell, tmp_path / "corepilot"], env={"PATH": "/bogus"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 127
    assert result.stderr == (
        f"corepilot: cannot find the Python it was installed with: neither beside {tmp_path}/corepilot nor on PATH; "
        "install corepilot again\n"
    )


@pytest.mark.parametrize("how", ["environment", "record"])
def test_a_python_that_the_user_cannot_execute_is_named_and_no_other_is_tried(shell: tuple[str, ...], how: str) -> None:
    # Not in pytest's directory, which others cannot reach.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        programs = Path(directory) / "venv" / "bin"
        programs.mkdir(parents=True)
        shutil.copy(LAUNCHER / "corepilot", programs)
        private = Path(directory) / "private"
        private.mkdir(mode=0o700)
        (private / "python3").symlink_to(sys.executable)
        if how == "record":
            (programs / "corepilot-python").write_text(f"#!{private}/python3\n")
            named = f"{private}/python3"
        else:
            (programs.parent / "pyvenv.cfg").touch()
            (programs / "python3").symlink_to(private / "python3")
            named = f"{programs}/python3 -> {private}/python3"
        for name in ("python", *(["python3"] if how == "record" else [])):
            (programs / name).write_text("#!/bin/sh\necho tried\n")
            (programs / name).chmod(0o755)
        result = subprocess.run(
            [*shell, programs / "corepilot"],
            env={"PATH": f"{programs}:/usr/bin:/bin"}, user=1000, group=1000, extra_groups=(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (result.returncode, result.stdout) == (126, "")
    assert result.stderr == (
        f"corepilot: cannot execute the Python it was installed with, {named}, as uid 1000: it is not there, or this "
        "user may not reach it; install corepilot with a Python that every user may execute\n"
    )


def test_installed_for_a_user_it_keeps_the_users_packages(tmp_path: Path, shell: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    scripts = home / ".local" / "bin"
    scripts.mkdir(parents=True)
    shutil.copy(LAUNCHER / "corepilot", scripts)
    base = Path(sys.base_exec_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    (scripts / "corepilot-python").write_text(f"#!{base}\n")
    packages = home / ".local" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages" / "corepilot"
    (packages / "cli").mkdir(parents=True)
    (packages / "cli" / "main.py").write_text(PROBE)
    said = started([*shell, str(scripts / "corepilot")], env={"HOME": str(home), "PYTHONPATH": "/bogus"})
    assert (said["isolated"], said["safe_path"], said["no_environment"]) == (0, True, 1)


def test_without_proc_it_still_starts(installation: Installation, shell: tuple[str, ...]) -> None:
    inside = ["sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", "sh", "-c", 'exec "$@" 2>&1', "sh"]
    command = ["unshare", "--mount", *inside, *shell, str(installation.programs / "corepilot")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    # the probe gets as far as reading /proc/self/environ, which is what is missing here
    assert "FileNotFoundError" in result.stdout
    assert "corepilot/cli/main.py" in result.stdout
    assert "tr" not in result.stdout.split("Traceback")[0]


def test_both_names_are_one_script() -> None:
    assert os.readlink(LAUNCHER / "containerpilot") == "corepilot"
