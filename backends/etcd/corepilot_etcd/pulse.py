"""Whether the streams that are silent are so because nothing happens.

A watch that brings nothing may be one on a store where nothing changes, on a member that was cut off or paused, or on a
connection that a firewall has forgotten; and etcd's own history has watches that fell silent for good (etcd-io/etcd
#8980). Its progress notifications come every ten minutes. So members from which nothing has come for a while are asked
something cheap, and each watch is now and then compared with the store.
"""

import os
from collections.abc import Generator
from contextlib import closing
from time import monotonic
from typing import Any, TypeVar

import gevent

from corepilot.errors import BackendError, BackendRefusedError, BackendUnavailableError
from corepilot_etcd.encoding import number, parts, text_of
from corepilot_etcd.member import Member
from corepilot_etcd.mirror import Mirror
from corepilot_etcd.transport import Transport

PULSE_S = 4.0
"""Silence of a member, in seconds, after which it is asked. With the option `timeout` it is the most that a dead
connection goes unnoticed."""
COMPARE_S = 60.0
"""How often a watch is compared with the store, about, in seconds."""
LATE_S = 3.0
"""How late an event may come after the store had it."""

_LOOK_S = 1.0

_Read = TypeVar("_Read", bound=tuple[Any, ...])


class Pulse:
    """One greenlet, which is there while there are watches.

    Args:
        transport: The cluster.
        place: A key that may be asked for.
    """

    def __init__(self, transport: Transport, place: str) -> None:
        self._transport = transport
        self._question = {"key": text_of(place.encode()), "limit": 1, "keys_only": True}
        self._mirrors: dict[Mirror[Any], float] = {}
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def follow(self, mirror: Mirror[_Read]) -> Generator[tuple[_Read, ...]]:
        """Yield what a mirror holds, at once and after each change. One that falls silent for good raises.

        Raises:
            BackendError: it is not kept up to date any more.
        """
        self._mirrors[mirror] = _next_comparison()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
        try:
            with closing(mirror.follow()) as changes:
                for _ in changes:
                    yield mirror.values()
        finally:
            self._mirrors.pop(mirror, None)

    def close(self) -> None:
        """End the greenlet. Idempotent, does not wait."""
        self._mirrors.clear()
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _run(self) -> None:
        try:
            while self._mirrors:
                gevent.sleep(_LOOK_S * _about_one())
                for member in self._transport.members:
                    if member.streams and monotonic() - member.answered_at > PULSE_S:
                        self._ask(member)
                for mirror, due in tuple(self._mirrors.items()):
                    if monotonic() > due and mirror in self._mirrors:
                        self._mirrors[mirror] = _next_comparison()
                        self._compare(mirror)
        finally:
            self._greenlet = None

    def _ask(self, member: Member) -> None:
        try:
            self._transport.call_member(member, "/v3/kv/range", self._question)
        except BackendRefusedError:
            return  # that is an answer
        except BackendError as error:
            self._transport.leave(member)
            for stream in tuple(member.streams):
                stream.end(BackendUnavailableError(f"cannot go on watching at {member.origin}: {error}"))

    def _compare(self, mirror: Mirror[Any]) -> None:
        """End a watch that has not told what the store holds."""
        stream, seen = mirror.stream, mirror.revision
        if stream is None:
            return
        question = {**mirror.span.message(), "min_mod_revision": seen + 1, "keys_only": True, "limit": 1}
        try:
            answer = self._transport.call("/v3/kv/range", question)
            differs = bool(parts(answer, "kvs")) or number(answer, "count") != mirror.known
        except (BackendError, ValueError):
            return  # others find out why
        if not differs:
            return
        gevent.sleep(LATE_S)
        if mirror.stream is stream and mirror.revision == seen:
            stream.end(BackendUnavailableError(f"cannot trust the watch on {mirror.name}: it has missed a change"))


def _next_comparison() -> float:
    return monotonic() + COMPARE_S * _about_one()


def _about_one() -> float:
    """From 0.8 to 1.2, so that many do not ask in step. The module `random` is a quarter of a megabyte."""
    return 0.8 + 0.4 * os.urandom(1)[0] / 255
