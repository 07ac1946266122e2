"""A listening TCP socket for `HttpServer`. On the boot path where telemetry is configured: imports nothing heavy."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
else:  # the standard library's module turns every constant into an enum member: 3 ms before the first job
    import _socket as socket


def listen_tcp(host: str, port: int, *, backlog: int = 128) -> "socket.socket":
    """A listening TCP socket of the C module `_socket`: non-blocking, close-on-exec; take its descriptor with `detach`.

    Args:
        host: An IPv4 or IPv6 address of this machine, not a name.
        port: 0 to 65535; 0 takes a free one.
        backlog: How many connections wait in the kernel.

    Raises:
        OSError: The address cannot be had. Nothing is left open.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # A port of connections that have ended is free for us again (socket(7)).
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
