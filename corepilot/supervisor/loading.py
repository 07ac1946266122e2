"""Loads a configuration again while everything runs: a loader process of its own, spoken to through pipes."""

import os
import signal
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.os import nb_read, nb_write

from corepilot.config.loading import loader
from corepilot.errors import InternalError
from corepilot.http.time_slice import TimeSlice, full_turn
from corepilot.system.process import Reaper, SpawnError, signal_group, spawn_with_pipes
from corepilot.system.programs import DEFAULT_PATH
from corepilot.system.python import own_python

RESULT_MAX_BYTES = 32 * 1024 * 1024
"""No loader sends more: its source and its output are bounded at 4 MiB each."""


def load(request: loader.LoadRequest, reaper: Reaper, deadline_s: float) -> loader.LoadResult:
    """Load in a fresh process. Switches greenlets, never blocks; the process is gone when this returns or raises.

    Args:
        request: What to load.
        reaper: Who waits for the process.
        deadline_s: Seconds until the loader is killed.

    Raises:
        InternalError: the loader could not be started, died, or did not answer within the deadline.
    """
    exited: AsyncResult[int] = AsyncResult()
    command = own_python("corepilot.config.loading.loader")
    try:
        pid, to_child, from_child = spawn_with_pipes(command, {"PATH": DEFAULT_PATH}, reaper, exited.set)
    except (SpawnError, OSError) as error:
        raise InternalError(f"cannot start the loader: {error}") from error
    writer = gevent.spawn(_write, to_child, loader.encode_request(request))
    try:
        with gevent.Timeout(deadline_s):
            answer = _read(from_child)
            status = exited.get()
    except gevent.Timeout:
        raise InternalError(
            f"cannot load the configuration: the loader did not answer within {deadline_s:g} s"
        ) from None
    finally:
        writer.kill()
        os.close(from_child)
        if not exited.ready():
            signal_group(pid, signal.SIGKILL)
    result = loader.decode_result(answer, request, status, TimeSlice().check)
    full_turn()  # what comes next may take long as well
    return result


def _write(fd: int, data: bytes) -> None:
    try:
        view = memoryview(data)
        while view:
            view = view[nb_write(fd, view) :]
    except BrokenPipeError:
        return  # it died: its status tells
    finally:
        os.close(fd)


def _read(fd: int) -> bytes:
    chunks: list[Any] = []
    size = 0
    while chunk := nb_read(fd, 65536):
        size += len(chunk)
        if size > RESULT_MAX_BYTES:
            raise InternalError("cannot load the configuration: the loader's answer is too long")
        chunks.append(chunk)
    return b"".join(chunks)
