"""The socket of sd_notify(3): what a run tells of itself, in datagrams whose sender the kernel vouches for.

The address is abstract: it needs no directory, so it works on a read-only root and for a job of any user, and nothing
is left of it. Everybody in the network namespace may send to it, so a datagram counts only if its sender is a process
of the run. Each run has a socket of its own: a late message of the last run is not the next one's.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from corepilot.jobs.shown import Shown
from corepilot.jobs.state import Notified
from corepilot.model.job import Ready
from corepilot.output.pipe import OutputPipe
from corepilot.system.groups import group_of, is_below
from corepilot.system.reader import Reader
from corepilot.wording.escaping import escaped

DATAGRAM_MAX_BYTES = 4096
AT_ONCE = 16
"""How many datagrams are read in one turn of the event loop."""

PAUSE_S = 0.01
"""How long the rest of a flood waits: it fills its sender's queue in the kernel, and nobody else's time."""

LIMIT_S = 86_400.0
"""The longest time that a run may ask for."""

_CREDENTIALS = struct.Struct("iII")
_STATES = {"READY": "ready", "RELOADING": "reloading", "STOPPING": "stopping"}


class NotifySocket(Shown):
    """The socket of one run.

    Args:
        ready: What is configured.
        loop: gevent's loop.
        told: Called from the hub with each message.
        complain: Takes a sentence about what was not accepted.

    Raises:
        OSError: no descriptors are left; nothing is open then.
    """

    def __init__(
        self, ready: Ready, loop: Any, told: Callable[[Notified], None], complain: Callable[[str], None]
    ) -> None:
        self._told, self._complain = told, complain
        self._pid = 0
        self._strangers = 0
        name = f"corepilot/notify/{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.bind(f"\0{name}")
        except OSError:
            self._socket.close()
            raise
        watchdog = {"WATCHDOG_USEC": str(round(ready.watchdog_s * 1e6))} if ready.watchdog_s else {}
        self.environment = {"NOTIFY_SOCKET": f"@{name}", **watchdog}
        self._reader = Reader(loop, self._socket.fileno(), self._readable)

    def begin(self, pid: int, pipes: Sequence[OutputPipe]) -> None:
        """See Shown."""
        del pipes
        self._pid = pid
        self._reader.start()

    def close(self) -> None:
        """See Shown."""
        if not self._reader.closed:
            self._reader.close()
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            if self._reader.closed or not self._receive():
                return
        self._reader.pause(PAUSE_S)

    def _receive(self) -> bool:
        """Take one datagram; whether there was one."""
        # There is room for the credentials and nothing else: descriptors that come along are closed by the kernel,
        # which is what sd_notify_barrier(3) waits for.
        try:
            data, ancillary, _, _ = self._socket.recvmsg(DATAGRAM_MAX_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        except BlockingIOError:
            return False
        except OSError as error:
            self._complain(f"cannot read what the job tells of itself: {error.strerror}")
            return False
        sender, user = next(((pid, uid) for pid, uid, _ in _credentials(ancillary)), (0, -1))
        if self._is_ours(sender, user):
            self._told(parsed(data))
        else:
            self._strangers += 1
            if self._strangers == 1:
                self._complain(f"a message about readiness from process {sender} is ignored: it is none of the job's")
        return True

    def _is_ours(self, pid: int, user: int) -> bool:
        if pid <= 0:
            return False
        group = group_of(pid)
        if group == self._pid or (group and is_below(pid, self._pid)):
            return True
        # One that has ended since, as `systemd-notify` does: whose it was, only its user tells.
        return not group_of(pid) and user == _user_of(self._pid)


def _user_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def parsed(data: bytes) -> Notified:
    """What a message says (sd_notify(3)). Unknown assignments, and those without a sense here, say nothing."""
    told: dict[str, Any] = {}
    for name, value in _assignments(data):
        if name in _STATES and value == "1":
            told["state"] = _STATES[name]
        elif name == "STATUS":
            told["text"] = escaped(value)
        elif name == "WATCHDOG":
            told["watchdog"] = {"1": "alive", "trigger": "trigger"}.get(value, "")
        elif name == "WATCHDOG_USEC":
            told["watchdog_s"] = _seconds(value)
        elif name == "EXTEND_TIMEOUT_USEC":
            told["extend_s"] = _seconds(value)
    return Notified(**told)


def _assignments(data: bytes) -> Iterator[tuple[str, str]]:
    for line in data.decode("utf-8", "replace").split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


def _seconds(text: str) -> float | None:
    return min(int(text) / 1e6, LIMIT_S) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _credentials(ancillary: list[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, int]]:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS) and len(data) >= _CREDENTIALS.size:
            yield _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            for (descriptor,) in struct.iter_unpack("i", data[: len(data) // 4 * 4]):
                os.close(descriptor)
