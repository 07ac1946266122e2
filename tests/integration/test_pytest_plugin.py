"""The fixture `corepilot` for authors of plugins, in a run of pytest's own."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corepilot.testing.running import RunningCorepilot

Start = Callable[..., RunningCorepilot]

JOB = '{jobs: [{name: "a", exec: ["sh", "-c", "echo hello $WHO; exec sleep 1000"]}]}'


def test_it_starts_reloads_and_stops(corepilot: Start) -> None:
    running = corepilot(JOB, environment={"WHO": "world"}).until_ready()
    running.until("hello world")
    assert [job["name"] for job in running.status()["jobs"]] == ["a"]
    assert running.reload(JOB.replace('"a"', '"b"')).returncode == 0
    running.until(lambda: [job["name"] for job in running.status()["jobs"]] == ["b"])
    assert running.stop() == 0


def test_two_of_them_do_not_meet(corepilot: Start) -> None:
    one, other = corepilot(JOB), corepilot(JOB.replace('"a"', '"b"'))
    for running in (one, other):
        running.until_ready()
    assert [job["name"] for job in one.status()["jobs"]] == ["a"]
    assert [job["name"] for job in other.status()["jobs"]] == ["b"]


def test_what_does_not_happen_fails_with_the_output(corepilot: Start) -> None:
    running = corepilot(JOB, environment={"WHO": "nobody"})
    running.until("hello")
    with pytest.raises(AssertionError, match="hello nobody"):
        running.until("good bye", deadline_s=0.1)


def test_one_that_has_ended_is_not_waited_for(corepilot: Start) -> None:
    """A configuration with a mistake fails at once, and with the reason."""
    began = time.monotonic()
    refused = r'(?s)has ended with status 1; its output:.*did you mean "name"'
    with pytest.raises(AssertionError, match=refused):
        corepilot("{jobs: [{nam: 1}]}").until("hello")
    with pytest.raises(AssertionError, match=refused):
        corepilot("{jobs: [{nam: 1}]}").until_ready()
    assert time.monotonic() - began < 15


def test_a_test_that_fails_shows_what_corepilot_wrote(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_a(corepilot):\n    corepilot('{jobs: [{nam: 1}]}').process.wait(30)\n    assert False\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert 'did you mean "name"' in result.stdout


def test_it_is_there_wherever_corepilot_is_installed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_a(corepilot):\n"
        '    running = corepilot(\'{jobs: [{name: "a", exec: "true"}]}\')\n'
        "    assert running.process.wait(30) == 0\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout
