"""Runs hello-world: `hello` and `world` instances and a front end, each under its own corepilot."""

import argparse
import os
import shutil
import signal
import sys

from walking import command, processes
from walking.application import Application
from walking.load import ask
from walking.part import Part
from walking.waiting import expect, until

# Enough questions that each of a few instances is asked, whoever's turn it is.
QUESTIONS = 8


class HelloWorld(Application):
    """The parts of one run."""

    def settle(self) -> None:
        """Choose what the command line leaves open."""
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        self.front = self.arguments.front or ("nginx" if nginx else "python")
        self.port = processes.free_or_another(self.arguments.port)

    def begin(self, service: str, instance: str = "1") -> Part:
        """Start one instance of a service under a corepilot of its own."""
        name = "front" if service == "front" else f"{service}-{instance}"
        port = self.port if service == "front" else processes.free_port()
        configuration = f"{service}/corepilot.json5"
        return self.start(name, configuration, INSTANCE=instance, PORT=port, FRONT=self.front)

    def answers(self, service: str) -> list[str]:
        """Who answers at the front end, each once."""
        return sorted({ask(f"http://127.0.0.1:{self.port}/{service}") for _ in range(QUESTIONS)})

    def known(self, service: str) -> list[str]:
        """The instances that the front end has been told of."""
        try:
            lines = [line.split() for line in (self.run / "instances").read_text().splitlines()]
        except FileNotFoundError:
            return []
        return sorted(instance for name, _, instance in lines if name == service)

    def answered_by(self, service: str, *names: str) -> None:
        """Wait until the front end has been told of exactly these instances, and exactly these answer."""
        wanted = (sorted(names), sorted(names))
        until(lambda: (self.known(service), self.answers(service)), wanted, f"those known and answering at /{service}")
        print(f"  /{service}  answered by {', '.join(sorted(names))}", flush=True)

    def are_everywhere(self, service: str, *names: str) -> None:
        """Wait until each of several catalogs has exactly these instances, and the front end watches them all."""
        front = self.parts["front"]
        catalogs = sorted(self.discovery)
        wanted = dict.fromkeys(catalogs, sorted(names))
        until(lambda: self.catalogs(service), wanted, f"the instances of {service} in each catalog")
        until(lambda: sorted(one["name"] for one in front.status()["catalogs"]), catalogs, "the front end's catalogs")
        print(f"  {service} is {', '.join(sorted(names))} in {', '.join(catalogs)}", flush=True)


def application(part: Part) -> int:
    """The pid of the program it supervises, 0 if there is none."""
    return part.find("greeter.py")


def start(hello_world: HelloWorld) -> None:
    """One instance of each service, and the front end."""
    hello_world.settle()
    print(f"starting hello-1, world-1 and the front end ({hello_world.front})", flush=True)
    for service in ("hello", "world", "front"):
        hello_world.begin(service)
    hello_world.answered_by("hello", "hello-1")
    hello_world.answered_by("world", "world-1")


def walk(hello_world: HelloWorld) -> None:
    """Everything that the README promises of this application."""
    start(hello_world)

    print("starting a second hello", flush=True)
    second = hello_world.begin("hello", "2")
    hello_world.answered_by("hello", "hello-1", "hello-2")

    print("kill -9 the application of hello-2", flush=True)
    os.kill(application(second), signal.SIGKILL)
    hello_world.answered_by("hello", "hello-1")

    print("starting a third hello", flush=True)
    third = hello_world.begin("hello", "3")
    hello_world.answered_by("hello", "hello-1", "hello-3")

    if "backend" not in hello_world.discovery:
        hello_world.are_everywhere("hello", "hello-1", "hello-3")

    print("kill -9 the corepilot of hello-3", flush=True)
    orphan = application(third)
    third.process.kill()
    hello_world.answered_by("hello", "hello-1")
    outlives = "greeter.py" in processes.command_line(orphan)
    expect(not outlives, f"the application of hello-3 (process {orphan}) has outlived its corepilot")


def tips(hello_world: HelloWorld) -> str:
    """What can be tried while it runs."""
    run, here, programs = hello_world.run, hello_world.here, hello_world.programs
    corepilot = programs / "corepilot"
    settings = f"RUN={run} INSTANCE=2 PORT={processes.free_port()} PATH={programs}:$PATH"
    second = f"{settings} corepilot run -c hello/corepilot.json5 -c {run}/catalog.json5"
    first = hello_world.parts["hello-1"]
    return f"""\
hello-world is running; the front end is {hello_world.front}. Try in another terminal:

  ask it (several times)        curl http://127.0.0.1:{hello_world.port}/hello
  start a second hello          cd {here} && env {second}
  kill the first hello          kill -9 {application(first)}
  kill its corepilot instead    kill -9 {first.process.pid}
  see what the front end sees   {corepilot} instances hello --socket {run}/front.socket
  see a corepilot's jobs        {corepilot} status --socket {run}/front.socket
  read the logs                 tail -f {run}/*.log"""


def options(parser: argparse.ArgumentParser) -> None:
    """Beside those that every example has."""
    parser.add_argument("--front", choices=("nginx", "python"), help="the front end; nginx where it is installed")
    parser.add_argument(
        "--port", type=int, default=8080, help="of the front end; another one if it is taken (8080), any for 0"
    )


if __name__ == "__main__":
    sys.exit(command.run(HelloWorld, __file__, start=start, walk=walk, tips=tips, options=options))
