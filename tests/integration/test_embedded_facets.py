"""Keys and locks of the embedded catalog among processes, users, namespaces, and people with `rm`."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import gevent
import pytest
from members import Member

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.clock import BootClock
from corepilot.discovery.embedded.key_file import KeyFile, read
from corepilot.discovery.embedded.lock_file import decode, encode, file_name
from corepilot.errors import BackendRefusedError, BackendUnavailableError, LockLostError
from corepilot.model.catalog import Entries
from corepilot.testing.backends import context
from corepilot.testing.listener import Follower

DEADLINE_S = 30.0
NOBODY = 65534


@pytest.fixture
def path(public: Path) -> Path:
    return public / "catalog"


@pytest.fixture
def backend(path: Path) -> Iterator[EmbeddedBackend]:
    one = EmbeddedBackend(plugin.Options(str(path), shared=True), context())
    yield one
    one.close()
    gevent.sleep(0)


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower[object]]]:
    followers: list[Follower[object]] = []

    def one(stream: Callable[[], Iterator[object]]) -> Follower[object]:
        followers.append(Follower(stream, "the watch"))
        return followers[-1]

    yield one
    for follower in followers:
        follower.kill(DEADLINE_S)


def wish(path: Path, **more: object) -> dict[str, object]:
    return {"path": str(path), "name": "primary", **more}


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def acquired(backend: EmbeddedBackend, ttl_s: float = 60.0) -> int:
    found: list[int] = []

    def granted() -> bool:
        grant = backend.locks.acquire("primary", "test", ttl_s, 0.0)
        found.extend([] if grant is None else [grant.token])
        return bool(found)

    until(granted)
    return found[0]


def test_a_lock_outlives_its_holder_until_its_stamp_lapses(
    path: Path, backend: EmbeddedBackend, follow: Callable[..., object]
) -> None:
    """What the holder ran may have to be ended by somebody else, who has until then."""
    with Member("locker", wish(path, ttl_s=2)) as locker:
        token = locker.until(lambda said: "token" in said)["token"]
        follower: Follower[str | None] = follow(lambda: backend.locks.watch("primary"))  # type: ignore[assignment]
        follower.until(lambda seen: seen == "locker", "the holder", DEADLINE_S)
        assert backend.locks.acquire("primary", "test", 60.0, 0.0) is None
        locker.kill()
    until_s = decode((path / ".locks" / file_name("primary", token)).read_bytes()).until
    clock = BootClock()
    follower.until(lambda seen: seen is None, "nobody", DEADLINE_S)
    assert clock() >= until_s
    assert acquired(backend) > token


def test_a_lock_of_the_dead_is_held_to_who_asks_and_who_watches(
    path: Path, backend: EmbeddedBackend, follow: Callable[..., object]
) -> None:
    """For an hour, if that is its TTL; one that was released is free."""
    with Member("locker", wish(path, ttl_s=3600)) as locker:
        token = locker.until(lambda said: "token" in said)["token"]
        locker.kill()
    assert backend.locks.acquire("primary", "test", 60.0, 0.0) is None
    follower: Follower[str | None] = follow(lambda: backend.locks.watch("primary"))  # type: ignore[assignment]
    follower.until(lambda seen: seen == "locker", "the dead holder", DEADLINE_S)
    assert follower.snapshots == ["locker"]
    file = path / ".locks" / file_name("primary", token)
    file.write_bytes(encode(replace(decode(file.read_bytes()), boot="another")))
    follower.until(lambda seen: seen is None, "nobody: the stamp is of another boot", DEADLINE_S)
    token = acquired(backend)
    with Member("locker", wish(path)) as locker:
        backend.locks.release("primary")
        assert locker.until(lambda said: "token" in said)["token"] > token


def test_a_renewal_that_comes_too_late_moves_no_stamp(path: Path, backend: EmbeddedBackend) -> None:
    """There is a higher token: nobody waits for the loser for longer than it was promised the lock."""
    token = acquired(backend)
    file = path / ".locks" / file_name("primary", token)
    before = decode(file.read_bytes())
    (path / ".locks" / file_name("primary", token + 1)).touch()
    with pytest.raises(LockLostError):
        backend.locks.keep("primary")
    after = decode(file.read_bytes())
    assert after.sequence > before.sequence
    assert after.until == before.until
    assert backend.locks.acquire("primary", "test", 60.0, 0.0) is None


def test_a_file_with_an_impossible_token_is_ignored_and_told_of(path: Path) -> None:
    lines: list[str] = []
    backend = EmbeddedBackend(plugin.Options(str(path)), BackendContext(lambda _level, message: lines.append(message)))
    first = acquired(backend)
    foreign = path / ".locks" / f"primary~{'9' * 20}"
    foreign.write_text("garbage")
    assert backend.locks.keep("primary") == 60.0
    backend.locks.release("primary")
    assert acquired(backend) == first + 1
    assert lines == [f"ignoring {foreign}: no token is above {2**63 - 1}, so it is not a lock of a catalog; remove it"]
    backend.locks.release("primary")
    last = path / ".locks" / file_name("primary", 2**63 - 1)
    last.write_text("garbage")
    with pytest.raises(BackendRefusedError, match=f"no token is higher than that of {last}; remove that file"):
        backend.locks.acquire("primary", "test", 60.0, 0.0)
    assert foreign.exists()
    assert last.exists()
    backend.close()


def test_a_lock_is_free_when_its_holder_hangs(
    path: Path, backend: EmbeddedBackend, follow: Callable[..., object]
) -> None:
    """After its TTL, though it still has the file; when it wakes up it is told that it has lost it."""
    with Member("locker", wish(path, ttl_s=0.5)) as locker:
        token = locker.until(lambda said: "token" in said)["token"]
        follower: Follower[str | None] = follow(lambda: backend.locks.watch("primary"))  # type: ignore[assignment]
        follower.until(lambda seen: seen == "locker", "the holder", DEADLINE_S)
        locker.signal(signal.SIGSTOP)
        follower.until(lambda seen: seen is None, "nobody, without anybody writing", DEADLINE_S)
        mine = acquired(backend)
        assert mine > token
        locker.signal(signal.SIGCONT)
        assert locker.until(lambda said: "lost" in said) == {"lost": token}
        assert backend.locks.keep("primary") == 60.0
        follower.until(lambda seen: seen == "test", "the new holder", DEADLINE_S)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tokens_only_grow_among_processes_that_are_killed(path: Path, public: Path) -> None:
    """Five compete for a resource that notes their tokens; one after the other is killed, anywhere.

    The TTL is what nobody needs for a note, and what the others wait for when it is the holder that is killed.
    """
    dice, resource = random.Random(3), public / "resource"
    resource.touch()
    with ExitStack() as stack:
        hope = wish(path, resource=str(resource), ttl_s=2)
        lockers = [stack.enter_context(Member("locker", hope)) for _ in range(5)]
        for _ in range(25):
            until(partial(_has_grown, resource, resource.stat().st_size + 20))
            gevent.sleep(dice.random() * 0.01)
            victim = dice.choice(lockers)
            victim.kill()
            lockers.remove(victim)
            lockers.append(stack.enter_context(Member("locker", hope)))
        for locker in lockers:
            locker.say("end")
            locker.process.wait(DEADLINE_S)
    tokens = [int(line) for line in resource.read_text().splitlines()]
    assert len(tokens) > 50
    assert all(one < following for one, following in pairwise(tokens)), tokens


@pytest.mark.parametrize(
    "prefix",
    [
        ["--mount", "--pid", "--mount-proc"],
        ["--user", "--map-root-user", "--mount", "--pid", "--mount-proc"],
        ["--mount", "--pid", "--time", "--boottime", "1000000"],
    ],
    ids=["pid and mount", "user, pid and mount", "a clock that is ahead"],
)
def test_namespaces_do_not_matter(path: Path, backend: EmbeddedBackend, prefix: list[str]) -> None:
    backend.keys.put("app", b"test")
    through = ["unshare", "--fork", "--kill-child", *prefix]
    with Member("locker", wish(path, key="app", ttl_s=3), prefix=through) as locker:
        token = locker.until(lambda said: "token" in said)["token"]
        found = backend.keys.get("app")
        assert found is not None
        assert found.value == b"locker"
        assert backend.locks.acquire("primary", "test", 60.0, 0.0) is None
        locker.kill()
        assert acquired(backend) > token


def test_users_share_keys_and_locks_of_a_shared_catalog(path: Path, backend: EmbeddedBackend) -> None:
    backend.keys.put("app", b"root's")
    backend.locks.acquire("primary", "root", 60.0, 0.0)
    backend.locks.release("primary")
    with Member("locker", wish(path, key="app", user=NOBODY)) as locker:
        locker.until(lambda said: "token" in said)
        found = backend.keys.get("app")
        assert found is not None
        assert found.value == b"locker"
        locker.say("end")
        locker.process.wait(DEADLINE_S)
    acquired(backend)
    backend.keys.put("app", b"root's again")


def test_another_user_is_told_why_not(path: Path) -> None:
    owner = EmbeddedBackend(plugin.Options(str(path)), context())
    owner.keys.put("app", b"root's")
    with Member("locker", wish(path, key="app", user=NOBODY)) as locker:
        said = locker.until(lambda said: "error" in said)
    assert said["code"] == "backend-refused"
    assert f"cannot write the key app in the catalog {path}: Permission denied for user {NOBODY}" in said["error"]
    owner.close()


def test_a_removed_directory_is_made_again(path: Path, backend: EmbeddedBackend, follow: Callable[..., object]) -> None:
    follower: Follower[Entries] = follow(lambda: backend.keys.watch("app", prefix=True))  # type: ignore[assignment]
    first = acquired(backend)
    for number in range(5):
        backend.keys.put("app/a", b"%d" % number)
        follower.until(partial(_holds, b"%d" % number), "it", DEADLINE_S)
        shutil.rmtree(path)
        follower.until(lambda seen: seen == (), "nothing", DEADLINE_S)
    with pytest.raises(LockLostError):
        backend.locks.keep("primary")
    assert acquired(backend) >= first


def test_a_full_disk_leaves_the_old_value(path: Path) -> None:
    path.mkdir()
    script = f"""
import sys
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.errors import BackendUnavailableError
from corepilot.testing.backends import context
backend = EmbeddedBackend(plugin.Options({str(path)!r}), context())
backend.keys.put("app", b"old")
grant = backend.locks.acquire("primary", "me", 60.0, 0.0)
try:
    backend.keys.put("app", b"x" * 500_000)
except BackendUnavailableError as error:
    print(error)
found = backend.keys.get("app")
assert found.value == b"old", found
assert [one.key for one in backend.keys.list("")] == ["app"]
assert backend.locks.keep("primary") == 60.0
backend.locks.release("primary")
assert backend.locks.acquire("primary", "me", 60.0, 0.0).token == grant.token + 1
"""
    mount = f'mount -t tmpfs -o size=64k none "{path}"; exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", mount, "sh", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"cannot write the key app in the catalog {path}: No space left on device\n"


def test_a_writer_that_was_stopped_in_its_turn_is_told_of(
    path: Path, backend: EmbeddedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others can read, and writers are not kept waiting for ever."""
    monkeypatch.setattr("corepilot.discovery.embedded.durable._TURN_WAIT_S", 0.05)
    backend.keys.put("app", b"old")
    with subprocess.Popen(["flock", str(path / ".keys"), "cat"], stdin=subprocess.PIPE) as stopped:
        try:
            until(lambda: _locked(path / ".keys"))
            with pytest.raises(BackendUnavailableError, match=r"another process has locked .*; `fuser -v"):
                backend.keys.put("app", b"new")
            found = backend.keys.get("app")
            assert found is not None
            assert found.value == b"old"
        finally:
            stopped.kill()
    backend.keys.put("app", b"new")
    assert [name for name in os.listdir(path / ".keys") if name.startswith(".")] == []


def _has_grown(file: Path, beyond: int) -> bool:
    return file.stat().st_size > beyond


def _holds(value: bytes, seen: Entries) -> bool:
    return [one.value for one in seen] == [value]


def _locked(directory: Path) -> bool:
    return subprocess.run(["flock", "--nonblock", str(directory), "true"], check=False).returncode != 0


def test_foreign_files_are_left_alone(path: Path, backend: EmbeddedBackend) -> None:
    backend.keys.put("app/a", b"ours")
    keys = path / ".keys"
    (keys / "app%2Fforeign").write_text("hello\n")
    (keys / "app%2Fdirectory").mkdir()
    os.mkfifo(keys / "app%2Ffifo")
    (keys / "app%2Flink").symlink_to("/etc/passwd")
    (keys / f"app%2F{'x' * 50}~0").write_text("hello\n")
    (keys / "app%2Fmoved").write_bytes((keys / "app%2Fa").read_bytes())
    assert [(one.key, one.value) for one in backend.keys.list("app")] == [("app/a", b"ours")]
    with pytest.raises(BackendRefusedError, match="it is not a key of a catalog; write the key again, or remove it"):
        backend.keys.get("app/foreign")
    backend.keys.put("app/foreign", b"mended")
    assert [one.key for one in backend.keys.list("app")] == ["app/a", "app/foreign"]
    assert len(list(keys.iterdir())) == 7


def test_a_key_that_cannot_be_read_stays_as_it_was(
    backend: EmbeddedBackend, follow: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower: Follower[Entries] = follow(lambda: backend.keys.watch("app"))  # type: ignore[assignment]
    backend.keys.put("app", b"1")
    follower.until(lambda seen: [one.value for one in seen] == [b"1"], "the key", DEADLINE_S)
    refused: list[str] = []

    def refuse(path: str) -> KeyFile:
        if len(refused) < 3:
            refused.append(path)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return read(path)

    monkeypatch.setattr("corepilot.discovery.embedded.key_view.read", refuse)
    backend.keys.put("app", b"2")
    follower.until(lambda seen: [one.value for one in seen] == [b"2"], "the key", DEADLINE_S)
    assert len(refused) == 3
    assert all(follower.snapshots[1:])


def test_what_writers_that_died_have_left_is_removed(path: Path, backend: EmbeddedBackend) -> None:
    backend.keys.put("app", b"1")
    left = [path / ".keys" / f".app~{number}.new" for number in range(2)]
    for file in left:
        file.touch()
    long_ago = time.time() - 3600
    os.utime(left[0], (long_ago, long_ago))
    other = EmbeddedBackend(plugin.Options(str(path)), context())
    other.keys.put("app", b"2")
    assert sorted(name for name in os.listdir(path / ".keys") if name.startswith(".")) == [left[1].name]
    other.close()


def test_one_file_is_left_of_a_lock(path: Path, backend: EmbeddedBackend) -> None:
    for _ in range(5):
        token = acquired(backend)
        backend.locks.release("primary")
    assert os.listdir(path / ".locks") == [f"primary~{token:020}"]
