"""What can happen to a store, and to the way there."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from soaking.judge import Resource
from soaking.outsider import Outsider
from stores import Store

from corepilot.testing.proxy import FaultProxy

NOTHING = frozenset[str]()
LOCKS = frozenset({"locks"})
REGISTRATIONS = frozenset({"services", "locks"})
EVERYTHING = frozenset({"services", "keys", "locks", "tokens"})


class Fault(NamedTuple):
    """One fault. Both functions are called in a native thread.

    Attributes:
        name: For people.
        begin: Begins it. Must not take long.
        end: Ends it; returns when the store serves again. May return what is wrong.
        loses: What the store loses of what it was told: services, keys, locks, or the numbers of its tokens.
        late: Whether calls of the writer's may be carried out after those that it makes later.
        serves: Whether the store serves meanwhile, so that changes have to be seen before the end.
        others: How many instances of others are passing meanwhile.
        takes_lock: Whether an outsider takes the lock in `begin`.
        longer: How much longer than the others it lasts.
    """

    name: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    loses: frozenset[str] = NOTHING
    late: bool = False
    serves: bool = False
    others: int = 0
    takes_lock: bool = False
    longer: float = 1.0


@contextmanager
def behind_proxy(one: Store) -> Iterator[tuple[Store, list[Fault]]]:
    """A server behind the proxy, and what can be done to both."""
    port = int(one.where.rpartition(":")[2])
    with FaultProxy("127.0.0.1", port) as proxy:
        where = f"127.0.0.1:{proxy.port}"
        options: dict[str, Any] = {"address": where}
        if one.name != "consul":
            options = {"endpoints": [f"http://{where}"]} if one.name == "etcd" else {"hosts": where}
        far = one._replace(options=options, where=where)
        faults = [
            Fault("the connection cut", proxy.reset, serves=True),
            Fault("nothing passes", proxy.hold, proxy.heal, longer=2.4),
            Fault("the server paused", one.server.pause, one.server.resume, late=True),
            Fault("connections refused", proxy.refuse, proxy.heal),
            *_OF[one.name](one, proxy),
        ]
        yield far, faults


def of_lock_holders(one: Store, resource: Resource) -> list[Fault]:
    """What can happen to who holds the lock, whatever the store."""
    there: list[Outsider] = []

    def arrive() -> None:
        there.append(Outsider(one, resource))
        there[-1].acquire()

    def stop() -> None:
        arrive()
        there[-1].stop()

    return [
        Fault("a holder of the lock killed", arrive, lambda: there.pop().kill(), serves=True, takes_lock=True),
        Fault(
            "a holder of the lock stopped past its TTL",
            stop,
            lambda: there.pop().go_on(),
            serves=True,
            takes_lock=True,
            longer=2.6,
        ),
    ]


def _of_etcd(one: Store, proxy: FaultProxy) -> list[Fault]:
    server = one.server

    def move() -> None:
        led = server.leader()
        other = random.choice([member for member in server.members if member is not led])
        found = json.loads(server.ctl("member", "list", "--write-out=json"))["members"]
        number = next(member["ID"] for member in found if member["name"] == other.name)
        server.ctl("move-leader", f"{number:x}", endpoint=led.url)

    def cut() -> None:
        proxy.reset()
        proxy.hold()

    def compact() -> None:
        status = json.loads(server.ctl("endpoint", "status", "--write-out=json", endpoint=server.members[0].url))
        server.ctl("compact", str(status[0]["Status"]["header"]["revision"]))
        proxy.heal()

    return [
        Fault("all members killed and restarted", server.kill, server.start, late=True),
        Fault("every lease revoked", server.revoke_leases, loses=REGISTRATIONS),
        Fault("cut off, and compacted meanwhile", cut, compact),
        Fault("the leader killed and restarted", lambda: server.leader().kill(), server.start, late=True),
        Fault("another leader", move, late=True),
        Fault("the leader paused", lambda: server.leader().pause(), server.resume, late=True),
    ]


def _of_zookeeper(one: Store, _proxy: FaultProxy) -> list[Fault]:
    server = one.server
    return [
        Fault("the server killed and restarted", server.kill, server.start, late=True),
        Fault("every session expired", lambda: _expire(one, ""), loses=REGISTRATIONS),
        Fault(
            "the session of the watches expired", lambda: _expire(one, "/services/ours/"), loses=frozenset({"locks"})
        ),
    ]


def _of_consul(one: Store, _proxy: FaultProxy) -> list[Fault]:
    server = one.server

    def destroy() -> None:
        for session in server.get("/v1/session/list"):  # one that is gone meanwhile is no error
            server.put(f"/v1/session/destroy/{session['ID']}")

    return [
        Fault("the agent restarted, with its data lost", server.kill, server.start, EVERYTHING, late=True),
        Fault("every session destroyed", destroy, loses=LOCKS, serves=True),
        Fault("every registration, key and session lost", server.reset, loses=EVERYTHING - {"tokens"}),
    ]


_OF = {"etcd": _of_etcd, "zookeeper": _of_zookeeper, "consul": _of_consul}

_END_SESSIONS = """
import sys
from kazoo.client import KazooClient
for word in sys.argv[2:]:
    number, _, password = word.partition(":")
    client = KazooClient(sys.argv[1], client_id=(int(number), bytes.fromhex(password)), timeout=10)
    client.start(10)
    client.stop()
    client.close()
"""


def _expire(one: Store, holding: str) -> None:
    """Let sessions expire as ZooKeeper's FAQ does it: a second connection with the same id and password closes them.

    Args:
        one: The store.
        holding: Part of a path that they hold.
    """
    sessions: dict[int, str] = {}
    for line in one.server.command("dump").partition("Sessions with Ephemerals")[2].splitlines()[1:]:
        if line.startswith("0x"):
            sessions[int(line.rstrip(":"), 16)] = ""
        elif sessions:
            sessions[next(reversed(sessions))] += line
    words = [f"{number}:{_password(number).hex()}" for number, paths in sessions.items() if holding in paths]
    assert words, f"no session holds {holding}"
    program = [sys.executable, "-I", "-c", _END_SESSIONS, one.where, *words]
    subprocess.run(program, check=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})


def _password(session: int) -> bytes:
    """What the server expects from the owner of a session: java.util.Random with a seed made of its number
    (ZooKeeperServer.generatePasswd)."""
    mask, factor = (1 << 48) - 1, 0x5DEECE66D
    seed = (session ^ 0xB3415C00 ^ factor) & mask
    found = b""
    for _ in range(4):
        seed = (seed * factor + 0xB) & mask
        found += (seed >> 16).to_bytes(4, "little")
    return found
