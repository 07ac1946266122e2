"""Follows one service: a JSON line for each snapshot, with the mode, and for each line that is logged.

Arguments, as JSON: path, service, user (whom to become).
"""

import json
import os
import sys

import gevent

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.errors import BackendError
from corepilot.model.service import Query


def say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def log(level: str, message: str) -> None:
    say({"level": level, "message": message})


def main() -> None:
    wish = json.loads(sys.argv[1])
    gevent.sleep(0)  # the hub imports on its first use
    if wish.get("user"):
        os.setuid(wish["user"])
    backend = EmbeddedBackend(plugin.Options(path=wish["path"]), BackendContext(log))
    try:
        for snapshot in backend.watch(Query(wish["service"], interval_s=1)):
            shown = [[one.id, one.status] for one in snapshot]
            say({"instances": shown, "mode": backend.mode})
    except BackendError as error:
        say({"error": str(error), "code": error.code})


main()
