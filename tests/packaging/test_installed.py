"""corepilot as it is installed, in an environment that is hostile to every Python program."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from eventually import eventually

pytestmark = pytest.mark.timeout(600)  # pip downloads, and compiles what it installs

DEADLINE_S = 60

# Modules that corepilot or what it stands on imports; each of these ends the program that imports it.
LOOK_ALIKES = (
    "corepilot",
    "events",
    "gevent",
    "greenlet",
    "h11",
    "json",
    "marshmallow",
    "pluggy",
    "select",
    "signal",
    "sitecustomize",
    "socket",
    "stevedore",
    "types",
    "usercustomize",
)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder full of look-alikes, with an old marshmallow that pretends to work."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in LOOK_ALIKES:
        (folder / f"{name}.py").write_text("raise SystemExit('trapped')\n")
    (folder / "marshmallow.py").write_text("__version__ = '2.21.0'\nclass Schema: pass\n")
    (folder / "marshmallow-2.21.0.dist-info").mkdir()
    (folder / "marshmallow-2.21.0.dist-info" / "METADATA").write_text("Name: marshmallow\nVersion: 2.21.0\n")
    return folder


@pytest.fixture
def hostile(trap: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "PYTHONPATH": f"{trap}:.",
        "PYTHONHOME": "/bogus",
        "PYTHONSTARTUP": f"{trap}/corepilot.py",
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "not a number",
        "PYTHONIOENCODING": "bogus",
        "GEVENT_LOOP": "bogus",
        "GEVENT_RESOLVER": "bogus",
        "GEVENT_THREADPOOL": "bogus",
        "GREENLET_USE_GC": "bogus",
        "VIRTUAL_ENV": "/bogus",
        "LC_ALL": "C",
        "spring.datasource.url": "jdbc:postgresql://db",
        "WITH_NEWLINE": "a\nb",
    }


def run(command: list[str | Path], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def test_the_version_is_one_line(installed: Path, tmp_path: Path) -> None:
    result = run([installed / "corepilot", "--version"], dict(os.environ), tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "corepilot 0.1.0\n", "")


def test_the_version_in_a_hostile_environment(installed: Path, hostile: dict[str, str], trap: Path) -> None:
    result = run([installed / "corepilot", "--version"], hostile, trap)
    assert (result.returncode, result.stdout, result.stderr) == (0, "corepilot 0.1.0\n", "")


def test_the_shipped_plugins_are_found_and_good(installed: Path, hostile: dict[str, str], trap: Path) -> None:
    result = run([installed / "corepilot", "plugins", "list", "-o", "json"], hostile, trap)
    assert result.returncode == 0, result.stderr
    found = {(one["kind"], one["name"]) for one in json.loads(result.stdout)}
    assert {("backend", "embedded"), ("backend", "consul")} <= found
    verified = run([installed / "corepilot", "plugins", "verify"], hostile, trap)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_wrapped_command_gets_the_environment_unchanged(installed: Path, hostile: dict[str, str], trap: Path) -> None:
    result = run([installed / "corepilot", "--", "env", "-0"], hostile, trap)
    assert result.returncode == 0, result.stderr
    assert dict(entry.split("=", 1) for entry in result.stdout.split("\0") if entry) == hostile


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """One job that writes down its environment, and is registered in an embedded catalog."""
    file = tmp_path / "corepilot.json5"
    # what the kernel gave the job, not what its shell makes of it
    tell = f"cat /proc/$$/environ >{tmp_path}/new && mv {tmp_path}/new {tmp_path}/job; exec sleep 600"
    file.write_text(
        json.dumps(
            {
                "discovery": {"backend": "embedded", "path": str(tmp_path / "catalog")},
                "control": {"socket": str(tmp_path / "socket")},
                "jobs": [
                    {
                        "name": "job",
                        "exec": ["sh", "-c", tell],
                        "port": 1234,
                        "interfaces": ["lo"],
                        "health": {"exec": "true", "interval": 1, "ttl": 5},
                    }
                ],
            }
        )
    )
    return file


def test_a_job_gets_the_environment_unchanged_and_corepilot_works(
    installed: Path, hostile: dict[str, str], trap: Path, configuration: Path
) -> None:
    written = configuration.parent / "job"
    with (configuration.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [installed / "corepilot", "run", "-c", configuration],
            env=hostile,
            cwd=trap,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually(written.exists, 20, "the job has written its environment")
        client: list[str | Path] = [
            installed / "corepilot",
            "status",
            "-o",
            "json",
            "--socket",
            configuration.parent / "socket",
        ]
        status = run(client, hostile, trap)
        assert status.returncode == 0, status.stderr
        assert [job["name"] for job in json.loads(status.stdout)["jobs"]] == ["job"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert process.returncode == 0, (configuration.parent / "log").read_text()
    found = dict(entry.split("=", 1) for entry in written.read_text().split("\0") if entry)
    assert {name: found.get(name) for name in hostile} == hostile


def test_check_works_in_a_hostile_environment(
    installed: Path, hostile: dict[str, str], trap: Path, configuration: Path
) -> None:
    result = run([installed / "corepilot", "check", configuration], hostile, trap)
    assert result.returncode == 0, result.stdout + result.stderr
