"""What may happen to the embedded catalog's directory: users, read-only mounts, foreign files, removal, limits."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from members import Member

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.connection import Connection
from corepilot.discovery.embedded import inotify, plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.framing import frame
from corepilot.discovery.embedded.inspection import RecordState, inspect
from corepilot.discovery.registrar import Registrar
from corepilot.discovery.watcher import CatalogView, Watcher
from corepilot.errors import BackendRefusedError, UnknownInstanceError
from corepilot.model.configuration import Watch
from corepilot.model.event import Event
from corepilot.model.service import Query, Registration, Snapshot
from corepilot.system.backoff import Backoff
from corepilot.testing.backends import Listener
from corepilot.testing.listener import at_most

DEADLINE_S = 30.0
NOBODY = 65534
WEB = Registration("web-a", "web", "10.0.0.1", 80, ttl_s=60)
Make = Callable[..., EmbeddedBackend]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def make(path: Path, lines: list[str]) -> Iterator[Make]:
    made = []

    def one(where: Path = path, *, shared: bool = False) -> EmbeddedBackend:
        backend = EmbeddedBackend(
            plugin.Options(str(where), shared), BackendContext(lambda _level, message: lines.append(message))
        )
        made.append(backend)
        return backend

    yield one
    for backend in made:
        backend.close()
    gevent.sleep(0)


def wish(path: Path, **more: object) -> dict[str, object]:
    return {"path": str(path), "service": "web", "id": "web-a", **more}


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def until(condition: Callable[[], object]) -> None:
    with gevent.Timeout(DEADLINE_S, AssertionError("did not come true")):
        while not condition():
            gevent.sleep(0.002)


def passing(snapshot: Snapshot) -> bool:
    return [one.status for one in snapshot] == ["passing"]


def empty(snapshot: Snapshot) -> bool:
    return snapshot == ()


def in_mounts(script: str) -> list[str]:
    """Run through a shell script in a mount namespace of its own."""
    return ["unshare", "--mount", "sh", "-ec", f'{script}; exec "$@"', "sh"]


def test_by_default_only_the_owner_may_advertise(make: Make, path: Path) -> None:
    make().register(WEB, "passing", "")
    assert (mode(path), mode(path / "web")) == ("0755", "0755")


def test_shared_lets_everybody_advertise_and_nobody_remove(make: Make, path: Path) -> None:
    make(shared=True).register(WEB, "passing", "")
    assert (mode(path), mode(path / "web")) == ("1777", "1777")
    assert [mode(file) for file in (path / "web").iterdir()] == ["0644"]


def test_an_own_directory_becomes_shared_when_asked_for(make: Make, path: Path) -> None:
    path.mkdir(0o755)
    make(shared=True).register(WEB, "passing", "")
    assert (mode(path), mode(path / "web")) == ("1777", "1777")


def test_the_mode_of_an_existing_directory_counts(make: Make, path: Path) -> None:
    path.mkdir()
    path.chmod(0o2775)
    make().register(WEB, "passing", "")
    assert (mode(path), mode(path / "web")) == ("2775", "2775")


def test_another_user_is_told_what_to_do(public: Path, make: Make) -> None:
    make(public / "catalog").register(WEB, "passing", "")
    with Member("holder", wish(public / "catalog", id="web-b", user=NOBODY)) as holder:
        said = holder.until(lambda said: "error" in said)
    assert said["code"] == "backend-refused"
    assert said["error"] == (
        f"cannot register web-b in the catalog {public}/catalog: Permission denied for user {NOBODY}; it belongs to "
        f"user {os.geteuid()} and has the mode 0755; let everybody advertise with `chmod -R 1777 {public}/catalog`, "
        "or change its owner, or set discovery.path"
    )


def test_users_share_a_shared_catalog(public: Path, make: Make) -> None:
    backend = make(public / "catalog", shared=True)
    listener = Listener(backend, Query("web"))
    backend.register(WEB, "passing", "")
    with Member("holder", wish(public / "catalog", id="web-b", user=NOBODY)) as holder:
        listener.until(lambda seen: [one.id for one in seen] == ["web-a", "web-b"], "both", DEADLINE_S)
        with Member("follower", wish(public / "catalog", user=NOBODY)) as follower:
            follower.until(lambda said: said["instances"] == [["web-a", "passing"], ["web-b", "passing"]])
        holder.kill()
        listener.until(lambda seen: [one.id for one in seen] == ["web-a"], "the first one only", DEADLINE_S)
    listener.kill(DEADLINE_S)


def test_a_read_only_catalog_can_be_watched_but_not_written(make: Make, path: Path) -> None:
    path.mkdir()
    read_only = in_mounts(f'mount --bind "{path}" "{path}"; mount -o remount,bind,ro "{path}"')
    with Member("holder", wish(path), prefix=read_only) as holder:
        said = holder.until(lambda said: "error" in said)
        assert said["code"] == "backend-refused"
        assert "Read-only file system; mount it writable here" in said["error"]
    with Member("follower", wish(path), prefix=read_only) as follower:
        follower.until(lambda said: said == {"instances": [], "mode": "poll"})  # the service's directory is not there
        make().register(WEB, "passing", "")
        follower.until(lambda said: said == {"instances": [["web-a", "passing"]], "mode": "push"})


def test_a_full_disk_is_told(path: Path) -> None:
    path.mkdir()
    with Member("holder", wish(path), prefix=in_mounts(f'mount -t tmpfs -o nr_inodes=2 none "{path}"')) as holder:
        said = holder.until(lambda said: "error" in said)
    assert said == {
        "error": f"cannot register web-a in the catalog {path}: No space left on device",
        "code": "backend-unavailable",
    }


def test_on_a_full_disk_the_status_counts_more_than_the_output(path: Path) -> None:
    path.mkdir()
    script = f"""
import os
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.discovery.embedded.framing import frame
from corepilot.model.service import Query, Registration
from corepilot.testing.backends import context
backend = EmbeddedBackend(plugin.Options({str(path)!r}), context())
backend.register(Registration("web-a", "web", "10.0.0.1", 80, (), 60), "passing", "")
try:
    with open({str(path / "filling")!r}, "wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
except OSError as error:
    print(error.strerror)
for status, output in (("critical", "x" * 30_000), ("warning", ""), ("passing", "y" * 30_000)):
    backend.report("web-a", status, output, 60.0)
    (instance,) = backend.instances(Query("web"))
    print(instance.status)
os.unlink({str(path / "filling")!r})
backend.report("web-a", "passing", "z" * 30_000, 60.0)
(file,) = os.scandir({str(path / "web")!r})
assert b"z" * 30_000 in open(file, "rb").read()
"""
    through = in_mounts(f'mount -t tmpfs -o size=128k none "{path}"')
    done = subprocess.run(
        [*through, sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["No space left on device", "critical", "warning", "passing", ""]


def test_something_else_in_its_place_is_told(make: Make, path: Path) -> None:
    path.touch()
    backend = make()
    with pytest.raises(BackendRefusedError, match=r"set discovery\.path to a directory"):
        backend.register(WEB, "passing", "")
    with pytest.raises(BackendRefusedError, match="cannot watch web in the catalog"):
        next(backend.watch(Query("web")))


def test_a_registration_that_is_too_long_is_refused(make: Make, path: Path) -> None:
    backend = make()
    tags = tuple(f"{'x' * 1000}{number}" for number in range(100))
    with pytest.raises(BackendRefusedError, match="at most 65536 are allowed"):
        backend.register(Registration("web-a", "web", "10.0.0.1", 80, tags), "passing", "")
    assert list((path / "web").iterdir()) == []


def test_foreign_files_are_ignored_with_one_warning_each(make: Make, path: Path, lines: list[str]) -> None:
    backend = make()
    backend.register(WEB, "passing", "")
    web = path / "web"
    os.mkfifo(web / "fifo")
    (web / "directory").mkdir()
    (web / "link").symlink_to("/etc/passwd")
    (web / "dangling").symlink_to("/nowhere")
    (web / "text").write_text("hello\n")
    (web / "empty").touch()
    (web / "future").write_text("corepilot-instance 2 00000000 000000\n")
    (web / "broken").write_text("corepilot-instance 1 xyz\n")
    (web / "long").write_bytes(b"\0" * 100_000)
    (web / ".hidden").write_text("not ours either\n")
    for _ in range(2):
        listener = Listener(backend, Query("web"))
        listener.until(passing, "the instance", DEADLINE_S)
        listener.kill(DEADLINE_S)
    assert sorted(lines) == sorted(
        [
            f"ignoring {web}/fifo: it is not a regular file",
            f"ignoring {web}/directory: it is not a regular file",
            f"ignoring {web}/link: it cannot be read: Too many levels of symbolic links",
            f"ignoring {web}/dangling: it cannot be read: Too many levels of symbolic links",
            f"ignoring {web}/text: it is not an instance of a catalog",
            f"ignoring {web}/empty: it is not an instance of a catalog",
            f"ignoring {web}/future: it has format version 2, and this corepilot knows version 1 only",
            f"ignoring {web}/broken: its first line is broken",
            f"ignoring {web}/long: it is longer than 65536 bytes",
        ]
    )
    assert len(list(web.iterdir())) == 11, "what is not ours is not touched"


def test_of_many_foreign_files_a_few_are_named(make: Make, path: Path, lines: list[str]) -> None:
    """Whoever watches again, or reads all of them again, does not begin anew."""
    backend = make()
    backend.register(WEB, "passing", "")
    web = path / "web"
    for number in range(300):
        (web / f"foreign{number}").write_text("hello\n")
    for _ in range(2):
        listener = Listener(backend, Query("web", interval_s=1))
        listener.until(passing, "the instance", DEADLINE_S)
        listener.kill(DEADLINE_S)
    (web / "one more").write_text("hello\n")
    assert [one.id for one in backend.instances(Query("web"))] == ["web-a"]
    assert len(lines) == len(set(lines)) == 21
    assert all(line.startswith(f"ignoring {web}/foreign") for line in lines[:-1])
    assert lines[-1] == f"ignoring more than 20 files in {web}; no more of them are named"


@pytest.mark.parametrize(
    "field",
    [
        '"valid_for_s": 1' + "0" * 400,
        '"until": NaN',
        '"since": -Infinity',
        '"until": -1',
        '"port": true',
        '"sequence": 0.5',
    ],
    ids=lambda field: field[:20],
)
def test_a_living_record_with_foreign_numbers_blinds_nobody(
    make: Make, path: Path, lines: list[str], field: str
) -> None:
    backend = make()
    backend.register(WEB, "passing", "")
    (ours,) = (path / "web").iterdir()
    payload = ours.read_bytes().split(b"\n")[1].replace(b'"web-a"', b'"web-b"')
    name = field.partition(":")[0].encode()
    before, _, rest = payload.partition(name)
    payload = before + field.encode() + rest[rest.index(b",") if b"," in rest else rest.index(b"}") :]
    foreign = path / "web" / "web-b~00"
    foreign.write_bytes(frame(b"corepilot-instance", payload))
    with subprocess.Popen(["flock", str(foreign), "cat"], stdin=subprocess.PIPE) as holder:
        try:
            until(lambda: subprocess.run(["flock", "-n", str(foreign), "true"], check=False).returncode)
            listener = Listener(backend, Query("web", interval_s=1))
            listener.until(passing, "ours", DEADLINE_S)
            backend.report("web-a", "warning", "", 60)
            listener.until(lambda seen: [one.status for one in seen] == ["warning"], "ours", DEADLINE_S)
            listener.kill(DEADLINE_S)
        finally:
            holder.kill()
    assert len(lines) == 1
    assert lines[0].startswith(f"ignoring {foreign}: its record is broken: ")


def test_services_are_listed_by_the_names_that_they_have(make: Make, path: Path) -> None:
    backend, other = make(), make()
    assert backend.service_names() == ()
    for service in ("web", "with space/and slash", "x" * 300):
        backend.register(Registration(f"{service}-a", service, "10.0.0.1", 80), "critical", "")
    other.register(Registration("gone-a", "gone", "10.0.0.1", 80), "passing", "")
    other.close()
    backend.keys.put("app", b"1")
    (path / "README").touch()
    assert backend.service_names() == ("web", "with space/and slash", "x" * 300)


def test_the_dead_are_tidied_away_once_their_stamp_has_lapsed(make: Make, path: Path) -> None:
    short, lasting = (Registration(f"web-{ttl_s}", "web", "10.0.0.1", 80, ttl_s=ttl_s) for ttl_s in (1, 3600))
    first, second = make(), make()
    first.register(short, "passing", "")
    first.register(lasting, "passing", "")
    first.close()
    listener = Listener(second, Query("web", interval_s=1))
    listener.until(empty, "no dead one", DEADLINE_S)
    until(lambda: [file.name.partition("~")[0] for file in (path / "web").iterdir()] == ["web-3600"])
    listener.kill(DEADLINE_S)


def test_a_removed_file_is_found_out_by_the_next_report(make: Make, path: Path) -> None:
    backend = make()
    backend.register(WEB, "passing", "")
    for file in (path / "web").iterdir():
        file.unlink()
    with pytest.raises(UnknownInstanceError, match="register it again"):
        backend.report("web-a", "passing", "", 60)


def test_a_directory_that_may_not_be_entered_takes_nothing_away(public: Path, make: Make) -> None:
    """Its holder cannot look whether its file is there, and does not take that for a no."""
    backend = make(public / "catalog", shared=True)
    listener = Listener(backend, Query("web"))
    with Member("holder", wish(public / "catalog", user=NOBODY, beat_s=0.01)) as holder:
        listener.until(passing, "the instance", DEADLINE_S)
        web = public / "catalog" / "web"
        (file,) = web.iterdir()
        web.chmod(0o600)
        before = inspect(str(file)).record
        assert before is not None

        def reported() -> bool:
            now = inspect(str(file)).record
            return now is not None and now.sequence > before.sequence + 5

        until(reported)
        web.chmod(0o1777)
        until(reported)
        assert list(web.iterdir()) == [file]
        assert holder.process.poll() is None
    listener.until(empty, "nothing", DEADLINE_S)
    assert [len(seen) for seen in listener.snapshots] == [0, 1, 0]
    listener.kill(DEADLINE_S)


def test_a_watch_goes_on_when_its_directory_is_moved_or_removed(make: Make, path: Path) -> None:
    """Again and again: the one stream stays, with the next change it shows what there is."""
    backend = make()
    listener = Listener(backend, Query("web", interval_s=1))
    listener.until(empty, "nothing", DEADLINE_S)
    for number in range(20):
        backend.register(WEB, "passing", "")
        listener.until(passing, "the instance", DEADLINE_S)
        if number % 2:
            path.rename(path.with_name(f"moved-{number}"))
        else:
            shutil.rmtree(path / "web")
        listener.until(empty, "nothing", DEADLINE_S)
    assert listener.error is None


def test_a_watch_ends_where_the_directory_cannot_be_made_again(make: Make, path: Path) -> None:
    backend = make()
    listener = Listener(backend, Query("web", interval_s=1))
    listener.until(empty, "nothing", DEADLINE_S)
    path.rename(path.with_name("moved"))
    path.touch()
    error = listener.until_ended(DEADLINE_S)
    assert isinstance(error, BackendRefusedError)
    assert "set discovery.path to a directory" in str(error)


def test_a_removed_directory_is_made_again_and_filled(make: Make, path: Path) -> None:
    """Through the registrar and the watcher, as in a running corepilot."""
    events: list[Event] = []
    registrar = Registrar(make(), log=lambda *_: None)
    watcher = Watcher(
        Watch("web", 1),
        [CatalogView("embedded", make(), Connection(1.0), lambda *_: None)],
        events.append,
        backoff=Backoff(0.01, 0.05),
    )
    watcher.start()
    registrar.advertise(WEB, "passing")
    until(lambda: passing(watcher.instances))
    for _ in range(3):
        before = set(path.glob("web/web-a~*"))
        shutil.rmtree(path)

        def back(before: set[Path] = before) -> bool:
            registrar.report("web-a", "passing")
            return passing(watcher.instances) and bool(set(path.glob("web/web-a~*")) - before)

        until(back)
        assert not watcher.last_error
    assert set(events[1::2]) <= {Event("healthy", "watch.web"), Event("unhealthy", "watch.web")}
    assert events[-1] == Event("healthy", "watch.web")
    watcher.close()
    registrar.withdraw(WEB)
    assert registrar.drain(DEADLINE_S)
    registrar.close()
    gevent.sleep(0)


@pytest.mark.parametrize(
    ("limit", "sysctl"),
    [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ],
)
def test_without_inotify_it_polls_and_says_so(make: Make, path: Path, limit: str, sysctl: str) -> None:
    """The limits of a user namespace are its own: nobody else on this machine runs out of them."""
    backend = make()
    backend.register(WEB, "passing", "")
    script = f'echo 0 >/proc/sys/user/{limit}; exec "$@"'
    through = ["unshare", "--user", "--map-root-user", "sh", "-ec", script, "sh"]
    with Member("follower", wish(path), prefix=through) as follower:
        warning = follower.until(lambda said: "level" in said)
        assert warning["level"] == "warning"
        assert sysctl in warning["message"]
        assert "looking every 0.5 s instead" in warning["message"]
        follower.until(lambda said: said == {"instances": [["web-a", "passing"]], "mode": "poll"})
        backend.report("web-a", "critical", "", 60)
        follower.until(lambda said: said == {"instances": [["web-a", "critical"]], "mode": "poll"})
        backend.close()
        follower.until(lambda said: said == {"instances": [], "mode": "poll"})


def test_changes_that_nobody_announces_lead_to_polling(
    make: Make, path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is asked for removals only, so that everything else goes unannounced, as on some file systems."""
    monkeypatch.setattr(inotify, "_INTERESTING", 0x200)
    backend, other = make(), make()
    listener = Listener(backend, Query("web", interval_s=1))
    listener.until(empty, "nothing", DEADLINE_S)
    assert backend.mode == "push"
    other.register(WEB, "passing", "")
    listener.until(passing, "the instance", DEADLINE_S)
    until(lambda: backend.mode == "poll")
    assert lines == [
        f"changes in {path}/web are not announced (an overlay, or a network file system): looking every 0.5 s instead"
    ]
    other.close()
    listener.until(empty, "nothing", DEADLINE_S)
    listener.kill(DEADLINE_S)


def test_readers_never_see_half_a_record_nor_a_moment_without_the_instance(make: Make, path: Path) -> None:
    """A holder that rewrites its file without a pause, against readers that never rest either."""
    backend = make()
    listener = Listener(backend, Query("web", interval_s=1))
    with Member("holder", wish(path, beat_s=0, noise=True)) as holder:
        listener.until(passing, "the instance", DEADLINE_S)
        (file,) = (path / "web").iterdir()
        outputs: set[tuple[int, int]] = set()
        torn = looks = 0
        with at_most(DEADLINE_S):
            while len(outputs) < 500:
                looks += 1
                found = inspect(str(file))
                torn += found.state is RecordState.TORN
                if found.record is not None:
                    assert len(set(found.record.output)) <= 1
                    outputs.add((found.record.sequence, len(found.record.output)))
                else:
                    assert found.state is RecordState.TORN
                if looks % 50 == 0:
                    gevent.sleep(0)
        assert len(outputs) >= 500, f"{len(outputs)} different records, {torn} of {looks} torn"
        assert all(passing(snapshot) for snapshot in listener.snapshots[1:])
        holder.kill()
        listener.until(empty, "nothing", DEADLINE_S)
    listener.kill(DEADLINE_S)


def test_descriptors_one_for_each_instance_and_one_for_all_watches(make: Make) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    gevent.sleep(0)
    backend, before = make(), count()
    for number in range(50):
        backend.register(Registration(f"web-{number}", f"web{number % 5}", "10.0.0.1", 80), "passing", "")
    assert count() == before + 50
    listeners = [Listener(backend, Query(f"web{number % 5}")) for number in range(20)]
    for listener in listeners:
        listener.until(lambda seen: len(seen) == 10, "ten instances", DEADLINE_S)
    assert count() == before + 51
    for listener in listeners:
        listener.kill(DEADLINE_S)
    for number in range(50):
        backend.deregister(f"web-{number}")
    assert count() == before + 1
    backend.close()
    assert count() == before


def test_nothing_is_inherited_by_a_program(make: Make, path: Path) -> None:
    """A job that outlives its supervisor must not keep the lock."""
    backend = make()
    backend.register(WEB, "passing", "")
    listener = Listener(backend, Query("web"))
    listener.until(passing, "the instance", DEADLINE_S)
    listing = subprocess.run(["sh", "-c", "ls -l /proc/$$/fd"], close_fds=False, stdout=subprocess.PIPE, check=True)
    assert str(path) not in listing.stdout.decode()
    assert "inotify" not in listing.stdout.decode()
    listener.kill(DEADLINE_S)
