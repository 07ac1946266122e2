"""What a test may leave behind: nothing.

A snapshot is taken before each test and compared after it. Processes are found in two ways: direct children of the test
process, and (outside the tests of pure logic) any process that carries this test's mark in its environment, however far
it has been re-parented. The test process is deliberately not a child subreaper: orphans would become its zombies, and a
test that waits for a pid to vanish would wait for ever. What is about to end gets a short grace.
"""

import gc
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from corepilot.system.children import children
from corepilot.testing.process_state import descriptors, settles

MARK = "PYTEST_PROCESS_MARK"
GRACE_S = 10.0
_IGNORED_VARIABLES = frozenset({"PYTEST_CURRENT_TEST", MARK})
# SIGALRM is pytest-timeout's, which puts it back as soon as a test has failed.
_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM})


class Snapshot:
    """The state of the test process now, to be compared with its state after a test.

    Args:
        mark: A value for `$PYTEST_PROCESS_MARK` that no other test uses; "" leaves marked processes out.
        servers: Objects with a `pid`, 0 when stopped, that outlive a test: the servers of the session.
        grace_s: How long what is about to end may take, in seconds.
    """

    def __init__(self, mark: str, servers: Iterable[Any], grace_s: float = GRACE_S) -> None:
        self._mark = mark
        self._grace_s = grace_s
        self._servers = servers
        if mark:
            os.environ[MARK] = mark
        self._greenlets = _SpawnedGreenlets()  # first: it makes the hub, whose descriptors then belong to the process
        self._environment = _environment()
        self._directory = os.getcwd()
        self._umask = _umask()
        self._handlers = _handlers()
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._threads = set(threading.enumerate())
        self._children = set(children())
        self._descriptors = descriptors()

    def leaks(self) -> list[str]:
        """What is there now that was not there before, one sentence each; put right where that is possible."""
        found = [*self._leaked_greenlets(), *self._leaked_processes(), *self._leaked_threads()]
        found += self._leaked_descriptors()
        found += self._changed_state()
        os.environ.pop(MARK, None)
        return found

    def _leaked_processes(self) -> list[str]:
        new = settles(self._new_processes, grace_s=self._grace_s)
        for pid in new:
            _kill(pid)
        return [f"process {pid} ({what})" for pid, what in new.items()]

    def _new_processes(self) -> dict[int, str]:
        kept = self._children | {server.pid for server in self._servers}
        new = {pid for pid in children() if pid not in kept}
        if self._mark:
            new.update(pid for pid in _marked(self._mark) if pid not in kept)
        return {pid: _describe(pid) for pid in new}

    def _leaked_threads(self) -> list[str]:
        def new() -> list[threading.Thread]:
            return [thread for thread in threading.enumerate() if thread not in self._threads and thread.is_alive()]

        return [f"thread {thread.name}" for thread in settles(new, grace_s=self._grace_s)]

    def _leaked_greenlets(self) -> list[str]:
        return [f"greenlet {greenlet!r}" for greenlet in self._greenlets.alive(self._grace_s)]

    def _leaked_descriptors(self) -> list[str]:
        new = self._new_descriptors()
        if new:
            gc.collect()  # what a test forgot in a reference cycle is a warning of its own, not a leak
            new = settles(self._new_descriptors, grace_s=self._grace_s)  # a native thread may be about to close one
        return [f"descriptor {number} ({target})" for number, target in new.items()]

    def _new_descriptors(self) -> dict[int, str]:
        return {number: target for number, target in descriptors().items() if self._descriptors.get(number) != target}

    def _changed_state(self) -> list[str]:
        found = []
        after = _environment()
        if after != self._environment:
            changed = dict(after.items() ^ self._environment.items())
            names = sorted(changed)
            found.append(f"environment variables changed: {', '.join(names)}")
        if os.getcwd() != self._directory:
            found.append(f"working directory changed to {os.getcwd()}")
            os.chdir(self._directory)
        if _umask() != self._umask:
            found.append(f"umask changed to {_umask():03o}")
            os.umask(self._umask)
        for number, handler in _handlers().items():
            if handler != self._handlers[number]:
                found.append(f"handler of {signal.Signals(number).name} changed to {handler!r}")
                if self._handlers[number] is not None:
                    signal.signal(number, self._handlers[number])
        blocked = signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        if blocked != self._blocked:
            found.append(f"signal mask changed to {sorted(blocked)}")
        return found


@contextmanager
def collector_off(kind: type[Any]) -> Iterator[Callable[[], list[Any]]]:
    """Switch the garbage collector off, and yield a question: which objects of the kind were made since and live?"""
    gc.collect()
    before = {id(one): one for one in _objects(kind)}
    gc.disable()
    try:
        yield lambda: [one for one in _objects(kind) if id(one) not in before]
    finally:
        gc.enable()


class _SpawnedGreenlets:
    """The greenlets spawned since, where gevent is in use: it tells of each spawn, so no scan of all objects."""

    def __init__(self) -> None:
        self._gevent = sys.modules.get("gevent")
        self._spawned: weakref.WeakSet[Any] = weakref.WeakSet()
        if self._gevent is not None:
            self._gevent.sleep(0)
            self._gevent.Greenlet.add_spawn_callback(self._spawned.add)

    def alive(self, grace_s: float) -> list[Any]:
        if self._gevent is None:
            return []
        self._gevent.Greenlet.remove_spawn_callback(self._spawned.add)
        left = [greenlet for greenlet in self._spawned if not greenlet.dead]
        if left:
            self._gevent.joinall(left, timeout=grace_s)
            left = [greenlet for greenlet in left if not greenlet.dead]
            self._gevent.killall(left, timeout=GRACE_S)
        return left


def _objects(kind: type[Any]) -> list[Any]:
    return [one for one in gc.get_objects() if isinstance(one, kind)]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _IGNORED_VARIABLES}


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
    return found


def _describe(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"
    return f"{command or 'no command line'}, state {state}"


def _kill(pid: int) -> None:
    with suppress(OSError):  # it is gone, or not ours to wait for
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
