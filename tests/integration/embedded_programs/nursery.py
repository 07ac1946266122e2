"""Forks holders that never rest, so that a kill hits them at any point: 300 of them in seconds.

Arguments: path, service. Reads an id per line; answers with the pid of the process that registers it, reports on it,
registers it anew and deregisters it, without pause. No lock is held in this process, so that forking is allowed here.
Ends, with all its children, when its input ends.
"""

import os
import signal
import sys
from contextlib import suppress

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Registration


def live(path: str, service: str, instance_id: str) -> None:
    backend = EmbeddedBackend(plugin.Options(path=path), BackendContext(lambda *_: None))
    registration = Registration(instance_id, service, "10.0.0.1", 80, (), 3600)
    number = 0
    while True:
        backend.register(registration, "passing", "x" * (number % 4000))
        for _ in range(20):
            number += 1
            backend.report(instance_id, "passing", "y" * (number * 37 % 4000), 3600)
        if number % 100 == 0:
            backend.deregister(instance_id)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # they need no one to wait for them
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                live(sys.argv[1], sys.argv[2], line.strip())
            finally:
                os._exit(1)
        children.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


main()
