"""Writing files so that a crash, of a process or of the machine, leaves the old content or the new one.

A new file is written under another name, synchronised and renamed. fsync(2) may take long on a disk, so it has threads
of its own; everything else is microseconds, in the hub's thread.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TYPE_CHECKING

import gevent

from corepilot.discovery.embedded.held import STAGED
from corepilot.errors import BackendUnavailableError

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_THREADS = 2
_THREAD_IDLE_S = 10
_TURN_WAIT_S = 2.0
"""How long a writer waits for its turn. A turn takes microseconds, so that long only a process that was stopped in the
middle of one has it."""

_pool: "ThreadPool | None" = None


def synchronise(descriptor: int) -> None:
    """fsync(2), in a thread. Switches to the hub; one that is given up on goes on in its thread.

    Raises:
        OSError: the disk has not taken it.
    """
    failure = _threads().apply(_synchronise, (descriptor,))
    if failure is not None:
        raise failure


def synchronise_directory(path: str) -> None:
    """The same for the names in a directory.

    Raises:
        OSError: it is not there, or the disk has not taken it.
    """
    descriptor = os.open(path, _DIRECTORY)
    try:
        synchronise(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def staged(directory: str, name: str, data: bytes, *, readable_by_all: bool) -> Iterator[str]:
    """Write a file under another name, and synchronise it: the block renames it, or it is removed.

    Args:
        directory: Where.
        name: What it is to be called.
        data: What it says.
        readable_by_all: Whether everybody can read it whatever the umask says.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(directory, f".{name[:200]}~{os.urandom(8).hex()}{STAGED}")
    descriptor = os.open(path, _FLAGS, 0o644)
    try:
        try:
            if readable_by_all:
                os.fchmod(descriptor, 0o644)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            synchronise(descriptor)
        finally:
            os.close(descriptor)
        yield path
    finally:
        with suppress(OSError):
            os.unlink(path)


@contextmanager
def turn(directory: str, action: str) -> Iterator[None]:
    """Have a directory's names to oneself among those who do the same. The block must not switch to the hub.

    The lock is on the directory itself, so there is no file that somebody could remove.

    Args:
        directory: Which.
        action: What cannot be done otherwise, to follow "cannot".

    Raises:
        OSError: it is not there.
        BackendUnavailableError: another one had it for too long.
    """
    deadline = time.monotonic() + _TURN_WAIT_S
    while True:
        descriptor = os.open(directory, _DIRECTORY)
        try:
            if _lock(descriptor) and os.path.samestat(os.fstat(descriptor), os.stat(directory)):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise BackendUnavailableError(
                f"cannot {action}: another process has locked {directory} for {_TURN_WAIT_S:g} s; "
                f"`fuser -v {directory}` tells which, it may have been stopped"
            )
        gevent.sleep(0.001)


def _lock(descriptor: int) -> bool:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _synchronise(descriptor: int) -> OSError | None:
    """Run in a thread. A failure is a value: gevent prints a traceback of everything that is raised in its threads."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        return error
    return None


def _threads() -> "ThreadPool":
    global _pool  # noqa: PLW0603  - one pool per process, made when the first file is synchronised
    hub = gevent.get_hub()
    if _pool is None or _pool.hub is not hub:
        from gevent.threadpool import ThreadPool  # who writes no keys and has no locks does without

        _pool = ThreadPool(_THREADS, hub=hub, idle_task_timeout=_THREAD_IDLE_S)
    return _pool
