"""Whoever writes to an embedded catalog is killed, or stopped, at its n-th system call of each kind, by a tracer."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import gevent
import pytest
from eventually import eventually
from members import Member

from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.catalog import Grant
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import context

DEADLINE_S = 30.0
CALLS = ("openat", "write", "pwrite64", "fsync", "rename", "unlink", "flock", "close", "newfstatat", "getdents64")
OLD, NEW, NEWER = b"old", b"new" * 1000, b"newer" * 1000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Stage:
    """A catalog, a client of it in this process, and the program that forks who is to be hurt."""

    def __init__(self, path: Path, actor: Member, backend: EmbeddedBackend) -> None:
        self.path, self.actor, self.backend = path, actor, backend
        self.log = path.with_name("log")
        self.log.touch()

    @contextmanager
    def played(self, scene: str, call: str, number: int, what: str) -> Iterator[int]:
        """Have a scene played by a process that gets a signal at a system call; it has ended, or is stopped, then."""
        self.actor.say(scene)
        pid = int(self.actor.line(gevent.sleep))
        tracer = None
        try:
            eventually(lambda: _status(pid)["State"].startswith("T"))
            hurt = f"inject={call}:signal={what}:when={number}"
            tracer = subprocess.Popen(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", hurt, "-p", str(pid)],
                stderr=subprocess.DEVNULL,
            )
            eventually(lambda: _status(pid)["TracerPid"] != "0")
            os.kill(pid, signal.SIGCONT)
            eventually(lambda: _is_over(pid, what))
            yield pid
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            if tracer is not None:
                tracer.wait(DEADLINE_S)

    def lines(self, word: str) -> list[int]:
        """The numbers after a word in what was seen."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [int(line[1]) for line in lines if line[0] == word]

    def acquired(self, within_s: float) -> Grant:
        """Take the lock."""
        deadline = time.monotonic() + within_s
        while True:
            grant = self.backend.locks.acquire("primary", "test", 60.0, 0.0)
            if grant is not None:
                return grant
            assert time.monotonic() < deadline, "nobody is in the way, and the lock cannot be had"
            gevent.sleep(0.005)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    path = tmp_path / "catalog"
    backend = EmbeddedBackend(plugin.Options(path=str(path)), context())
    with Member("actor", [str(path), str(tmp_path / "log")]) as actor:
        yield Stage(path, actor, backend)
    backend.close()
    gevent.sleep(0)


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {"State": "gone", "TracerPid": "0"}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _is_over(pid: int, what: str) -> bool:
    """Whether the process has ended, or is in the stop of its signal; a tracer's own stops pass."""
    state = _status(pid)["State"]
    return state[:1] in "gZX" or (what == "STOP" and all(_stands(pid) for _ in range(20)))


def _stands(pid: int) -> bool:
    gevent.sleep(0.001)
    return _status(pid)["State"][:1] in "tT"


@pytest.mark.parametrize("call", CALLS)
def test_keys_hold_the_old_value_or_the_new_one(stage: Stage, call: str) -> None:
    facet = stage.backend.keys
    for number in range(1, 6):
        for key in ("kept", "gone"):
            facet.put(key, OLD)
        with stage.played("keys", call, number, "KILL"):
            pass
        found = {entry.key: entry.value for entry in facet.list("")}
        assert found.pop("kept") in {OLD, NEW, NEWER}
        assert found.pop("gone", NEW) in {OLD, NEW}
        assert set(found.values()) <= {NEW}
        for key in ("kept", "app/0"):  # nobody is in the way
            facet.put(key, NEW)
            entry = facet.get(key)
            assert entry is not None
            assert facet.compare_and_set(key, NEW, entry.version)
    staged = [name for name in os.listdir(stage.path / ".keys") if name.startswith(".")]
    assert len(staged) <= 5


@pytest.mark.parametrize("call", CALLS)
def test_a_lock_is_free_after_its_ttl_and_its_token_grows(stage: Stage, call: str) -> None:
    """Also where somebody has died in the middle of a claim."""
    tokens: list[int] = []
    for number in range(1, 6):
        before = len(stage.lines("token"))
        with stage.played("briefly", call, number, "KILL"):
            pass
        tokens += [*stage.lines("token")[before:], stage.acquired(DEADLINE_S).token]
        stage.backend.locks.release("primary")
    assert all(one < following for one, following in pairwise(tokens)), tokens


@pytest.mark.parametrize("call", ["openat", "pwrite64", "flock", "fsync", "close", "newfstatat", "getdents64"])
def test_who_is_stopped_anywhere_is_in_nobodys_way(stage: Stage, call: str) -> None:
    """A process that was stopped for longer than its TTL, and goes on, finds that the lock is not its own any more."""
    for number in range(1, 6):
        before = len(stage.lines("token"))
        with stage.played("briefly", call, number, "STOP") as pid:
            grant = stage.acquired(DEADLINE_S)
            kept = stage.lines("kept")
            with suppress(ProcessLookupError):  # there were fewer such calls
                os.kill(pid, signal.SIGCONT)
            eventually(partial(_is_over, pid, "KILL"))
            assert stage.backend.locks.keep("primary") == 60.0
        assert stage.lines("kept") == kept, "it kept what was not its own any more"
        assert all(token < grant.token for token in stage.lines("token")[before:])
        stage.backend.locks.release("primary")


@pytest.mark.parametrize("call", CALLS)
def test_services_can_be_read_and_registered(stage: Stage, call: str) -> None:
    for number in range(1, 6):
        with stage.played("services", call, number, "KILL"):
            pass
        assert stage.backend.instances(Query("web")) == ()
        stage.backend.register(Registration("web-a", "web", "10.0.0.1", 80, (), 3600), "passing", "")
        assert [one.status for one in stage.backend.instances(Query("web"))] == ["passing"]
        stage.backend.deregister("web-a")


def test_the_tracer_hurts_where_it_should(stage: Stage) -> None:
    """The counter-check: at a call that never comes everybody gets to the end."""
    wanted: dict[str, Callable[[], bool]] = {
        "keys": lambda: len(stage.backend.keys.list("")) == 4,
        "locks": lambda: len(stage.lines("kept")) == 2,
        "services": lambda: list((stage.path / "web").iterdir()) == [],
    }
    for count, (scene, holds) in enumerate(wanted.items(), start=1):
        with stage.played(scene, "mknodat", 1, "KILL"):
            pass
        assert stage.log.read_text().count("done") == count
        assert holds()
    with stage.played("keys", "rename", 1, "KILL"):
        pass
    assert stage.log.read_text().count("done") == len(wanted)
