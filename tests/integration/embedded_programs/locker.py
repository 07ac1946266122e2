"""Competes for a lock, keeps it, and says so, a JSON line each: {"token": …}, {"lost": …}, {"error": …, "code": …}.

Arguments, as JSON: path, name, ttl_s, shared, user (whom to become), resource (a file: while it has the lock it writes
its token there, and lets go after a moment, again and again), key (a key that it writes its name to first). Ends with
its input, and releases the lock.
"""

import json
import os
import sys

import gevent
import gevent.threadpool  # before it becomes a user who cannot reach the interpreter
from gevent.select import select

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.errors import BackendError, LockLostError


def say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def ended(seconds: float) -> bool:
    return bool(select([0], [], [], seconds)[0])


def hold(backend: EmbeddedBackend, name: str, token: int, wish: dict[str, object]) -> bool:
    """Keep it; whether the input has ended."""
    if wish["resource"]:
        with open(str(wish["resource"]), "ab", buffering=0) as file:
            file.write(b"%d\n" % token)
        gevent.sleep(0.002)
        backend.locks.release(name)
        return ended(0)
    say({"token": token})
    ttl_s = float(str(wish["ttl_s"]))
    while not ended(ttl_s / 3):
        try:
            backend.locks.keep(name)
        except LockLostError:
            say({"lost": token})
            return False
    return True


def main() -> None:
    wish = {"ttl_s": 60.0, "shared": False, "user": 0, "resource": "", "key": "", **json.loads(sys.argv[1])}
    gevent.sleep(0)  # the hub imports on its first use
    if wish["user"]:
        os.setgid(wish["user"])
        os.setuid(wish["user"])
    backend = EmbeddedBackend(plugin.Options(wish["path"], wish["shared"]), BackendContext(lambda *_: None))
    name = wish["name"]
    try:
        if wish["key"]:
            backend.keys.put(wish["key"], b"locker")
        over = False
        while not over:
            grant = backend.locks.acquire(name, "locker", wish["ttl_s"], 0.0)
            over = ended(0.002) if grant is None else hold(backend, name, grant.token, wish)
        backend.locks.release(name)
    except BackendError as error:
        say({"error": str(error), "code": error.code})


main()
