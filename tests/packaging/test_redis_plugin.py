"""The example of a client that blocks: installed into an environment of its own, held to the suites, and stopped."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from eventually import eventually
from servers.process import free_port

pytestmark = pytest.mark.timeout(600)  # pip downloads, and compiles what it installs

REDIS = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "corepilot-redis"
DEADLINE_S = 60

CONFIGURATION = """
{
  discovery: {backend: "redis", url: "redis://127.0.0.1:%d"},
  control: {socket: "%s"},
  jobs: [
    {name: "app", exec: "sleep 1000", port: 8000, interfaces: ["static:127.0.0.1"],
     health: {exec: "true", interval: 1, ttl: 5}},
    {name: "seen", exec: ["sh", "-c", "echo it is there"], when: {source: "watch.app", once: "healthy"}},
  ],
  watches: [{name: "app", interval: 1}],
}
"""


def run(command: list[str], cwd: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def programs(built: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the core, the plugin, and pytest."""
    scratch = tmp_path_factory.mktemp("redis")
    source = scratch / REDIS.name
    shutil.copytree(REDIS, source, ignore=shutil.ignore_patterns("__pycache__"))
    made = scratch / "venv" / "bin"
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(made.parent)])
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(made / "python"), "install", "--quiet", "--no-input"]
    wheel = next(built["corepilot"].glob("*.whl"))
    run([*pip, "--disable-pip-version-check", str(wheel), f"{source}[test]", "pytest-timeout"])
    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A Redis of this test's own, and its port."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield port, process
        process.send_signal(signal.SIGCONT)
        process.kill()


def test_it_passes_the_suites(programs: Path, tmp_path: Path) -> None:
    shutil.copytree(REDIS / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    said = run([str(programs / "python"), "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], tmp_path)
    assert " passed" in said.splitlines()[-1]
    assert "skipped" not in said
    verified = run([str(programs / "corepilot"), "plugins", "verify", "redis"])
    assert verified.splitlines()[1].split() == ["redis", "backend", "ok"]


def test_a_stop_is_in_time_though_the_server_hangs(
    programs: Path, server: tuple[int, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    port, redis = server
    file, log = tmp_path / "corepilot.json5", tmp_path / "log"
    file.write_text(CONFIGURATION % (port, tmp_path / "socket"))
    with log.open("wb") as out:
        command = [str(programs / "corepilot"), "-c", str(file)]
        with subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL) as corepilot:
            eventually(lambda: "it is there" in log.read_text(), DEADLINE_S, "the instance was registered and seen")
            redis.send_signal(signal.SIGSTOP)
            eventually(lambda: "no answer from redis" in log.read_text(), DEADLINE_S, "Redis is missed")
            corepilot.terminate()
            status = corepilot.wait(DEADLINE_S)
    said = log.read_text()
    # The guard ends a supervisor that misses the end it has promised, with status 70.
    assert status == 0, said
    assert "left the catalog without its answer" in said
    assert "no process had to be killed" in said
