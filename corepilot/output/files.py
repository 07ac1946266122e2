"""Files of jobs' own: one native thread writes them all, since a disk may block and the hub may not."""

import os
import time
from _queue import SimpleQueue
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable
from errno import EAGAIN
from typing import Any

from corepilot.model.command import OutputFile
from corepilot.output.job_file import COMPLAIN_EVERY_S, JobFile

Log = Callable[[str, str], None]


class JobFiles:
    """All files of jobs, by path. The thread is started with the first one.

    Args:
        loop: gevent's loop.
        log: Takes a level and a message about a file that costs lines.
    """

    def __init__(self, loop: Any, log: Log) -> None:
        self._log = log
        self._files: dict[str, JobFile] = {}
        self._queue: SimpleQueue[tuple[JobFile, bytes] | JobFile | None] = SimpleQueue()
        self._idle: deque[JobFile] = deque()  # those that the writer's thread has closed
        self._losing: dict[str, str] = {}  # by path, as is what follows: why
        self._told: dict[str, tuple[float, int, str]] = {}
        self._lost_before: dict[str, int] = {}
        self._closed = False
        self._running = allocate_lock()
        self._started = False
        self._wake = loop.async_(ref=False)
        self._wake.start(self._tell)

    @property
    def lost_bytes(self) -> int:
        """How many bytes all files have lost so far."""
        return sum(self._lost_before.values()) + sum(file.all_lost_bytes for file in self._files.values())

    def open(self, settings: OutputFile) -> JobFile:
        """A file that can be written to from now on, whatever becomes of it. Never blocks.

        Raises:
            OSError: no thread can be started.
        """
        if not self._started:
            try:
                self._running.acquire()
                start_new_thread(self._live, ())
            except RuntimeError as error:
                self._running.release()
                raise OSError(EAGAIN, "no thread can be started to write to it") from error
            self._started = True
        settings = settings.changed(path=_one_spelling(settings.path))
        file = self._files.get(settings.path)
        if file is None:
            file = self._files[settings.path] = JobFile(self, settings)
        file.settings = settings
        file.users += 1
        return file

    def reopen(self) -> None:
        """Open all files by their names again, after all that was queued before (SIGUSR1)."""
        for file in self._files.values():
            self._queue.put(file)

    def close(self, deadline_s: float) -> bool:
        """Write what is queued, for at most this many seconds; whether all was written. Idempotent."""
        if not self._started:
            if not self._closed:
                self._closed = True
                self._wake.close()
            return True
        self._started = False
        self.reopen()  # which closes them first; nothing comes that would open them
        self._queue.put(None)
        done = self._running.acquire(timeout=max(deadline_s, 0.0))
        self._closed = True
        self._losing.update({path: why for path, (_, _, why) in self._told.items()})
        self._tell(at_last=True)
        self._wake.close()
        return done

    def put(self, file: JobFile, block: bytes) -> None:
        """Have a block written."""
        self._queue.put((file, block))

    def leave(self, file: JobFile) -> None:
        """Close a file when nobody writes to it any more. Until all is written it is there for the next run."""
        file.users -= 1
        if not file.users:
            self._queue.put(file)

    def lost(self, file: JobFile, why: str) -> None:
        """Have it told that lines are lost. From any thread."""
        self._losing[file.settings.path] = why
        if not self._closed:
            self._wake.send()

    def _tell(self, *, at_last: bool = False) -> None:
        """Once a minute for each path, however many runs open it one after the other."""
        now = time.monotonic()
        while self._losing:
            path, why = self._losing.popitem()
            file = self._files.get(path)
            lost = self._lost_before.get(path, 0) + (file.all_lost_bytes if file is not None else 0)
            told_at, told, _ = self._told.get(path, (now - COMPLAIN_EVERY_S, -1, ""))
            if lost != told and (at_last or now - told_at >= COMPLAIN_EVERY_S):
                self._told[path] = now, lost, why
                much = f"; {lost} bytes lost so far" if lost else ""
                self._log("error", f"the file {path}: {why}{much}")
        while self._idle:
            self._forget(self._idle.popleft())

    def _forget(self, file: JobFile) -> None:
        path = file.settings.path
        if not file.unused or self._files.get(path) is not file:
            return
        del self._files[path]
        if file.all_lost_bytes:
            self._lost_before[path] = self._lost_before.get(path, 0) + file.all_lost_bytes

    def _live(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, JobFile):
                    item.reopen()
                    self._idle.append(item)
                    if not self._closed:
                        self._wake.send()
                else:
                    item[0].store(item[1])
        finally:
            self._running.release()


def _one_spelling(path: str) -> str:
    """`/a//b`, `/a/./b` and `b` in /a are one file, which must not be renamed by two. `..` may lead over a link."""
    return path if ".." in path.split("/") else os.path.abspath(path)
