"""Making the control socket (fault rows A04, A05, A06)."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from eventually import eventually

from corepilot.control import locations as places
from corepilot.control.client import ControlClient
from corepilot.control.paths import ControlSocket, NotASocketError, SocketInUseError, bind_control_socket
from corepilot.errors import ControlError


def bind(path: Path, *, retry_s: float = 0, strict: bool = True) -> ControlSocket:
    return bind_control_socket(str(path), {}, retry_s=retry_s, strict=strict)


def leave_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_it_is_listening_private_and_not_inherited(tmp_path: Path) -> None:
    path = tmp_path / "x.socket"
    made = bind(path)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert not made.socket.getblocking()
        assert not os.get_inheritable(made.socket.fileno())
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        assert (made.path, made.warnings) == (str(path), ())
        assert [entry.name for entry in tmp_path.iterdir()] == ["x.socket"]
    finally:
        made.close()
    assert list(tmp_path.iterdir()) == []
    made.close()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        made = bind(tmp_path / "x.socket")
        assert stat.S_IMODE((tmp_path / "x.socket").stat().st_mode) == 0o600
        made.close()
    finally:
        os.umask(before)


def test_it_is_never_open_to_others_not_even_for_an_instant(tmp_path: Path) -> None:
    """A thread looks at the file as fast as it can while it is made again and again."""
    path = tmp_path / "x.socket"
    seen = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                seen.add(stat.S_IMODE(os.stat(path).st_mode))
            except FileNotFoundError:
                continue

    before = os.umask(0)
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(500):
            bind(path).close()
    finally:
        done.set()
        watcher.join()
        os.umask(before)
    assert seen <= {0o600}


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    leave_stale(tmp_path / "x.socket")
    made = bind(tmp_path / "x.socket")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(made.path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.socket"]
    made.close()


@pytest.mark.parametrize("strict", [True, False])
def test_a_live_socket_is_an_error_that_names_the_process(tmp_path: Path, *, strict: bool) -> None:
    made = bind(tmp_path / "x.socket")
    with pytest.raises(
        SocketInUseError, match=rf"another corepilot is running there \(pid {os.getpid()}\); stop it, or set"
    ):
        bind(tmp_path / "x.socket", strict=strict)
    assert made.is_in_place()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(made.path)
    made.close()
    bind(tmp_path / "x.socket", strict=strict).close()


def test_a_live_socket_with_a_full_backlog_is_alive(tmp_path: Path) -> None:
    path = str(tmp_path / "x.socket")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(path)
        busy.listen(0)
        client.connect(path)
        with pytest.raises(SocketInUseError):
            bind(tmp_path / "x.socket")


@pytest.mark.parametrize("kind", ["file", "link", "dangling-link"])
def test_a_plain_file_is_replaced_with_a_warning_as_containerpilot_does(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "x.socket", tmp_path / "victim"
    if kind == "link":
        victim.write_text("precious")
    if kind == "file":
        path.write_text("stale")
    else:
        path.symlink_to(victim)
    made = bind(path, strict=False)
    try:
        assert stat.S_ISSOCK(path.lstat().st_mode)
        assert victim.exists() == (kind == "link")
        (warning,) = made.warnings
        assert "control.strict" in warning
    finally:
        made.close()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_mode_is_by_the_umask_unless_strict(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        made = bind(tmp_path / "x.socket", strict=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.socket").stat().st_mode) == 0o777 & ~mask
    made.close()


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_plain_file_is_never_deleted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.socket"
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(NotASocketError, match="is not deleted; remove it"):
        bind(path, strict=False)
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling-link", "fifo"])
def test_in_strict_mode_what_is_no_socket_is_never_deleted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.socket"
    victim = tmp_path / "victim"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        if kind == "link":
            victim.write_text("precious")
        path.symlink_to(victim)
    before = path.lstat()
    with pytest.raises(NotASocketError, match="is not deleted; remove it"):
        bind_control_socket(str(path), {}, strict=True)
    assert path.lstat().st_ino == before.st_ino
    assert victim.exists() == (kind == "link")


def test_only_our_own_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.socket"
    made = bind(path)
    path.unlink()
    path.write_text("somebody else's")
    made.close()
    assert path.read_text() == "somebody else's"


def test_a_long_path(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 150)
    directory.mkdir()
    made = bind(directory / "x.socket")
    assert made.path == str(directory / "x.socket")
    made.close()
    assert list(directory.iterdir()) == []


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"cannot create the control socket at .*No such file.*set control.socket"):
        bind(tmp_path / "none" / "x.socket")


def test_a_directory_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    told: list[str] = []

    def mount(message: str) -> None:
        told.append(message)
        threading.Timer(0.05, (tmp_path / "late").mkdir).start()

    made = bind_control_socket(str(tmp_path / "late" / "x.socket"), {}, retry_s=30, on_wait=mount)
    made.close()
    assert len(told) == 1
    assert f"{tmp_path}/late, does not exist yet" in told[0]


def test_a_directory_that_everybody_can_write_is_warned_of_or_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    made = bind(tmp_path / "open" / "x.socket", strict=False)
    (warning,) = made.warnings
    assert "can be replaced by other users" in warning
    made.close()
    with pytest.raises(ControlError, match="can be written by everybody"):
        bind(tmp_path / "open" / "x.socket", strict=True)
    assert list((tmp_path / "open").iterdir()) == []


class Defaults:
    """The default places, moved below a directory of the test."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first = base / "run" / "containerpilot.socket"
        self.environment = {"XDG_RUNTIME_DIR": str(base / "user")}
        self.second = base / "user" / "corepilot" / "control.socket"
        self.third = base / "tmp" / f"corepilot-{os.geteuid()}" / "control.socket"
        (base / "tmp").mkdir()
        monkeypatch.setattr(places, "DEFAULT_PATH", str(self.first))
        monkeypatch.setattr(places, "_PRIVATE_PARENT", str(base / "tmp"))

    def bind(self) -> ControlSocket:
        return bind_control_socket(None, self.environment, strict=True)


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Defaults:
    return Defaults(tmp_path, monkeypatch)


def test_the_first_default_place_if_it_can_be_had(defaults: Defaults) -> None:
    defaults.first.parent.mkdir()
    made = defaults.bind()
    assert made.path == str(defaults.first)
    made.close()


def test_else_below_the_runtime_directory(defaults: Defaults) -> None:
    defaults.second.parent.parent.mkdir(mode=0o700)
    for _ in range(2):
        made = defaults.bind()
        assert made.path == str(defaults.second)
        assert stat.S_IMODE(defaults.second.parent.stat().st_mode) == 0o700
        made.close()


def test_a_default_place_that_is_taken_leads_to_the_next(defaults: Defaults) -> None:
    defaults.first.parent.mkdir()
    defaults.second.parent.parent.mkdir(mode=0o700)
    made = [defaults.bind() for _ in range(3)]
    assert [one.path for one in made] == [str(defaults.first), str(defaults.second), str(defaults.third)]
    with pytest.raises(ControlError) as caught:
        defaults.bind()
    for one in made:
        assert f"{one.path}: another corepilot is running there (pid {os.getpid()})" in str(caught.value)
        assert one.is_in_place()
        one.close()


def test_a_default_place_that_is_no_socket_leads_to_the_next(defaults: Defaults) -> None:
    defaults.first.mkdir(parents=True)
    made = defaults.bind()
    assert made.path == str(defaults.third)
    made.close()


def test_only_a_file_that_is_certainly_gone_is_not_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir()
    path = place / "x.socket"
    made = bind(path)
    assert made.is_in_place()
    path.chmod(0o777)
    os.utime(path)
    assert made.is_in_place()
    place.rename(tmp_path / "elsewhere")
    assert not made.is_in_place()
    (tmp_path / "elsewhere").rename(place)
    assert made.is_in_place()
    path.unlink()
    assert not made.is_in_place()
    for _ in range(100):  # the number of the inode is not used again as long as the socket is open
        leave_stale(path)
        assert not made.is_in_place()
        path.unlink()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "stat", refuse)
    assert made.is_in_place()
    monkeypatch.undo()
    made.close()


def test_a_place_of_our_own_is_made_again_with_its_directory(defaults: Defaults) -> None:
    defaults.second.parent.parent.mkdir(mode=0o700)
    made = defaults.bind()
    shutil.rmtree(defaults.second.parent)
    again = made.bind_again(time.sleep)
    made.close()
    assert again.is_in_place()
    assert stat.S_IMODE(defaults.second.parent.stat().st_mode) == 0o700
    again.close()


KILLED_WHILE_IT_REPLACES = """
import os, signal, sys
from corepilot.control.paths import bind_control_socket

step, path = sys.argv[1:]
real = getattr(os, step)

def last(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(os, step, last)
bind_control_socket(path, {})
"""


@pytest.mark.parametrize("step", ["mkdir", "rename", "unlink"])
def test_a_start_that_is_killed_while_it_replaces_a_stale_socket(tmp_path: Path, step: str) -> None:
    path = tmp_path / "x.socket"
    leave_stale(path)
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_REPLACES, step, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [name for name in os.listdir(tmp_path) if name != "x.socket"]
    made = bind(path)
    assert os.listdir(tmp_path) == ["x.socket"]
    made.close()


def test_what_a_killed_start_had_moved_aside_goes_back_or_stays(tmp_path: Path) -> None:
    path, aside = tmp_path / "x.socket", tmp_path / ".x.socket.0123abcd"
    aside.mkdir()
    (aside / "x.socket").write_text("precious")
    with pytest.raises(NotASocketError):
        bind(path)
    assert path.read_text() == "precious"
    assert not aside.exists()
    aside.mkdir()
    path.rename(aside / "x.socket")
    leave_stale(path)
    bind(path).close()
    assert (aside / "x.socket").read_text() == "precious"
    (aside / "x.socket").unlink()
    leave_stale(aside / "x.socket")
    leave_stale(path)
    bind(path).close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", [".x.socket.0123abc", ".x.socket.0123abcg", ".y.socket.0123abcd", "x.socket.0123abcd"])
def test_directories_of_others_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    bind(tmp_path / "x.socket").close()
    assert os.listdir(tmp_path) == [name]


def test_a_path_with_control_characters_is_escaped_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[2J.socket"
    made = bind(path)
    with pytest.raises(SocketInUseError) as caught:
        bind(path)
    assert str(caught.value).isprintable()
    assert f"{tmp_path}/a\\n\\x1b[2J.socket" in str(caught.value)
    made.close()


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_private_directory_that_is_not_private_is_not_used(defaults: Defaults, tmp_path: Path, kind: str) -> None:
    private = defaults.second.parent
    private.parent.mkdir(mode=0o700)
    if kind == "open":
        private.mkdir(mode=0o755)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        private.symlink_to(tmp_path / "elsewhere")
    else:
        private.write_text("")
    made = defaults.bind()
    assert made.path == str(defaults.third)
    made.close()


def test_no_place_at_all_names_each_with_its_reason(defaults: Defaults) -> None:
    defaults.third.parent.parent.rmdir()
    with pytest.raises(ControlError) as caught:
        defaults.bind()
    for place in (defaults.first, defaults.second, defaults.third):
        assert f"{place}: No such file or directory" in str(caught.value)


def test_nothing_is_in_the_abstract_namespace(tmp_path: Path) -> None:
    made = bind(tmp_path / "x.socket")
    with open("/proc/net/unix") as table:
        ours = [line for line in table if "x.socket" in line and str(tmp_path) in line]
    made.close()
    assert ours
    assert not any("@" in line for line in ours)


def test_two_that_start_at_once_on_a_stale_socket(tmp_path: Path) -> None:
    """Exactly one of many gets the socket, however often they race."""
    path = tmp_path / "x.socket"
    for _ in range(20):
        leave_stale(path)
        made: list[ControlSocket] = []
        refused: list[ControlError] = []
        start = threading.Barrier(4)

        def race(made: list[ControlSocket], refused: list[ControlError], start: threading.Barrier) -> None:
            start.wait(10)
            try:
                made.append(bind(path))
            except SocketInUseError as error:
                refused.append(error)

        racers = [threading.Thread(target=race, args=(made, refused, start)) for _ in range(4)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert (len(made), len(refused)) == (1, 3)
        made[0].close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_name_that_keeps_changing_hands_harms_no_file(tmp_path: Path) -> None:
    """Somebody swaps the name between a stale socket, a link to a victim and a file, while we bind and remove."""
    place = tmp_path / "place"
    place.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    treasure = tmp_path / "treasure"
    treasure.write_text("also precious")
    path = place / "x.socket"
    spare = place / "spare"
    done = threading.Event()

    def swap() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            spare.unlink(missing_ok=True)
            if turn % 3 == 0:
                spare.symlink_to(victim)
            elif turn % 3 == 1:
                os.link(treasure, spare)
            else:
                leave_stale(spare)
            try:
                spare.replace(path)
            except OSError:
                continue

    swapper = threading.Thread(target=swap)
    swapper.start()
    bound = refused = 0
    try:
        deadline = time.monotonic() + 60
        # Who gets the processor when is not ours to say: on until both have happened.
        while (bound + refused < 3000 or not bound or not refused) and time.monotonic() < deadline:
            try:
                bind(path).close()
                bound += 1
            except ControlError:
                refused += 1
    finally:
        done.set()
        swapper.join()
    assert bound
    assert refused
    assert victim.read_text() == "precious"
    assert treasure.read_text() == "also precious"


def test_clients_can_connect_before_anybody_accepts(tmp_path: Path) -> None:
    """The socket is bound before the server's code is imported: a request made meanwhile waits and is answered."""
    made = bind(tmp_path / "x.socket")
    listener = socket.socket(fileno=os.dup(made.socket.fileno()))
    answers: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(ControlClient(made.path).request("GET", "/v1/ping")))
    asking.start()

    def accepted() -> socket.socket | None:
        try:
            return listener.accept()[0]
        except BlockingIOError:
            return None

    connected = eventually(accepted)
    assert connected is not None
    with connected:
        connected.settimeout(10)
        connected.recv(65536)
        connected.sendall(b"HTTP/1.1 200 OK\r\n\r\nhi")
    asking.join()
    listener.close()
    assert answers == [(200, b"hi")]
    made.close()
