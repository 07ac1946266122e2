"""Runs Node.js behind nginx, and three Redis servers with Sentinels, each part under its own corepilot."""

import argparse
import sys
from contextlib import suppress

from walking import command, processes
from walking.application import Application
from walking.load import Load, ask
from walking.part import Part
from walking.resp import Connection, RefusedError
from walking.waiting import expect, until

PLACES = (1, 2, 3)
INSTANCES = (1, 2)
VISITS = 50  # so many more in each step


class NodeSentinel(Application):
    """The parts of one run."""

    def settle(self) -> None:
        """Choose the ports, which stay the same when a part begins again."""
        self.port = processes.free_or_another(self.arguments.port)
        self.redis = {number: processes.free_port() for number in PLACES}
        self.sentinels = {number: processes.free_port() for number in PLACES}

    @property
    def url(self) -> str:
        """Where nginx is."""
        return f"http://127.0.0.1:{self.port}/"

    def begin_store(self, number: int) -> Part:
        """Start a Redis server and its Sentinel."""
        return self.start(
            f"store-{number}",
            "store/corepilot.json5",
            INSTANCE=number,
            PORT=self.redis[number],
            SENTINEL_PORT=self.sentinels[number],
            FIRST_PORT=self.redis[1],
        )

    def begin_app(self, instance: int) -> Part:
        """Start an instance of the application."""
        return self.start(f"app-{instance}", "app/corepilot.json5", INSTANCE=instance, PORT=processes.free_port())

    def role(self, number: int) -> str:
        """What a server is by its own word: `master`, `slave of 6379`; "" while it does not answer."""
        with suppress(OSError, RefusedError):
            connection = Connection(f"127.0.0.1:{self.redis[number]}")
            try:
                said = connection.ask("role")
            finally:
                connection.close()
            return str(said[0]) if said[0] == "master" else f"slave of {said[2]}" if said[3] == "connected" else ""
        return ""

    def known(self, number: int) -> tuple[int, int]:
        """How many replicas and other Sentinels a Sentinel knows."""
        with suppress(OSError, RefusedError):
            connection = Connection(f"127.0.0.1:{self.sentinels[number]}")
            try:
                said = connection.ask("sentinel", "master", "store")
            finally:
                connection.close()
            found = dict(zip(said[::2], said[1::2], strict=True))
            return int(found["num-slaves"]), int(found["num-other-sentinels"])
        return 0, 0

    def primaries(self) -> list[int]:
        """The places whose server says that it is the primary."""
        return [number for number in PLACES if self.role(number) == "master"]

    def another(self) -> int:
        """Wait until another server than the first is the only primary; returns which."""
        until(lambda: self.primaries() in ([2], [3]), wanted=True, what="whether another server is the primary")
        return self.primaries()[0]

    def has_replicas(self, primary: int) -> None:
        """Wait until all servers but one follow this one, and every Sentinel knows them."""
        wanted = ["master" if number == primary else f"slave of {self.redis[primary]}" for number in PLACES]
        until(lambda: [self.role(number) for number in PLACES], wanted, "what the servers are")
        until(lambda: {self.known(number) for number in PLACES}, {(2, 2)}, "replicas and others that Sentinels know")
        print(f"  store-{primary} is the primary, the others follow it", flush=True)


def start(application: NodeSentinel) -> None:
    """The store, two instances and nginx."""
    application.settle()
    print("starting three Redis servers with Sentinels, two instances of the application, and nginx", flush=True)
    for number in PLACES:
        application.begin_store(number)
    for instance in INSTANCES:
        application.begin_app(instance)
    application.start("nginx", "nginx/corepilot.json5", PORT=application.port)
    application.has_replicas(1)
    wanted = {f"app-{instance}" for instance in INSTANCES}
    until(lambda: {ask(application.url).rpartition(" ")[2] for _ in range(8)}, wanted, "those that answer")
    print("  the page is served by both instances", flush=True)


def walk(application: NodeSentinel) -> None:
    """Everything that the README promises of this application."""
    start(application)
    with Load(application.url, clients=2, timeout_s=45) as load:
        goes_on(load)
        print("kill -9 the corepilot of store-1, the primary", flush=True)
        part = application.parts["store-1"]
        part.process.kill()
        part.process.wait()
        primary = application.another()
        print(f"  store-{primary} is the primary", flush=True)
        goes_on(load)
        print("starting store-1 again", flush=True)
        application.begin_store(1)
        application.has_replicas(primary)
        goes_on(load)
    expect(not load.failed, f"visits failed: {dict(load.failures)}")
    numbers = [said.partition(" ")[0] for said in load.answers.elements()]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    expect(not twice, f"these visits were counted twice, so the first was forgotten: {twice}")
    print(f"  {len(numbers)} visits, none failed and none forgotten", flush=True)


def goes_on(load: Load) -> None:
    """Wait for some more visits."""
    wanted = load.succeeded + VISITS
    until(lambda: load.succeeded >= wanted, wanted=True, what=f"whether there are {wanted} visits")
    print(f"  {load.succeeded} visits", flush=True)


def tips(application: NodeSentinel) -> str:
    """What can be tried while it runs."""
    run = application.run
    return f"""\
The page is at {application.url} Try in another terminal:

  visit it                      curl {application.url}
  ask who is the primary        redis-cli -p {application.sentinels[1]} sentinel get-master-addr-by-name store
  kill the primary              kill -9 {application.parts["store-1"].process.pid}
  see what the application has  cat {run}/app-1.primary
  read the logs                 tail -f {run}/*.log"""


def options(parser: argparse.ArgumentParser) -> None:
    """Beside those that every example has."""
    parser.add_argument("--port", type=int, default=8080, help="of nginx; another one if it is taken (8080)")


if __name__ == "__main__":
    sys.exit(command.run(NodeSentinel, __file__, start=start, walk=walk, tips=tips, options=options))
