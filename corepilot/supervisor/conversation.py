"""Asks a process of our own something: it is spawned, gets the question on a pipe, answers on another one, and ends."""

import os
from typing import TYPE_CHECKING, NamedTuple

import gevent
from gevent.event import AsyncResult
from gevent.os import nb_read, nb_write

from corepilot.system.kernel import signal
from corepilot.system.process import Reaper, SpawnError, signal_group, spawn_with_pipes
from corepilot.system.programs import DEFAULT_PATH
from corepilot.system.python import own_python

if TYPE_CHECKING:
    Ended = AsyncResult[int]
else:
    Ended = AsyncResult  # which has no parameters when it runs


class ConversationError(Exception):
    """The process could not be started, or says too much; it is gone."""


class Answer(NamedTuple):
    """What a process has said.

    Attributes:
        data: What it wrote on its standard output.
        status: Its exit status (128+n for a signal); None if it was killed at the deadline.
        ended: Set when it has ended: one that hangs in the kernel, on a file system that does not answer, goes on for
            as long as that, killed or not.
    """

    data: bytes
    status: int | None
    ended: Ended


def converse(module: str, question: bytes, reaper: Reaper, *, deadline_s: float, most: int) -> Answer:
    """Call `main` of a module in a fresh process. Switches greenlets, never blocks.

    Args:
        module: The module.
        question: What it finds on its standard input.
        reaper: Who waits for the process.
        deadline_s: Seconds until it is killed.
        most: Bytes that it may answer.

    Returns:
        What it said. The process has ended, or has been killed, when this returns or raises.

    Raises:
        ConversationError: see there.
    """
    exited: AsyncResult[int] = AsyncResult()
    try:
        pid, to_child, from_child = spawn_with_pipes(own_python(module), {"PATH": DEFAULT_PATH}, reaper, exited.set)
    except (SpawnError, OSError) as error:
        raise ConversationError(str(error)) from error
    answer = bytearray()
    writer = gevent.spawn(_write, to_child, question)
    try:
        with gevent.Timeout(deadline_s):
            _read(from_child, answer, most)
            return Answer(bytes(answer), exited.get(), exited)
    except gevent.Timeout:
        return Answer(bytes(answer), None, exited)
    finally:
        writer.kill()
        os.close(from_child)
        if not exited.ready():
            signal_group(pid, signal.SIGKILL)


def _write(fd: int, data: bytes) -> None:
    try:
        view = memoryview(data)
        while view:
            view = view[nb_write(fd, view) :]
    except BrokenPipeError:
        return  # it died: its status tells
    finally:
        os.close(fd)


def _read(fd: int, answer: bytearray, most: int) -> None:
    while chunk := nb_read(fd, 65536):
        answer += chunk
        if len(answer) > most:
            raise ConversationError("its answer is too long")
