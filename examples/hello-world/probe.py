"""The health check: is there an HTTP server on this port? `probe.py PORT`, status 0 if so."""

import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1) as connection:
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answer = b"".join(iter(lambda: connection.recv(4096), b""))
sys.exit(b" 200 " not in answer.partition(b"\r\n")[0])
