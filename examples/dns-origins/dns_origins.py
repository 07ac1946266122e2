"""Runs the DNS example: a provider, the publisher of its records, and origins, each under its own corepilot."""

import re
import signal
import subprocess
import sys
import threading
import time
from typing import Self

from walking import command, processes
from walking.application import Application
from walking.load import ask
from walking.part import Part
from walking.waiting import expect, until

NAME = "app.example.org"
SERVER = "http.server"  # in the command line of an origin's program
ROUNDS = 4
_PAUSE_S = 0.05  # of the client between two requests


class DnsOrigins(Application):
    """The parts of one run."""

    def settle(self) -> None:
        """Choose the ports; origins share one, each on an address of its own."""
        self.name_servers = [processes.free_or_another(port) for port in (5301, 5302)]
        self.api = processes.free_port()
        self.port = processes.free_port()

    def begin_provider(self) -> None:
        """Start the DNS provider, and wait until its second name server answers."""
        first, second = self.name_servers
        self.start("provider", "provider/corepilot.json5", NS1_PORT=first, NS2_PORT=second, API_PORT=self.api)
        until(lambda: self.updates() >= 0, wanted=True, what="an answer of the second name server")

    def begin(self, number: int) -> Part:
        """Start one origin."""
        return self.start(
            f"origin-{number}", "origin/corepilot.json5", INSTANCE=number, ADDRESS=address(number), PORT=self.port
        )

    def dig(self, *words: str) -> list[str]:
        """What the second name server answers, a line each; [] if nothing."""
        server = ["@127.0.0.1", "-p", str(self.name_servers[1])]
        asked = ["dig", *server, "+tries=1", "+timeout=5", "+noall", "+answer", *words]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        return [] if found.returncode else found.stdout.splitlines()

    def updates(self) -> int:
        """How often the zone was changed: the serial number is one more for each update; -1 without an answer."""
        answer = re.search(r"\sSOA\s+\S+\s+\S+\s+(\d+)", "\n".join(self.dig("example.org", "SOA")))
        return int(answer[1]) if answer else -1

    def resolve(self) -> tuple[list[str], float]:
        """The addresses of the application, sorted, and for how many seconds a client may remember them."""
        lines = [line.split() for line in self.dig(NAME, "A")]
        return sorted(line[4] for line in lines), min((float(line[1]) for line in lines), default=0.0)

    def resolves_to(self, *numbers: int) -> None:
        """Wait until the name has exactly the addresses of these origins."""
        until(lambda: self.resolve()[0], [address(number) for number in sorted(numbers)], f"the addresses of {NAME}")
        print(f"  {NAME} is {', '.join(f'origin-{number}' for number in sorted(numbers))}", flush=True)

    def url(self, host: str) -> str:
        """Where an origin answers."""
        return f"http://{host}:{self.port}/"


class Client:
    """Asks DNS and then the origins, one after the other, as long as the context lasts.

    As a real one it remembers the addresses for as long as their record says.
    """

    def __init__(self, application: DnsOrigins) -> None:
        self.succeeded = 0
        self.failed: list[str] = []
        self._application = application
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _ask(self) -> None:
        addresses: list[str] = []
        until_s = 0.0
        while not self._over.wait(_PAUSE_S):
            asked_at = time.monotonic()
            if asked_at >= until_s:
                addresses, ttl_s = self._application.resolve()
                until_s = asked_at + ttl_s
            for one in addresses:
                said = ask(self._application.url(one))
                if "hello" in said:
                    self.succeeded += 1
                else:
                    self.failed.append(f"{one}: {said}")


def address(number: int) -> str:
    """Of an origin: DNS has addresses and no ports, so each has one of its own."""
    return f"127.0.1.{number}"


def is_well(origin: Part) -> None:
    """Wait until an origin is healthy."""
    until(
        lambda: origin.job("origin").get("health") == "healthy", wanted=True, what=f"whether {origin.name} is healthy"
    )


def start(application: DnsOrigins) -> None:
    """The provider, the publisher and two origins."""
    application.settle()
    print("starting the provider, the publisher and two origins", flush=True)
    application.begin_provider()
    application.begin(1)
    application.begin(2)
    application.start("publisher", "publisher/corepilot.json5", API=f"http://127.0.0.1:{application.api}")
    application.resolves_to(1, 2)


def walk(application: DnsOrigins) -> None:
    """Everything that the README promises of this application."""
    start(application)
    come_and_go(application)
    many_changes(application)
    without_the_api(application)
    in_order(application)


def come_and_go(application: DnsOrigins) -> None:
    """An instance that is well is in DNS, and no other."""
    print("starting a third", flush=True)
    third = application.begin(3)
    application.resolves_to(1, 2, 3)

    print("origin-2 does not answer any more (SIGSTOP)", flush=True)
    second = application.parts["origin-2"]
    second.kill(SERVER, signal.SIGSTOP)
    application.resolves_to(1, 3)
    print("it answers again (SIGCONT)", flush=True)
    second.kill(SERVER, signal.SIGCONT)
    application.resolves_to(1, 2, 3)

    print("kill -9 the corepilot of origin-3", flush=True)
    third.process.kill()
    application.resolves_to(1, 2)
    print("and start it again", flush=True)
    third.process.wait()
    application.begin(3)
    application.resolves_to(1, 2, 3)


def many_changes(application: DnsOrigins) -> None:
    """Whatever happens, there is one update a second at most."""
    print(f"all three leave and come back, {ROUNDS} times", flush=True)
    origins = [application.parts[f"origin-{number}"] for number in (1, 2, 3)]
    began, before = time.monotonic(), application.updates()
    for _ in range(ROUNDS):
        for origin in origins:
            origin.tell("maintenance", "enable")
        for origin in origins:
            origin.tell("maintenance", "disable")
        for origin in origins:
            is_well(origin)
    application.resolves_to(1, 2, 3)
    updates, took_s = application.updates() - before, time.monotonic() - began
    changes = 2 * ROUNDS * len(origins)
    print(f"  {changes} changes within {took_s:.1f} s were {updates} updates", flush=True)
    # The first at once, and one that was on its way before.
    expect(0 < updates <= took_s + 2, f"{updates} updates within {took_s:.1f} s are more than one a second")


def without_the_api(application: DnsOrigins) -> None:
    """While the provider takes no updates DNS says what it said; afterwards it says what is."""
    provider, publisher = application.parts["provider"], application.parts["publisher"]
    print("the API is down; kill -9 the corepilot of origin-1, start a fourth", flush=True)
    provider.tell("stop", "ns1")
    application.parts["origin-1"].process.kill()
    fourth = application.begin(4)
    is_well(fourth)
    failures = publisher.output.count("curl: (7)")
    publisher.says("curl: (7)", failures + 2)  # it keeps trying
    application.resolves_to(1, 2, 3)
    print("the API is back", flush=True)
    provider.tell("start", "ns1")
    application.resolves_to(2, 3, 4)


def in_order(application: DnsOrigins) -> None:
    """A stop in good order is seen by nobody."""
    print("stopping origin-2, while a client asks", flush=True)
    second = application.parts["origin-2"]
    with Client(application) as client:
        until(lambda: client.succeeded > 0, wanted=True, what="whether the client is answered")
        second.process.terminate()
        application.resolves_to(3, 4)
        expect("hello" in ask(application.url(address(2))), "origin-2 has gone before its address was forgotten")
        print("  origin-2 still answers", flush=True)
        until(
            lambda: second.process.poll() == 0, wanted=True, what="whether origin-2's corepilot has ended with status 0"
        )
        after = client.succeeded
        until(lambda: client.succeeded > after, wanted=True, what="whether the client is answered")
    print(f"  of {client.succeeded + len(client.failed)} requests failed: {len(client.failed)}", flush=True)
    expect(not client.failed, f"failed requests: {client.failed[:5]}")


def tips(application: DnsOrigins) -> str:
    """What can be tried while it runs."""
    run, here, programs = application.run, application.here, application.programs
    corepilot = programs / "corepilot"
    settings = f"RUN={run} INSTANCE=3 ADDRESS={address(3)} PORT={application.port} PATH={programs}:$PATH"
    third = f"{settings} corepilot run -c origin/corepilot.json5 -c {run}/catalog.json5"
    return f"""\
{NAME} has two origins. Try in another terminal:

  ask for them                  dig +short @127.0.0.1 -p {application.name_servers[1]} {NAME}
  start a third                 cd {here} && env {third}
  let the second be ill         kill -STOP {application.parts["origin-2"].find(SERVER)}
  kill the first's corepilot    kill -9 {application.parts["origin-1"].process.pid}
  stop the API for a while      {corepilot} stop ns1 --socket {run}/provider.socket
  let it go on                  {corepilot} start ns1 --socket {run}/provider.socket
  see the publisher's jobs      {corepilot} status --socket {run}/publisher.socket
  read the logs                 tail -f {run}/*.log"""


if __name__ == "__main__":
    sys.exit(command.run(DnsOrigins, __file__, start=start, walk=walk, tips=tips))
