"""How a stream socket is connected, to the first of several addresses that answers or to a path."""

import errno
import os
import socket as native
from time import monotonic

import gevent
from gevent import socket

from corepilot.http.origin import Origin
from corepilot.http.resolve import Address, resolve
from corepilot.http.tls import TlsContexts

_BACKLOG_FULL_WAIT_S = 0.02


def connect(origin: Origin, tls: TlsContexts | None, until: float) -> socket.socket:
    """Connect to an origin, up to and including the TLS handshake.

    Each address of a name gets an equal share of the time that is left, so that a dead first address (IPv6 without a
    route, say) does not use up the deadline.

    Args:
        origin: Where to.
        tls: For https.
        until: When the caller's deadline ends, on the monotonic clock. The caller enforces it.

    Returns:
        A gevent socket. After an exception, `gevent.Timeout` and kill included, nothing is left open.

    Raises:
        OSError: No address answers, the name does not resolve, or TLS failed.
    """
    if origin.scheme == "unix":
        return connect_unix(origin.host)
    addresses = resolve(origin.host, origin.port)
    sock = connect_first(addresses, until)
    try:
        sock.setsockopt(native.IPPROTO_TCP, native.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock if tls is None else secured(sock, tls, origin.host)


def secured(sock: socket.socket, tls: TlsContexts, host: str) -> socket.socket:
    """A connection over TLS on a connected socket, which is closed if it fails. The caller has the deadline.

    Args:
        sock: The socket, which is this connection's from now on.
        tls: How the server is to prove who it is.
        host: Who the server has to be, unless `tls` says it.

    Raises:
        OSError: The handshake failed. Nothing is left open, whatever is raised.
    """
    try:
        name = tls.options.server_name or host
        # Not in one step: a handshake that is cut short inside wrap_socket leaves nobody who owns the socket.
        sock = tls.current().wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        sock.do_handshake()
    except BaseException:
        sock.close()
        raise
    return sock


def connect_first(addresses: list[Address], until: float) -> socket.socket:
    """Connect to the first address that answers.

    Args:
        addresses: In the order in which they are tried. Each gets an equal share of the time that is left.
        until: When the caller's deadline ends, on the monotonic clock. The caller enforces it.

    Raises:
        OSError: None answers. Nothing is left open, whatever is raised.
    """
    failure: OSError = ConnectionError("the name has no address")
    for index, address in enumerate(addresses):
        left = len(addresses) - index
        sock = socket.socket(address.family, native.SOCK_STREAM)
        try:
            # The last one needs no limit of its own: the caller's deadline is the limit.
            sock.settimeout((until - monotonic()) / left if left > 1 else None)
            sock.connect(address.name)
            sock.settimeout(None)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def connect_unix(path: str) -> socket.socket:
    """Connect to a unix socket. The caller has the deadline.

    Raises:
        OSError: Nobody accepts. Nothing is left open, whatever is raised.
    """
    sock = socket.socket(native.AF_UNIX, native.SOCK_STREAM)
    try:
        # A unix socket whose backlog is full answers EAGAIN at once and cannot be waited for (connect(2)).
        sock.settimeout(0.0)
        while (status := sock.connect_ex(path)) == errno.EAGAIN:
            gevent.sleep(_BACKLOG_FULL_WAIT_S)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    if status:
        sock.close()
        raise OSError(status, os.strerror(status))
    return sock
