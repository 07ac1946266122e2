"""Forks processes that stop, and then act on a catalog: so that a tracer can be put on them in between.

Arguments: path, log. Reads the name of a scene per line; answers with the pid of the process that plays it. What it has
seen goes to the log, a line each. Ends, with all that it has forked, when its input ends.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.errors import LockLostError
from corepilot.model.service import Registration

Say = Callable[[str], None]


def services(backend: EmbeddedBackend, _say: Say) -> None:
    registration = Registration("web-a", "web", "10.0.0.1", 80, (), 3600)
    for _ in range(2):
        backend.register(registration, "passing", "")
        backend.report("web-a", "critical", "x" * 3000, 3600)
        backend.report("web-a", "passing", "", 3600)
        backend.register(registration, "warning", "")
        backend.deregister("web-a")


def keys(backend: EmbeddedBackend, _say: Say) -> None:
    facet = backend.keys
    for number in range(2):
        facet.put("kept", b"new" * 1000)
        facet.put(f"app/{number}", b"new" * 1000)
        found = facet.get("kept")
        assert found is not None
        facet.compare_and_set("kept", b"newer" * 1000, found.version)
        facet.delete("gone")
        facet.put("gone", b"new" * 1000)


def locks(backend: EmbeddedBackend, say: Say, ttl_s: float = 3600.0) -> None:
    for _ in range(2):
        grant = backend.locks.acquire("primary", "actor", ttl_s, 0.0)
        if grant is None:
            say("refused")
            continue
        say(f"token {grant.token}")
        try:
            for _ in range(2):
                backend.locks.keep("primary")
        except LockLostError:
            say(f"lost {grant.token}")
            continue
        say(f"kept {grant.token}")
        backend.locks.release("primary")


def briefly(backend: EmbeddedBackend, say: Say) -> None:
    locks(backend, say, 0.2)


SCENES = {scene.__name__: scene for scene in (services, keys, locks, briefly)}


def act(scene: str, path: str, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    backend = EmbeddedBackend(plugin.Options(path=path), BackendContext(lambda *_: None))
    os.kill(os.getpid(), signal.SIGSTOP)

    def say(line: str) -> None:
        os.write(descriptor, f"{line}\n".encode())

    SCENES[scene](backend, say)
    say("done")


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # they need no one to wait for them
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                act(line.strip(), sys.argv[1], sys.argv[2])
            finally:
                os._exit(1)
        children.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


main()
