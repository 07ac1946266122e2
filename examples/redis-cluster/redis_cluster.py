"""Runs a cluster of Redis nodes, each under its own corepilot, and a client that writes and reads the whole time."""

import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from walking import command, processes
from walking.application import Application
from walking.background import Background
from walking.part import Part
from walking.resp import Connection, RefusedError
from walking.waiting import UnexpectedError, expect, until

FIRST = 6  # nodes make the cluster, as in node/join.py
SLOTS = 16384
BUS = 10000  # a node's port for other nodes is so much higher
KEYS = 30  # the client writes so many more in each step
PATIENCE_S = 60.0  # of the client with one operation, all its tries together
PAUSE_S = 0.01  # of the client after a key, and after each try that failed
WAIT_MS = 300
JOIN_S = 200.0  # a quarter of the slots moves, one after the other
JOINED = "join: complete"  # in the log of a corepilot
WHAT = "primaries, those with a replica, nodes of no use, and slots"


class Member(NamedTuple):
    """A node of the cluster by the word of one of them."""

    address: str
    primary: bool
    failed: bool
    follows: str  # the address of its primary; "" of a primary
    slots: int


class RedisCluster(Application):
    """The parts of one run, by the numbers of the nodes."""

    def settle(self) -> None:
        """Begin with no node."""
        self.addresses: dict[int, str] = {}

    def begin(self, number: int) -> Part:
        """Start a node."""
        port = processes.free_port()
        while port + BUS > 65535 or processes.free_or_another(port + BUS) != port + BUS:
            port = processes.free_port()
        self.addresses[number] = f"127.0.0.1:{port}"
        return self.start(f"redis-{number}", "node/corepilot.json5", INSTANCE=number, PORT=port)

    def members(self, address: str) -> list[Member]:
        """The cluster by the word of one node; [] while it does not answer."""
        try:
            connection = Connection(address)
            try:
                lines = [line.split() for line in str(connection.ask("cluster", "nodes")).splitlines()]
            finally:
                connection.close()
        except (OSError, RefusedError):
            return []
        names = {one[0]: one[1].partition("@")[0] for one in lines}
        return [
            Member(
                names[one[0]],
                "master" in one[2],
                "fail" in one[2].split(","),
                names.get(one[3], ""),
                sum(width(slots) for slots in one[8:]),
            )
            for one in lines
        ]

    def shape(self) -> set[tuple[int, int, int, int]]:
        """What each node says: primaries with slots, replicas of different ones, failed or useless, slots served."""
        return {shape_of(self.members(address)) for address in self.addresses.values()}

    def joining(self) -> dict[str, str]:
        """The last line of each node that has not joined yet."""
        parts = [self.parts[f"redis-{number}"] for number in self.addresses]
        return {part.name: part.output[-200:].rpartition("\n")[0] for part in parts if JOINED not in part.output}

    def is_a_cluster_of(self, primaries: int) -> None:
        """Wait until all nodes have joined and agree: so many primaries, all slots, and a replica for each."""
        nobody: dict[str, str] = {}
        until(self.joining, nobody, "whose place is not found yet", JOIN_S)
        until(self.shape, {(primaries, primaries, 0, SLOTS)}, WHAT)
        counts = sorted(one.slots for one in self.members(next(iter(self.addresses.values()))) if one.primary)
        print(f"  {primaries} primaries, each with a replica; slots: {', '.join(map(str, counts))}", flush=True)


def width(slots: str) -> int:
    """How many slots `0-5460` or `7` are; 0 of those that are on their way, `[93->-…]`."""
    if slots.startswith("["):
        return 0
    first, _, last = slots.partition("-")
    return int(last or first) - int(first) + 1


def shape_of(members: list[Member]) -> tuple[int, int, int, int]:
    """Primaries with slots, those that have a replica, nodes that are neither, and slots that are served."""
    well = [one for one in members if not one.failed]
    primaries = {one.address for one in well if one.primary and one.slots}
    followed = {one.follows for one in well if one.follows in primaries}
    others = [one for one in members if one.address not in primaries and (one.failed or one.follows not in primaries)]
    return len(primaries), len(followed), len(others), sum(one.slots for one in well if one.primary)


class Client(Background):
    """Writes a key, reads one that it has written, and so on as long as the context lasts.

    It does what libraries for Redis Cluster do: it asks the node whose slot it is, and looks again for that when it is
    told to, or has no answer. `WAIT 1` after a write says whether a replica has it, too. If so, the key is promised.

    Args:
        addresses: The nodes that there are.
    """

    def __init__(self, addresses: Callable[[], list[str]]) -> None:
        super().__init__(self._work, patience_s=PATIENCE_S)
        self.promised: list[int] = []
        self.written = 0  # those included that were not promised
        self.wrong: list[str] = []
        self.longest_s = 0.0
        self._addresses = addresses
        self._connections: dict[str, Connection] = {}
        self._slots: list[tuple[int, int, str]] = []

    def goes_on(self, more: int = KEYS) -> None:
        """Wait until it has written some more keys, to all parts of the cluster."""
        wanted = self.written + more
        until(lambda: bool(self.wrong) or self.written >= wanted, wanted=True, what=f"that {wanted} keys are written")
        expect(not self.wrong, f"the client: {self.wrong}")
        print(f"  {self.written} keys written, {len(self.promised)} of them promised", flush=True)

    def promises_on(self, more: int = KEYS) -> None:
        """Wait until some more keys are promised."""
        wanted = len(self.promised) + more
        until(lambda: bool(self.wrong) or len(self.promised) >= wanted, wanted=True, what=f"that {wanted} are promised")
        expect(not self.wrong, f"the client: {self.wrong}")
        print(f"  {self.written} keys written, {len(self.promised)} of them promised", flush=True)

    def judge(self) -> None:
        """Every key that was promised is there."""
        for number in self.promised:
            value = self._insist(number, "get", f"key:{number}")
            expect(value == str(number), f"key:{number} was promised, and is {value!r}")
        for connection in self._connections.values():
            connection.close()
        print(f"  all {len(self.promised)} promised keys are there", flush=True)

    def _work(self) -> None:
        try:
            while not self._over.is_set():
                number = self.written
                if self._insist(number, "set", f"key:{number}", number):
                    self.promised.append(number)
                self.written += 1
                time.sleep(PAUSE_S)
                if self.promised:
                    other = random.choice(self.promised)
                    if (value := self._insist(other, "get", f"key:{other}")) != str(other):
                        raise UnexpectedError(f"key:{other} was promised, and is {value!r}")  # noqa: TRY301
        except UnexpectedError as error:
            self.wrong.append(str(error))

    def _insist(self, number: int, *words: object) -> object:
        """Ask until there is an answer; that to a SET is whether a replica has it."""
        began = time.monotonic()
        address = self._owner(slot_of(f"key:{number}"))
        while True:
            try:
                answer = self._ask(address, *words)
            except RefusedError as error:
                if str(error).startswith("ASK "):  # the slot is on its way: this once, ask there
                    with suppress(OSError, RefusedError):
                        answer = self._ask(str(error).rpartition(" ")[2], *words, asking=True)
                        break
                trouble = str(error)
            except OSError as error:
                trouble = str(error)
            else:
                break
            if time.monotonic() - began > PATIENCE_S:
                raise UnexpectedError(f"no answer for {PATIENCE_S:g} s; the last one: {address}: {trouble}")
            time.sleep(PAUSE_S)
            self._look()
            address = self._owner(slot_of(f"key:{number}"))
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        return answer

    def _ask(self, address: str, *words: object, asking: bool = False) -> object:
        try:
            if address not in self._connections:
                self._connections[address] = Connection(address)
            connection = self._connections[address]
            if asking:
                connection.ask("asking")
            answer = connection.ask(*words)
            return answer if words[0] != "set" else connection.ask("wait", 1, WAIT_MS) > 0
        except OSError:
            if lost := self._connections.pop(address, None):
                lost.close()
            raise

    def _look(self) -> None:
        """Learn anew whose the slots are, from any node."""
        with suppress(OSError, RefusedError):
            found = self._ask(random.choice(self._addresses()), "cluster", "slots")
            self._slots = [(one[0], one[1], f"{one[2][0]}:{one[2][1]}") for one in found]  # type: ignore[attr-defined]

    def _owner(self, slot: int) -> str:
        owners = [address for first, last, address in self._slots if first <= slot <= last]
        return owners[0] if owners else random.choice(self._addresses())


def slot_of(key: str) -> int:
    """CRC-16/XMODEM of the key, as the cluster's specification has it."""
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % SLOTS


def start(cluster: RedisCluster) -> None:
    """Six nodes, all at once."""
    cluster.settle()
    print(f"starting {FIRST} nodes", flush=True)
    for number in range(1, FIRST + 1):
        cluster.begin(number)
    cluster.is_a_cluster_of(3)


def walk(cluster: RedisCluster) -> None:
    """Everything that the README promises of this application."""
    start(cluster)
    with Client(lambda: list(cluster.addresses.values())) as client:
        client.goes_on()
        print("starting two more", flush=True)
        cluster.begin(FIRST + 1)
        cluster.begin(FIRST + 2)
        cluster.is_a_cluster_of(4)
        client.goes_on()
        lost = replace(cluster, client)
        client.promises_on()
        come_back(cluster, lost)
        client.promises_on()
    print(f"  the client has waited {client.longest_s:.1f} s at most for an answer", flush=True)
    client.judge()


def come_back(cluster: RedisCluster, lost: int) -> None:
    """A node that has been replaced finds its place taken, and is a new one: a primary that waits for a replica."""
    print(f"starting redis-{lost} again, with the disk that it had", flush=True)
    part = cluster.begin(lost)
    part.says("another node has the place of this one")
    until(cluster.shape, {(4, 4, 1, SLOTS)}, WHAT)
    print("  it has joined as a new one", flush=True)


def replace(cluster: RedisCluster, client: Client) -> int:
    """A primary is lost: its replica takes over, and a new node follows that one. Returns the number of the lost."""
    primaries = {one.address for one in cluster.members(next(iter(cluster.addresses.values()))) if one.primary}
    lost = next(number for number, address in cluster.addresses.items() if address in primaries)
    print(f"kill -9 the corepilot of redis-{lost}, a primary", flush=True)
    part = cluster.parts[f"redis-{lost}"]
    server = part.find("redis-server")
    part.process.kill()
    part.process.wait()
    del cluster.addresses[lost]
    until(lambda: processes.command_line(server), "", f"what runs of redis-{lost}")
    until(cluster.shape, {(4, 3, 1, SLOTS)}, WHAT)
    print("  its replica has taken over", flush=True)
    client.goes_on()
    print("starting another one", flush=True)
    cluster.begin(FIRST + 3)
    cluster.is_a_cluster_of(4)
    return lost


def tips(cluster: RedisCluster) -> str:
    """What can be tried while it runs."""
    run, here, programs = cluster.run, cluster.here, cluster.programs
    port = cluster.addresses[1].rpartition(":")[2]
    settings = f"RUN={run} INSTANCE=7 PORT=7007 PATH={programs}:$PATH"
    return f"""\
A cluster of {FIRST} nodes is running. Try in another terminal:

  see the cluster               redis-cli --cluster check {cluster.addresses[1]}
  write and read                redis-cli -c -p {port} set greeting hello
  start another node            cd {here} && env {settings} corepilot run -c node/corepilot.json5 -c {run}/catalog.json5
  kill a node                   kill -9 {cluster.parts["redis-1"].process.pid}
  read the logs                 tail -f {run}/*.log"""


if __name__ == "__main__":
    sys.exit(command.run(RedisCluster, __file__, start=start, walk=walk, tips=tips))
