"""Name look-ups that neither block the hub nor hold up anybody else's work in threads.

The C library's resolver blocks, so it runs in threads. gevent's own resolver shares one pool of ten threads with all
other blocking work of the process: a few names on a dead DNS server would stop file reads too. So look-ups have a small
pool of their own. Nothing is cached: each new connection sees the address that DNS gives now.
"""

import socket as native
from typing import TYPE_CHECKING, Any, NamedTuple

import gevent

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

_THREADS = 4
_THREAD_IDLE_S = 10
_MOST_ADDRESSES = 8

_pool: "ThreadPool | None" = None


class Address(NamedTuple):
    """Something to connect to.

    Attributes:
        family: AF_INET or AF_INET6.
        name: What connect(2) takes.
    """

    family: int
    name: tuple[Any, ...]


def resolve(host: str, port: int) -> list[Address]:
    """Find the addresses of a host, in the order in which they should be tried.

    Switches to the hub for names; an address as text is taken as it is, without a thread. Has no deadline of its own:
    run it under `gevent.Timeout`. A look-up that was given up on goes on in its thread until the C library ends it, and
    only then makes room for another.

    Args:
        host: A name, or an IPv4 or IPv6 address (without brackets, with a scope or without).
        port: 1 to 65535.

    Returns:
        One to eight addresses.

    Raises:
        OSError: The name does not resolve (`socket.gaierror`).
    """
    address = numeric(host, port)
    if address is not None:
        return [address]
    found = _threads().apply(_look_up, (host, port))
    if isinstance(found, OSError):
        raise found
    return found


def numeric(host: str, port: int) -> Address | None:
    """The address of a host that is given as an address; None for a name."""
    for family in (native.AF_INET, native.AF_INET6):
        try:
            native.inet_pton(family, host)
        except OSError:
            continue
        return Address(family, (host, port))
    return None


def _look_up(host: str, port: int) -> "list[Address] | OSError":
    """Run in a thread. A failure is a value: gevent prints a traceback of everything that is raised in its threads."""
    try:
        found = native.getaddrinfo(host, port, 0, native.SOCK_STREAM)
    except OSError as error:
        return error
    return [Address(family, name) for family, _, _, _, name in found[:_MOST_ADDRESSES]]


def _threads() -> "ThreadPool":
    global _pool  # noqa: PLW0603  - one pool per process, made when the first name is looked up
    hub = gevent.get_hub()
    if _pool is None or _pool.hub is not hub:
        # 7 ms and 1.6 MB that an address as text does not need.
        from gevent.threadpool import ThreadPool

        _pool = ThreadPool(_THREADS, hub=hub, idle_task_timeout=_THREAD_IDLE_S)
    return _pool
