"""The loader: a process of its own for each load, with limits on CPU time, memory and text.

Two ways to have one. At boot, before there is an event loop, `start` forks and `collect` waits. Later nothing may be
forked: a reload spawns a Python that calls `main` (`corepilot.system.python`), writes `encode_request` to it and reads
`decode_result`.

Light to import: it is on the boot path, and what validates is imported in the child only.
"""

import gc
import os
import select
import time
from types import FrameType

from corepilot.config.loading.exchange import (
    ANSWER_MAX_BYTES,
    CPU_S,
    MEMORY_BYTES,
    LoadRequest,
    LoadResult,
    decode_request,
    decode_result,
    encode_request,
    encode_result,
    overrun,
    refused,
    unanswered,
)
from corepilot.sources.descriptors import named_descriptors
from corepilot.system import kernel, light_typing
from corepilot.system.bounds import bound
from corepilot.system.interruption import Interruption
from corepilot.system.kernel import signal

__all__ = [
    "Interrupted",
    "LoadRequest",
    "LoadResult",
    "LoaderChild",
    "abandon",
    "collect",
    "decode_request",
    "decode_result",
    "encode_request",
    "encode_result",
    "load",
    "main",
    "serve",
    "start",
    "unanswered",
]

_WALL_S = 30
"""Seconds until the kernel ends a loader whose parent did not."""

_LAST_WORDS_S = 1.0

_DESCRIPTORS = 4096  # at boot there are few; where the kernel has no close_range(2), each number costs a call


class Interrupted(Exception):  # noqa: N818  - it is no error: something else wants attention
    """`collect` was called away. The loader goes on; call `collect` again, or `abandon` it."""


class _OverrunError(Interruption):
    """The CPU time is used up. Not an Exception: no `except Exception` of a plugin may stop it."""


class LoaderChild:
    """A forked loader.

    Attributes:
        pid: Its process id.
        fd: Where its answer is read from.
        request: What it was asked.
        started: When, on the monotonic clock.
    """

    __slots__ = ("_answer", "fd", "pid", "request", "started")

    def __init__(self, pid: int, fd: int, request: LoadRequest) -> None:
        self.pid = pid
        self.fd = fd
        self.request = request
        self.started = time.monotonic()
        self._answer = bytearray()

    @property
    def answer(self) -> bytearray:
        """What it has written so far."""
        return self._answer


def load(request: LoadRequest) -> LoadResult:
    """Load in this process, without limits. Reads the source and looks at the machine; changes nothing."""
    from corepilot.config.loading import pipeline

    return pipeline.load(request, lambda _stage: None)


def start(request: LoadRequest) -> LoaderChild:
    """Fork a loader. Only where there is no event loop and no second thread.

    The child has no descriptor of ours but 0 to 2 and what the location names, and no handler or blocked signal.

    Raises:
        OSError: there can be no pipe or no process; nothing is left open.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    kernel.block_signals()  # a signal to the child must not end in our handlers, nor in our wakeup descriptor
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(request, write_end)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.set_blocking(read_end, False)
    return LoaderChild(pid, read_end, request)


def collect(child: LoaderChild, deadline_s: float, wakeup_fd: int | None = None) -> LoadResult:
    """Wait for a forked loader's answer. The process is gone and its descriptor closed when this returns.

    Args:
        child: From `start`.
        deadline_s: Seconds since the start until the loader is killed; the result then says so.
        wakeup_fd: A descriptor that interrupts the wait when it becomes readable.

    Raises:
        Interrupted: `wakeup_fd` is readable.
    """
    deadline = child.started + deadline_s
    poller = select.poll()
    poller.register(child.fd, select.POLLIN)
    if wakeup_fd is not None:
        poller.register(wakeup_fd, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            abandon(child)
            return unanswered(child.request, bytes(child.answer).partition(b"=")[0], deadline_s=deadline_s)
        ready = {fd for fd, _ in poller.poll(left * 1000 + 1)}
        if child.fd in ready and _read(child):
            status = _end(child)
            return decode_result(bytes(child.answer), child.request, status)
        if wakeup_fd in ready:
            raise Interrupted


def abandon(child: LoaderChild) -> None:
    """End a forked loader whose answer is not wanted any more."""
    os.kill(child.pid, signal.SIGKILL)  # nobody else waits for it, so the pid is still its own
    os.close(child.fd)
    _wait(child.pid, 0)


def main() -> None:
    """Be a spawned loader: a request on standard input, the answer on standard output."""
    out = os.dup(1)
    os.dup2(2, 1)  # what a plugin prints is no part of the answer
    with os.fdopen(0, "rb", closefd=False) as stdin:
        request = decode_request(stdin.read())
    _answer(request, out)


def serve(request_fd: int, out: int) -> None:
    """Be a loader that was forked early: import, then take the request, then answer. Without a request, nothing."""
    signal.alarm(_WALL_S)
    gc.disable()  # a load is short, and its memory bounded
    from corepilot.config.loading import light_marshmallow

    light_marshmallow.import_marshmallow()
    from corepilot.config.loading import pipeline  # noqa: F401  - what `_answer` is going to need

    with os.fdopen(request_fd, "rb") as pipe:
        data = pipe.read()
    if data:
        _answer(decode_request(data), out)


def _be_child(request: LoadRequest, out: int) -> None:
    """Never returns, whatever happens: the code after the fork is the parent's."""
    status = 70
    try:
        light_typing.end()  # plugins are imported here
        kernel.reset_dispositions(to_run_python=True)
        kernel.unblock_signals()
        first = 3
        for kept in sorted((out, *named_descriptors(request.locations))):
            os.closerange(first, kept)
            first = kept + 1
        os.closerange(first, _DESCRIPTORS)
        os.dup2(2, 1)
        _answer(request, out)
        status = 0
    finally:
        os._exit(status)  # `finally` comes before any traceback is printed, so _answer prints its own


def _answer(request: LoadRequest, out: int) -> None:
    stages = bytearray()

    def reached(stage: bytes) -> None:
        stages.extend(stage)
        _write(out, stage)

    try:
        signal.alarm(_WALL_S)
        gc.disable()  # a load is short, and its memory bounded
        from corepilot.config.loading import light_marshmallow

        light_marshmallow.import_marshmallow()
        from corepilot.config.loading import pipeline

        bound(CPU_S, MEMORY_BYTES, _overrun)
        result = pipeline.load(request, reached)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    except _OverrunError:
        result = overrun(request, bytes(stages), memory=False)
    except MemoryError:
        result = overrun(request, bytes(stages), memory=True)
    except BaseException as error:  # noqa: BLE001  - a bug, ours or a plugin's: it keeps its traceback, and the parent an answer
        import traceback

        text = "".join(traceback.format_exception(error))
        _write(2, text.encode("utf-8", "backslashreplace"))
        why = f"the loader broke: {type(error).__name__}"
        result = refused(request, "loader", why, "this is a bug of corepilot or of a plugin; its traceback is above")
    _write(out, encode_result(result))


def _overrun(_number: int, _frame: FrameType | None) -> None:
    raise _OverrunError


def _read(child: LoaderChild) -> bool:
    """Take what there is of the answer; returns whether that was all."""
    try:
        while len(child.answer) <= ANSWER_MAX_BYTES:
            chunk = os.read(child.fd, 1 << 16)
            if not chunk:
                return True
            child.answer.extend(chunk)
    except BlockingIOError:
        return False
    child.answer.clear()
    return True


def _end(child: LoaderChild) -> int | None:
    """Wait for a loader that has closed its end; returns its exit status."""
    os.close(child.fd)
    deadline = time.monotonic() + _LAST_WORDS_S
    while time.monotonic() < deadline:
        status = _wait(child.pid, os.WNOHANG)
        if status != -1:
            return status
        time.sleep(0.0005)
    os.kill(child.pid, signal.SIGKILL)
    return _wait(child.pid, 0)


def _wait(pid: int, options: int) -> int | None:
    """The exit status of a child, 128+n for a signal; -1 while it runs, None if somebody else has waited for it."""
    try:
        found, status = os.waitpid(pid, options)
    except ChildProcessError:
        return None
    if found == 0:
        return -1
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
