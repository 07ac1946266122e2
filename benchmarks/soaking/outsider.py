"""A process that competes for the lock as corepilot does, to be killed and to be stopped.

As a program it takes the backend's name and its options, and writes a line of JSON for all that its LockKeeper tells:
`what`, `token`, `at` (the monotonic clock) and `left_s` (how long the promise lasts). It ends with its input, or when
it has lost the lock.
"""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soaking.judge import Resource
from stores import Store

LOCK = "soak"
LOCK_TTL_S = 10.0
"""The shortest that Consul takes."""
STOP_S = 0.5
ANSWER_S = 20.0


class Outsider:
    """That process, while a fault lasts. All methods block.

    Args:
        one: The store.
        resource: What the lock is for.
    """

    def __init__(self, one: Store, resource: Resource) -> None:
        from members import Member

        self._resource = resource
        self._member = Member(str(Path(__file__).with_suffix("")), [one.name, json.dumps(one.options)])
        self._token = 0
        self._stopped_at = 0.0

    def acquire(self) -> None:
        """Wait until it has the lock, which nobody else may want now."""
        said = self._member.until(lambda said: said["what"] == "acquired")
        self._token = said["token"]
        self._resource.acquired("the outsider", self._token)

    def stop(self) -> None:
        """SIGSTOP: it does nothing with the lock from now on, and does not know it."""
        self._member.signal(signal.SIGSTOP)
        self._stopped_at = time.monotonic()
        self._resource.left("the outsider")

    def go_on(self) -> str:
        """SIGCONT, and its end: what is wrong with what it says then, or ""."""
        self._member.signal(signal.SIGCONT)
        said = self._member.until(lambda said: said["at"] > self._stopped_at)
        wrong = ""
        if said["what"] == "renewed" and said["left_s"] > 0 and self._resource.newest > self._token:
            wrong = f"a holder that was stopped has renewed token {self._token} after {self._resource.newest}"
        self.kill()
        return wrong

    def kill(self) -> None:
        """`kill -9`."""
        self._resource.left("the outsider")
        with self._member:
            self._member.kill()


def main() -> None:
    import gevent.event
    import gevent.select
    from catalog_cost import guarded

    from corepilot.discovery.connection import Connection
    from corepilot.discovery.lock_keeper import LockKeeper
    from corepilot.model.configuration import Lock

    options: dict[str, Any] = json.loads(sys.argv[2])
    backend = guarded(Store(sys.argv[1], options, "", None))
    assert backend.locks is not None
    lost = gevent.event.Event()
    token = 0

    def tell(what: str) -> None:
        nonlocal token
        token = keeper.grant.token if keeper.grant else token
        now = time.monotonic()
        print(json.dumps({"what": what, "token": token, "at": now, "left_s": keeper.until - now}), flush=True)
        if what == "lost":
            lost.set()

    keeper = LockKeeper(
        Lock(LOCK, LOCK_TTL_S),
        backend.locks,
        holder="the outsider",
        tell=tell,
        connection=Connection(5.0),
        log=lambda *_: None,
    )
    keeper.use(wanted=True, busy=False, stop_s=STOP_S)
    while not lost.is_set() and not gevent.select.select([0], [], [], 0.1)[0]:
        pass
    keeper.give_back()
    backend.close()


if __name__ == "__main__":
    main()
