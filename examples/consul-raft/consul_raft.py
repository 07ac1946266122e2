"""Runs a Consul cluster: three servers, each under its own corepilot, and a client that writes all the time."""

import contextlib
import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from walking import command, processes
from walking.application import CHECKOUT, Application
from walking.background import Background
from walking.part import Part
from walking.waiting import expect, until

SIZE = 3
TIMEOUT_S = 5


class Server:
    """One server: its corepilot, and where it answers."""

    def __init__(self, part: Part, port: int) -> None:
        self.name = part.name
        self.part = part
        self.port = port

    def pid(self) -> int:
        """Of the server itself; 0 while it does not run."""
        return self.part.find("consul agent")

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """What its HTTP interface answers, parsed.

        Raises:
            OSError: no answer, or a status other than 200.
        """
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=body, method="GET" if body is None else "PUT"
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null")
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"half an answer: {error}") from error


class ConsulRaft(Application):
    """The servers of one run."""

    def settle(self) -> None:
        """Find Consul, or build it once for this machine."""
        sys.path.insert(0, str(CHECKOUT / "tools"))
        from go_programs import CONSUL

        (self.run / "bin").mkdir()
        (self.run / "bin" / "consul").symlink_to(CONSUL.binary())
        self.servers: list[Server] = []

    def begin(self, number: int) -> Server:
        """Start a server with an empty disk."""
        name, port = f"consul-{number}", processes.free_port()
        (self.run / name).mkdir()
        part = self.start(
            name,
            NODE=name,
            PORT=port,
            SERF_PORT=processes.free_port(),
            RAFT_PORT=processes.free_port(),
            DATA=self.run / name,
            BIND="127.0.0.1",
            INTERFACE="static:127.0.0.1",
            PATH=f"{self.run}/bin:{self.env()['PATH']}",
        )
        server = Server(part, port)
        self.servers.append(server)
        return server

    def leader(self) -> str:
        """Whom all servers take for the leader; "" while they do not agree."""
        told = set()
        for server in self.servers:
            try:
                told.add(server.ask("/v1/status/leader"))
            except OSError:
                return ""
        address = told.pop() if len(told) == 1 else ""
        return next((one["Node"] for one in self.seats() if one["Address"] == address), "")

    def seats(self) -> list[dict[str, Any]]:
        """The servers that have a vote, as the leader knows them."""
        for server in self.servers:
            with contextlib.suppress(OSError):
                found: list[dict[str, Any]] = server.ask("/v1/operator/raft/configuration")["Servers"]
                return [one for one in found if one["Voter"]]
        return []

    def is_whole(self) -> bool:
        """Whether the servers are those of the cluster, all healthy, so that it can do without any one of them."""
        if sorted(one["Node"] for one in self.seats()) != sorted(server.name for server in self.servers):
            return False
        try:
            health = self.servers[0].ask("/v1/operator/autopilot/health")
        except OSError:
            return False
        return bool(health["Healthy"]) and bool(self.leader())

    def until_whole(self) -> str:
        """Wait until it is; returns the leader."""
        until(self.is_whole, wanted=True, what="the cluster of healthy servers")
        leader = self.leader()
        print(f"  {', '.join(sorted(one.name for one in self.servers))} have votes, and one leads", flush=True)
        return leader

    def left_of(self, server: Server) -> list[int]:
        """The processes of a server whose corepilot was killed."""
        return processes.find(os.getpid(), f"-node {server.name} ")

    def named(self, name: str) -> Server:
        """The server of this name."""
        return next(server for server in self.servers if server.name == name)


class Client(Background):
    """Writes one key after the other at whichever server answers, and reads each back, as long as the context lasts."""

    def __init__(self, cluster: ConsulRaft) -> None:
        super().__init__(self._write, patience_s=SIZE * TIMEOUT_S + 5)
        self.written: list[str] = []
        self.longest_pause_s = 0.0
        self._cluster = cluster

    def goes_on(self) -> None:
        """Wait until it has written a few more keys."""
        count = len(self.written) + 5
        until(lambda: len(self.written) >= count, wanted=True, what="that a client can write")

    def _write(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            for server in list(self._cluster.servers):
                key = f"walk/{len(self.written)}"
                try:
                    if server.ask(f"/v1/kv/{key}", key.encode()) and server.ask(f"/v1/kv/{key}?consistent"):
                        self.written.append(key)
                        self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - last)
                        last = time.monotonic()
                        break
                except OSError:
                    continue  # it asks another one, as a client does whose list comes from a catalog
            time.sleep(0.02)


def start(cluster: ConsulRaft) -> None:
    """Three servers with empty disks, at once."""
    cluster.settle()
    print("starting three servers", flush=True)
    for number in range(1, SIZE + 1):
        cluster.begin(number)
    cluster.until_whole()


def walk(cluster: ConsulRaft) -> None:
    """Everything that the README promises."""
    start(cluster)
    with Client(cluster) as client:
        client.goes_on()

        leader = cluster.named(cluster.leader())
        print("kill -9 the leader", flush=True)
        leader.part.kill("consul agent")
        client.goes_on()
        cluster.until_whole()

        print("kill -9 a server's corepilot, lose its disk, and start another server with an empty one", flush=True)
        lost = next(server for server in cluster.servers if server.name != cluster.leader())
        lost.part.process.kill()
        lost.part.process.wait()
        cluster.servers.remove(lost)
        until(lambda: len(cluster.left_of(lost)), 0, "the number of processes that the lost server left")
        shutil.rmtree(cluster.run / lost.name)
        cluster.begin(SIZE + 1)
        client.goes_on()
        cluster.until_whole()

        print("restarting one after the other", flush=True)
        for server in list(cluster.servers):
            before = server.pid()
            server.part.tell("restart", "consul-server")
            expect(server.pid() != before, f"{server.name} still is process {before}")
            client.goes_on()
            cluster.until_whole()
    everything_is_there(cluster, client)


def everything_is_there(cluster: ConsulRaft, client: Client) -> None:
    """Each server by itself has every key that was acknowledged."""
    for server in cluster.servers:

        def missing(server: Server = server) -> int:
            return len(set(client.written) - set(server.ask("/v1/kv/walk/?keys&stale")))

        until(missing, 0, f"the number of keys that {server.name} lacks")
    print("every key that was written is on every server", flush=True)
    print(f"({len(client.written)} keys; the longest pause took {client.longest_pause_s:.1f} s)", file=sys.stderr)


def tips(cluster: ConsulRaft) -> str:
    """What can be tried while it runs."""
    leader = cluster.named(cluster.leader())
    return f"""\
Three Consul servers are running. Try in another terminal:

  who leads                      curl http://127.0.0.1:{leader.port}/v1/status/leader
  kill the leader                kill -9 {leader.pid()}
  write and read                 curl -X PUT -d world http://127.0.0.1:{leader.port}/v1/kv/hello
                                 curl http://127.0.0.1:{leader.port}/v1/kv/hello?raw
  see what a corepilot sees      {cluster.programs}/corepilot instances consul-server --socket {leader.part.socket}
  read the logs                  tail -f {cluster.run}/*.log"""


if __name__ == "__main__":
    sys.exit(command.run(ConsulRaft, __file__, start=start, walk=walk, tips=tips))
