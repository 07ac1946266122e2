"""The check for leaks finds each kind, and finds nothing where there is nothing."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import gevent
import pytest
from eventually import eventually
from leaks import MARK, Snapshot


@pytest.fixture
def snapshot() -> Iterator[Snapshot]:
    snapshot = Snapshot("the-test-of-the-check", (), grace_s=0.1)
    yield snapshot
    os.environ.pop(MARK, None)


def test_nothing_left_is_nothing_found(snapshot: Snapshot) -> None:
    subprocess.run(["true"], check=True)
    with open(os.devnull):
        pass
    assert snapshot.leaks() == []


def test_a_child_is_found_and_ended(snapshot: Snapshot) -> None:
    child = subprocess.Popen(["sleep", "60"])
    (leak,) = snapshot.leaks()
    assert f"process {child.pid} (sleep 60" in leak
    assert child.wait() == 0  # the check waited for it already


def test_an_orphan_in_its_own_session_is_found_and_ended(snapshot: Snapshot) -> None:
    said = subprocess.run(
        ["setsid", "--fork", "sh", "-c", "echo $$; exec >/dev/null 2>&1 sleep 60"],
        check=True,
        capture_output=True,
        text=True,
    )
    (leak,) = snapshot.leaks()
    pid = int(said.stdout)
    assert f"process {pid} (sleep 60" in leak
    eventually(lambda: _is_over(pid), message="the orphan is ended")


def _is_over(pid: int) -> bool:
    """Gone, or a zombie that whoever adopted it has not collected yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_descriptor_is_found(snapshot: Snapshot) -> None:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    (leak,) = snapshot.leaks()
    assert leak == f"descriptor {descriptor} (/dev/null)"
    os.close(descriptor)


def test_a_thread_is_found(snapshot: Snapshot) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="left over")
    thread.start()
    assert snapshot.leaks() == ["thread left over"]
    end.set()
    thread.join()


def test_a_greenlet_is_found_and_ended(snapshot: Snapshot) -> None:
    greenlet = gevent.spawn(gevent.sleep, 60)
    (leak,) = snapshot.leaks()
    assert leak.startswith("greenlet <Greenlet")
    assert greenlet.dead


def test_changed_state_is_found_and_put_right(snapshot: Snapshot) -> None:
    directory = os.getcwd()
    os.environ["COREPILOT_LEFT_OVER"] = "1"
    os.chdir("/")
    os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    leaks = snapshot.leaks()
    del os.environ["COREPILOT_LEFT_OVER"]
    os.umask(0o022)
    assert [leak.partition(" changed")[0] for leak in leaks] == [
        "environment variables",
        "working directory",
        "umask",
        "handler of SIGUSR1",
        "signal mask",
    ]
    assert "COREPILOT_LEFT_OVER" in leaks[0]
    assert os.getcwd() == directory
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert signal.SIGUSR2 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_poller_says_what_did_not_come_true() -> None:
    def never() -> bool:
        assert 1 + 1 == 3, "sums"  # false on purpose
        return True

    with pytest.raises(AssertionError, match="did not come true within 0 s: the sum: sums"):
        eventually(never, 0, "the sum")
