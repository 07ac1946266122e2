"""A loader that is forked before it is known what to load: it imports while the supervisor reads its command line.

A load is mostly imports, and imports are most of the time until the first job. So at boot the loader's process is made
first of all, goes ahead with its imports, and is told later, through a pipe, what to load. This module is all that the
supervisor needs for that; it imports nothing heavy.
"""

import os
import sys

from corepilot.sources.descriptors import named_descriptors
from corepilot.system import kernel, light_typing

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from corepilot.config.loading.loader import LoaderChild, LoadRequest


class Preloaded:
    """A loader that waits for its request.

    Attributes:
        pid: Its process id.
    """

    __slots__ = ("_answer_fd", "_request_fd", "pid")

    def __init__(self, pid: int, request_fd: int, answer_fd: int) -> None:
        self.pid = pid
        self._request_fd = request_fd
        self._answer_fd = answer_fd

    def ask(self, request: "LoadRequest") -> "LoaderChild":
        """Send the request; the answer is for `loader.collect`. Waits while the request does not fit into the pipe."""
        from corepilot.config.loading import loader

        os.set_blocking(self._answer_fd, False)
        child = loader.LoaderChild(self.pid, self._answer_fd, request)
        try:
            data = memoryview(loader.encode_request(request))
            while data:
                data = data[os.write(self._request_fd, data) :]
        except BrokenPipeError:
            pass  # it has died: what it leaves as an answer tells
        finally:
            os.close(self._request_fd)
        return child

    def dismiss(self) -> None:
        """End a loader that is not needed. It ends by itself without a request; this waits for it."""
        os.close(self._request_fd)
        os.kill(self.pid, kernel.signal.SIGKILL)  # unreaped, so the pid is still its own
        os.close(self._answer_fd)
        os.waitpid(self.pid, 0)


def fork() -> Preloaded:
    """Fork a loader. Only where there is no event loop and no second thread, and with all signals blocked.

    Raises:
        OSError: there can be no pipe or no process; nothing is left open.
    """
    request_end, request_fd = os.pipe2(os.O_CLOEXEC)
    answer_fd, answer_end = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _be_child(request_end, answer_end)
    except OSError:
        os.close(request_fd)
        os.close(answer_fd)
        raise
    finally:
        os.close(request_end)
        os.close(answer_end)
    return Preloaded(pid, request_fd, answer_fd)


def _be_child(request_end: int, answer_end: int) -> None:
    """Never returns, whatever happens: the code after the fork is the parent's."""
    status = 70
    try:
        light_typing.end()  # plugins are imported here
        kernel.reset_dispositions(to_run_python=True)
        kernel.unblock_signals()
        kept = {request_end, answer_end, *named_descriptors((*sys.argv, *os.environ.values()))}
        for fd in sorted(int(name) for name in os.listdir("/proc/self/fd")):
            if fd > 2 and fd not in kept:
                try:
                    os.close(fd)
                except OSError:  # the listing's own
                    continue
        os.dup2(2, 1)  # what a plugin prints is no part of the answer
        from corepilot.config.loading import loader

        loader.serve(request_end, answer_end)
        status = 0
    finally:
        os._exit(status)  # `finally` comes before any traceback is printed, and loader.serve prints its own
