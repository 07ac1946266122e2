"""Runs three MariaDB servers, of which one is primary, and an application that writes to it."""

import functools
import itertools
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from walking import command, processes
from walking.application import Application
from walking.background import Background
from walking.part import Part
from walking.waiting import expect, until

SERVERS = (1, 2, 3)
SECRET = "walk"  # of servers that listen on 127.0.0.1, for as long as this runs
QUICK_S = 5  # for a server's answer: one that is stopped gives none
FOREIGN = 10**9  # a number that nobody but an administrator writes
PATIENCE_S = 20  # for a write to one that is stopped: until it wakes up


class MariaDB(Application):
    """The parts of one run."""

    def settle(self) -> None:
        """Make the folders, and choose the ports."""
        self.ports = {server: processes.free_port() for server in SERVERS}
        for name in ("backups", "client", *(f"server-{server}" for server in SERVERS)):
            (self.run / name).mkdir()
        # A lock of Consul's lasts no less.
        self.ttl = "10s" if self.discovery.get("backend") == "consul" else "6s"

    def begin(self, server: int) -> Part:
        """Start a server under a corepilot of its own."""
        return self.start(
            f"server-{server}",
            SERVER=server,
            PORT=self.ports[server],
            DB_USER=os.geteuid(),
            CLUSTER_PASSWORD=SECRET,
            SHOP_PASSWORD=SECRET,
            INSTALL="yes" if server == 1 else "no",
            EVERY_S=20,
            LOCK_TTL=self.ttl,
        )

    def ask(self, server: int, sql: str, user: str = "cluster", timeout_s: float = QUICK_S) -> str:
        """What a server answers; "" if it does not, in time."""
        port = f"--port={self.ports[server]}"
        try:
            return subprocess.run(
                ["mariadb", "--no-defaults", "--host=127.0.0.1", port, f"--user={user}", "-Be", sql],
                env=self.env(MYSQL_PWD=SECRET),
                capture_output=True,
                text=True,
                check=True,
                timeout=timeout_s,
            ).stdout.strip()
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return ""

    def part(self, server: int) -> Part:
        return self.parts[f"server-{server}"]

    def acknowledged(self) -> list[tuple[int, int]]:
        """The numbers that the application was told are written, each with the server that said so."""
        try:
            lines = (self.run / "client" / "acknowledged").read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [(int(number), int(server)) for number, server in map(str.split, lines)]

    def follows(self, server: int) -> bool:
        """Whether a server is read-only, and reads what another writes."""
        role = self.ask(server, "SELECT @@read_only; SHOW ALL SLAVES STATUS\\G")
        return "\n1\n" in f"{role}\n" and "Slave_IO_Running: Yes" in role and "Slave_SQL_Running: Yes" in role

    def all_follow(self, but: int) -> None:
        """Wait until every other server is a replica."""
        for server in SERVERS:
            if server != but:
                until(functools.partial(self.follows, server), wanted=True, what=f"whether server {server} follows")

    def lacks(self, server: int, numbers: set[int]) -> int:
        """How many of the numbers a server has not got."""
        return len(numbers - self.has(server))

    def has(self, server: int) -> set[int]:
        """The numbers that a server has."""
        return set(map(int, self.ask(server, "SELECT number FROM shop.orders").split("\n")[1:]))

    def last_taken_by(self) -> int:
        """The server that has acknowledged the last number."""
        return self.acknowledged()[-1][1]

    def taken_over(self, lost: int, since: int) -> int:
        """Wait until another server than the lost one acknowledges numbers; returns that server."""
        began = time.monotonic()
        until(
            lambda: sum(server != lost for _, server in self.acknowledged()[since:]) >= 5,
            wanted=True,
            what=f"whether numbers are acknowledged by another server than {lost}",
        )
        server = self.acknowledged()[-1][1]
        print(f"  server {server} takes the writes, {time.monotonic() - began:.1f} s later", flush=True)
        return server


class Probe(NamedTuple):
    """A write to one server that was acknowledged, between two moments, by the primary with a token."""

    number: int
    server: int
    began: float
    ended: float
    token: int


class Probes(Background):
    """Writes to every server, whatever it is: only a primary may take them. Some wait in a server that is paused."""

    def __init__(self, mariadb: MariaDB) -> None:
        probes = [functools.partial(self._probe, server) for server in SERVERS]
        super().__init__(*probes, patience_s=2 * PATIENCE_S)
        self.acknowledged: list[Probe] = []
        self._mariadb = mariadb
        self._numbers = itertools.count(1)

    def _probe(self, server: int) -> None:
        while not self._over.wait(0.5):
            number, began = -next(self._numbers), time.monotonic()
            sql = f"INSERT INTO orders VALUES ({number}, @@server_id); SELECT token FROM cluster.term"
            token = self._mariadb.ask(server, f"USE shop; {sql}", user="shop", timeout_s=PATIENCE_S)
            if token:
                token = token.split()[-1]
                self.acknowledged.append(Probe(number, server, began, time.monotonic(), int(token)))


def start(mariadb: MariaDB) -> None:
    """Three servers, of which the first makes the database, and the application."""
    mariadb.settle()
    print("starting three servers, and an application that writes", flush=True)
    for server in SERVERS:
        mariadb.begin(server)
    mariadb.start("client", "client/corepilot.json5", SHOP_PASSWORD=SECRET)
    primary = mariadb.taken_over(0, 0)
    mariadb.all_follow(primary)


def walk(mariadb: MariaDB) -> None:
    """Everything that the README promises of this application."""
    start(mariadb)
    with Probes(mariadb) as probes:
        kill_the_server(mariadb)
        pause_the_server(mariadb)
        pause(mariadb, with_the_server=False)
        pause(mariadb, with_the_server=True)
        join(mariadb)
    mariadb.parts["client"].stop()
    everything_is_there(mariadb, probes)


def kill_the_server(mariadb: MariaDB) -> None:
    """The server dies, and its corepilot does not."""
    primary, since = mariadb.last_taken_by(), len(mariadb.acknowledged())
    print(f"kill -9 the database of server {primary}, the primary", flush=True)
    mariadb.part(primary).kill("mariadbd")
    mariadb.all_follow(mariadb.taken_over(primary, since))


def pause_the_server(mariadb: MariaDB) -> None:
    """The server hangs, and its corepilot sees it."""
    primary, since = mariadb.last_taken_by(), len(mariadb.acknowledged())
    print(f"pause the database of server {primary}, the primary", flush=True)
    mariadb.part(primary).kill("mariadbd", signal.SIGSTOP)
    mariadb.all_follow(mariadb.taken_over(primary, since))


def pause(mariadb: MariaDB, *, with_the_server: bool) -> None:
    """The corepilot hangs for longer than the lock lasts, and then goes on as if nothing had happened."""
    primary, since = mariadb.last_taken_by(), len(mariadb.acknowledged())
    print(f"pause the corepilot of server {primary}, the primary{', and its database' * with_the_server}", flush=True)
    guard = mariadb.part(primary).process.pid
    paused = [guard, processes.descendants(guard)[0]]  # and the supervisor
    if with_the_server:
        paused.append(mariadb.part(primary).find("mariadbd"))
    for pid in paused:
        os.kill(pid, signal.SIGSTOP)
    new = mariadb.taken_over(primary, since)
    print("  the old primary wakes up", flush=True)
    for pid in reversed(paused):
        os.kill(pid, signal.SIGCONT)
    mariadb.all_follow(new)


def join(mariadb: MariaDB) -> None:
    """A replica that has diverged joins from a backup; meanwhile the primary dies with its corepilot."""
    primary, since = mariadb.last_taken_by(), len(mariadb.acknowledged())
    joins = next(server for server in SERVERS if server != primary)
    print(f"write to server {joins}, a replica, as only an administrator can: it has diverged", flush=True)
    words = "starting from the latest backup"
    before = mariadb.part(joins).output.count(words)
    mariadb.ask(joins, f"INSERT INTO shop.orders VALUES ({FOREIGN}, @@server_id)")
    mariadb.part(joins).says(words, before + 1)
    print(f"  it starts again from a backup; meanwhile kill -9 the corepilot of server {primary}", flush=True)
    mariadb.part(primary).process.kill()
    mariadb.part(primary).process.wait()
    mariadb.begin(primary)  # as whoever runs the containers does
    mariadb.all_follow(mariadb.taken_over(primary, since))


def everything_is_there(mariadb: MariaDB, probes: Probes) -> None:
    """No acknowledged number is missing, on any server; and the primaries came one after the other."""
    acknowledged = {number for number, _ in mariadb.acknowledged()} | {probe.number for probe in probes.acknowledged}
    for server in SERVERS:
        until(functools.partial(mariadb.lacks, server, acknowledged), 0, f"the numbers that server {server} lacks")
        expect(FOREIGN not in mariadb.has(server), f"server {server} has what only a diverged replica had")
    ordered = sorted(probes.acknowledged, key=lambda probe: probe.ended)
    for earlier in ordered:
        later = [probe for probe in ordered if probe.began > earlier.ended and probe.token < earlier.token]
        expect(not later, f"an earlier primary took a write after {earlier}: {later}")
    print(
        f"all {len(acknowledged)} acknowledged writes are on all three servers; {len(probes.acknowledged)} were probes",
        flush=True,
    )


def tips(mariadb: MariaDB) -> str:
    """What can be tried while it runs."""
    run, corepilot = mariadb.run, mariadb.programs / "corepilot"
    primary = mariadb.last_taken_by()
    database = mariadb.part(primary).find("mariadbd")
    return f"""\
Three servers run, and server {primary} is primary. Try in another terminal:

  see who is primary             cat {run}/client/primary
  see what is acknowledged       tail -f {run}/client/acknowledged
  kill the primary's database    kill -9 {database}
  let it hang                    kill -STOP {database}
  hand over to another           {corepilot} restart mariadb-primary --socket {run}/server-{primary}.socket
  see a server's jobs and locks  {corepilot} status --socket {run}/server-{primary}.socket
  ask the primary                MYSQL_PWD={SECRET} mariadb -h127.0.0.1 -P{mariadb.ports[primary]} -ushop shop
  read the logs                  tail -f {run}/server-*.log"""


if __name__ == "__main__":
    sys.exit(command.run(MariaDB, __file__, start=start, walk=walk, tips=tips))
