"""The search of PATH, by itself and as its three users have it: what runs is what the check of a file promised."""

import os
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from gevent.event import AsyncResult
from guarding import CHECKOUT

from corepilot.config.rules.host import Host
from corepilot.system.process import Reaper, SpawnError, spawn
from corepilot.system.programs import DEFAULT_PATH, NOT_EXECUTABLE, NOT_FOUND, ProgramError, find_program

LOCKED = "is not executable for this user; chmod +x it, or look at its folders' rights"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two directories, `one` and `two`, for a search."""
    for name, mode in (
        ("one/locked", 0o644),
        ("two/locked", 0o755),
        ("one/only-locked", 0o644),
        ("two/tool", 0o755),
        ("here", 0o755),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\nexit 11\n")
        file.chmod(mode)
    (tmp_path / "one/tool").mkdir()
    (tmp_path / "one/gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "one/fifo", 0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path", "found"),
    [
        ("tool", "{}/one:{}/two", "{}/two/tool"),  # a directory of that name is passed over
        ("locked", "{}/one:{}/two", "{}/two/locked"),
        ("{}/two/tool", "", "{}/two/tool"),
        ("sh", None, "/usr/bin/sh"),
        ("tool", "/no/such:{}/two\0:{}/two", "{}/two/tool"),
    ],
)
def test_the_first_that_can_be_executed_is_found(place: Path, name: str, path: str | None, found: str) -> None:
    search = None if path is None else path.replace("{}", str(place))
    assert find_program(name.format(place), search) == found.format(place)


@pytest.mark.parametrize("path", ["", ":/no/such", "/no/such:", "/no/such::/nor/this"])
def test_an_empty_element_is_the_working_directory(place: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert find_program("here", path) == "./here"


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("only-locked", NOT_EXECUTABLE, f"{{}}/one/only-locked {LOCKED}"),
        ("fifo", NOT_FOUND, "not found in PATH ({}/one:{}/two)"),
        ("gone", NOT_FOUND, "not found in PATH ({}/one:{}/two)"),
        ("missing", NOT_FOUND, "not found in PATH ({}/one:{}/two)"),
        ("", NOT_FOUND, "the name of the program is empty"),
        ("a\0b", NOT_EXECUTABLE, "the name of the program has a NUL in it"),
        ("{}/one/missing", NOT_FOUND, "no such file: {}/one/missing"),
        ("{}/here/missing", NOT_FOUND, "no such file: {}/here/missing"),
        ("{}/one/gone", NOT_FOUND, "{}/one/gone is a symbolic link to a file that does not exist"),
        ("{}/one/fifo", NOT_EXECUTABLE, "{}/one/fifo is not a regular file"),
        ("{}/one", NOT_EXECUTABLE, "{}/one is a directory"),
        ("{}/one/\n", NOT_FOUND, "no such file: {}/one/\\n"),
    ],
)  # fmt: skip
def test_why_there_is_none(place: Path, name: str, status: int, reason: str) -> None:
    with pytest.raises(ProgramError) as caught:
        find_program(name.format(place), f"{place}/one:{place}/two")
    assert (str(caught.value), caught.value.status) == (reason.format(place, place), status)


@pytest.mark.parametrize("path", [None, "", "{}/one:{}/two", "{}/two"])
@pytest.mark.parametrize("name", ["nologin", "tool", "locked", "only-locked", "fifo", "missing", "here", "sh"])
def test_jobs_the_wrapper_and_the_check_agree(
    place: Path, name: str, path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    environment = {} if path is None else {"PATH": path.replace("{}", str(place))}
    statuses = {_as_a_job(name, environment), _wrapped(name, environment)}
    assert len(statuses) == 1
    assert bool(Host(environment, "h").program_fault(name)) == (statuses <= {NOT_EXECUTABLE, NOT_FOUND})


def _as_a_job(name: str, environment: dict[str, str]) -> int:
    reaper = Reaper(gevent.get_hub().loop)
    ended: AsyncResult[int] = AsyncResult()
    try:
        spawn([name], environment, reaper, ended.set, output=2)
    except SpawnError as error:
        return error.status
    else:
        status = ended.get(timeout=20)
        assert status is not None
        return status
    finally:
        reaper.close()


def _wrapped(name: str, environment: dict[str, str]) -> int:
    script = f"""import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from corepilot.guard import wrap
sys.exit(wrap([{name!r}], environment={environment!r}))"""
    command = [sys.executable, "-I", "-c", script]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False).returncode


def test_without_path_the_search_is_that_of_the_shells() -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", "echo $PATH"], env={}, stdout=subprocess.PIPE, text=True, timeout=20, check=True
    )
    assert shell.stdout.strip() == DEFAULT_PATH
