"""Loads a configuration again while everything runs: a loader process of its own, spoken to through pipes."""

import os
import signal

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

    Returns:
        What it answered; where it did not in time, an error that says what it was waiting for.

    Raises:
        InternalError: the loader could not be started, or its answer is too long.
    """
    exited: AsyncResult[int] = AsyncResult()
    command = own_python("corepilot.config.loading.loader")
    try:
        pid, to_child, from_child = spawn_with_pipes(command, {"PATH": DEFAULT_PATH}, reaper, exited.set)
    except (SpawnError, OSError) as error:
        raise InternalError(f"cannot start the loader: {error}") from error
    answer = bytearray()
    writer = gevent.spawn(_write, to_child, loader.encode_request(request))
    try:
        with gevent.Timeout(deadline_s):
            _read(from_child, answer)
            status = exited.get()
    except gevent.Timeout:
        return loader.unanswered(request, bytes(answer).partition(b"=")[0], deadline_s=deadline_s)
    finally:
        writer.kill()
        os.close(from_child)
        if not exited.ready():
            signal_group(pid, signal.SIGKILL)
    result = loader.decode_result(bytes(answer), request, status, TimeSlice().check)
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


def _read(fd: int, answer: bytearray) -> None:
    while chunk := nb_read(fd, 65536):
        answer += chunk
        if len(answer) > RESULT_MAX_BYTES:
            raise InternalError("cannot load the configuration: the loader's answer is too long")
