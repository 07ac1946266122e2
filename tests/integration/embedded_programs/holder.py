"""Holds one instance: registers, says so, and reports every so often until its input ends or it is killed.

Arguments, as JSON: path, service, id, port, ttl_s, beat_s, shared, noise (outputs of every length), user (whom to
become: that user may not reach the interpreter). Prints one line, {"held": true} or {"error": …, "code": …}.
"""

import json
import os
import select
import sys

import gevent

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.errors import BackendError
from corepilot.model.service import Registration


def say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    wish = {
        "port": 80,
        "ttl_s": 60,
        "beat_s": 0.2,
        "shared": False,
        "noise": False,
        "user": 0,
        **json.loads(sys.argv[1]),
    }
    gevent.sleep(0)  # the hub imports on its first use
    if wish["user"]:
        os.setuid(wish["user"])
    options = plugin.Options(path=wish["path"], shared=wish["shared"])
    backend = EmbeddedBackend(options, BackendContext(lambda *_: None, dict(os.environ)))
    registration = Registration(wish["id"], wish["service"], "10.0.0.1", wish["port"], (), wish["ttl_s"])
    try:
        backend.register(registration, "passing", "")
    except BackendError as error:
        say({"error": str(error), "code": error.code})
        return
    say({"held": True})
    number = 0
    while not select.select([0], [], [], wish["beat_s"])[0]:
        number += 1
        output = chr(97 + number % 26) * (number * 1237 % 4096) if wish["noise"] else ""
        backend.report(registration.id, "passing", output, wish["ttl_s"])


main()
