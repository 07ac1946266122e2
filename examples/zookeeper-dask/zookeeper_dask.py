"""Runs masters and agents: a ZooKeeper ensemble, two masters of which one leads, workers, and a client with work."""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from walking import command, processes
from walking.application import Application
from walking.load import ask
from walking.part import Part
from walking.waiting import expect, until

MEMBERS = (1, 2, 3)
TASKS = 160  # as in client/work.py
STEP = 20
SCHEDULER = "dask scheduler"  # in the command line of what leads


class ZooKeeperDask(Application):
    """The parts of one run. Its catalog is its own ensemble, unless the command line names another server."""

    def __init__(
        self, here: Path, programs: Path, arguments: argparse.Namespace, discovery: Mapping[str, Any] | None = None
    ) -> None:
        self.clients = {number: processes.free_port() for number in MEMBERS}
        self.admins = {number: processes.free_port() for number in MEMBERS}
        self.votes = {
            f"SERVER_{number}": f"127.0.0.1:{processes.free_port()}:{processes.free_port()}" for number in MEMBERS
        }
        self.hosts = ",".join(f"127.0.0.1:{port}" for port in self.clients.values())
        super().__init__(here, programs, arguments, discovery or {"backend": "zookeeper", "hosts": self.hosts})
        self.results = self.run / "results"

    def begin_server(self, number: int) -> Part:
        """Start one of the three servers of the ensemble."""
        return self.start(
            f"zookeeper-{number}",
            "zookeeper/corepilot.json5",
            ID=number,
            CLIENT_PORT=self.clients[number],
            ADMIN_PORT=self.admins[number],
            **self.votes,
        )

    def begin(self, kind: str, number: int = 1) -> Part:
        """Start a master, a worker or the client."""
        configuration = f"{'scheduler' if kind == 'master' else kind}/corepilot.json5"
        name = kind if kind == "client" else f"{kind}-{number}"
        ports = {"PORT": processes.free_port(), "HTTP_PORT": processes.free_port()} if kind == "master" else {}
        return self.start(name, configuration, INSTANCE=number, ZOOKEEPER=self.hosts, **ports)

    def ensemble(self) -> list[str]:
        """What the servers that answer say of themselves, sorted: follower, follower, leader."""
        return sorted(mode for port in self.admins.values() if (mode := mode_of(port)))

    def ensemble_is(self, *modes: str) -> None:
        """Wait until the servers are this."""
        until(self.ensemble, sorted(modes), "what ZooKeeper's servers are")
        print(f"  ZooKeeper: {', '.join(sorted(modes))}", flush=True)

    def leads(self, number: int) -> None:
        """Wait until a master leads, and no other."""
        name = f"master-{number}"
        until(
            lambda: self.parts[name].job("scheduler").get("health") == "healthy",
            wanted=True,
            what=f"whether {name} leads",
        )
        self.one_scheduler()
        print(f"  {name} leads", flush=True)

    def one_scheduler(self) -> None:
        """There may never be two."""
        found = processes.find(os.getpid(), SCHEDULER)
        # A child that has not executed its own program yet still looks like its parent.
        children = {child for pid in found for child in processes.descendants(pid)}
        running = [pid for pid in found if pid not in children]
        expect(len(running) <= 1, f"there are several schedulers: processes {running}")

    def done(self) -> int:
        """How many tasks have a result."""
        return sum(1 for file in self.results.glob("*") if not file.suffix)

    def goes_on(self) -> None:
        """Wait for some more results."""
        before = self.done()
        wanted = min(before + STEP, TASKS)

        def enough() -> bool:
            self.one_scheduler()
            return self.done() >= wanted

        until(enough, wanted=True, what=f"whether there are {wanted} results")
        print(f"  {before} results, then {self.done()}", flush=True)


def mode_of(port: int) -> str:
    """What a ZooKeeper server is, by its own word: leader or follower; "" while it does not serve."""
    found = re.search(r'"server_state" : "(leader|follower)"', ask(f"http://127.0.0.1:{port}/commands/stats"))
    return found[1] if found else ""


def stands_by(master: Part) -> None:
    """Wait until a master waits for the lock."""
    until(
        lambda: master.job("scheduler").get("state") == "standby", wanted=True, what=f"whether {master.name} stands by"
    )


def start(application: ZooKeeperDask) -> None:
    """The ensemble, two masters, two workers."""
    print("starting three ZooKeeper servers", flush=True)
    for number in MEMBERS:
        application.begin_server(number)
    application.ensemble_is("leader", "follower", "follower")
    print("starting two masters and two workers", flush=True)
    application.begin("master", 1)
    application.leads(1)
    second = application.begin("master", 2)
    stands_by(second)
    for number in (1, 2):
        application.begin("worker", number)


def walk(application: ZooKeeperDask) -> None:
    """Everything that the README promises of this application."""
    start(application)
    print(f"starting a client with {TASKS} tasks", flush=True)
    client = application.begin("client")
    application.goes_on()

    print("kill -9 the corepilot of master-1", flush=True)
    application.parts["master-1"].process.kill()
    application.leads(2)
    application.goes_on()

    leader = next(number for number, port in application.admins.items() if mode_of(port) == "leader")
    print("kill -9 the corepilot of ZooKeeper's leader", flush=True)
    application.parts[f"zookeeper-{leader}"].process.kill()
    application.ensemble_is("leader", "follower")
    application.goes_on()

    print("starting both again", flush=True)
    application.begin_server(leader)
    application.ensemble_is("leader", "follower", "follower")
    first = application.begin("master", 1)
    stands_by(first)

    until(
        lambda: client.process.poll() == 0,
        wanted=True,
        what="whether the client has ended with status 0",
        deadline_s=120,
    )
    wrong = [n for n in range(TASKS) if (application.results / str(n)).read_text() != f"{n * n}\n"]
    expect(not wrong, f"these tasks have a wrong result: {wrong}")
    submissions = [int(one) for one in re.findall(r"submitting (\d+) of", client.output)]
    print(f"  all {TASKS} results are there and right; submitted: {', '.join(map(str, submissions))}", flush=True)
    expect(submissions[0] == TASKS and len(submissions) > 1, "the client should have submitted what was lost once more")


def tips(application: ZooKeeperDask) -> str:
    """What can be tried while it runs."""
    run, here, programs = application.run, application.here, application.programs
    corepilot = programs / "corepilot"
    path = ":".join(map(str, [*application.installed, programs]))
    settings = f"RUN={run} ZOOKEEPER={application.hosts} PATH={path}:$PATH"
    client = f"{settings} corepilot run -c client/corepilot.json5 -c {run}/catalog.json5"
    return f"""\
Two masters and two workers are running. Try in another terminal:

  give them work                cd {here} && env {client}
  see the results               ls {run}/results
  kill the master that leads    kill -9 {application.parts["master-1"].process.pid}
  kill a ZooKeeper server       kill -9 {application.parts["zookeeper-1"].process.pid}
  see what a master does        {corepilot} status --socket {run}/master-2.socket
  read the logs                 tail -f {run}/*.log"""


if __name__ == "__main__":
    sys.exit(command.run(ZooKeeperDask, __file__, start=start, walk=walk, tips=tips))
