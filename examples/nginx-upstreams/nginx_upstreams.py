"""Runs the nginx example: instances of an application and nginx in front of them, each under its own corepilot."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from walking import command, processes
from walking.application import Application
from walking.load import Load, ask
from walking.part import Part
from walking.waiting import expect, until

QUESTIONS = 15  # each of five instances is asked, whoever's turn it is, and whoever else asks


class Upstreams(Application):
    """The parts of one run."""

    port = 0

    @property
    def url(self) -> str:
        """Where nginx is."""
        return f"http://127.0.0.1:{self.port}/"

    def begin_nginx(self) -> Part:
        """Start nginx."""
        self.port = processes.free_or_another(self.arguments.port)
        return self.start("nginx", "nginx/corepilot.json5", PORT=self.port)

    def begin_app(self, instance: int) -> Part:
        """Start an instance of the application."""
        name = f"app-{instance}"
        return self.start(name, "app/corepilot.json5", INSTANCE=instance, PORT=processes.free_port())

    def answered_by(self, *instances: int) -> None:
        """Wait until nginx asks exactly these instances."""
        names = [f"app-{instance}" for instance in instances]
        until(lambda: sorted({ask(self.url) for _ in range(QUESTIONS)}), names, "those that answer behind nginx")
        print(f"  answered by {', '.join(names)}", flush=True)

    @contextmanager
    def nothing_is_lost(self, *methods: str) -> Iterator[None]:
        """Under load all the time, and every request has a good answer."""
        loads = [Load(self.url, clients=2, method=method) for method in methods]
        with ExitStack() as running:
            for load in loads:
                running.enter_context(load)
            yield
        for load in loads:
            expect(not load.failed, f"{load.method} requests were lost: {dict(load.failures)}")
            expect(load.succeeded > 0, f"there was no {load.method} request")
        print(f"  {' and '.join(methods)} all the time, and not one request has failed", flush=True)


def start(upstreams: Upstreams) -> None:
    """One instance, and nginx."""
    print("starting app-1 and nginx", flush=True)
    upstreams.begin_app(1)
    upstreams.begin_nginx()
    upstreams.answered_by(1)


def walk(upstreams: Upstreams) -> None:
    """Everything that the README promises of this application."""
    start(upstreams)
    with upstreams.nothing_is_lost("GET", "POST"):
        scale(upstreams)
        restart(upstreams)
    with upstreams.nothing_is_lost("GET"):
        kill(upstreams)


def scale(upstreams: Upstreams) -> None:
    """From 1 instance to 5, and to 2."""
    print("scaling to 5", flush=True)
    for instance in (2, 3, 4, 5):
        upstreams.begin_app(instance)
    upstreams.answered_by(1, 2, 3, 4, 5)
    print("scaling to 2", flush=True)
    leaving = [upstreams.parts[f"app-{instance}"] for instance in (3, 4, 5)]
    for part in leaving:
        part.terminate()  # all at once, as by `docker stop`
    for part in leaving:
        status = part.stop()
        expect(status == 0, f"{part.name} has ended with status {status}")
    upstreams.answered_by(1, 2)


def restart(upstreams: Upstreams) -> None:
    """One instance after the other."""
    print("restarting one after the other", flush=True)
    for instance in (1, 2):
        part = upstreams.parts[f"app-{instance}"]
        before = application(part)
        part.tell("restart", "app")
        expect(application(part) not in {0, before}, f"{part.name} has not begun anew")
        upstreams.answered_by(1, 2)


def kill(upstreams: Upstreams) -> None:
    """A program, then a corepilot with all that it runs."""
    print("kill -9 the application of app-1", flush=True)
    first, second = upstreams.parts["app-1"], upstreams.parts["app-2"]
    before = first.kill("upstream.py", signal.SIGKILL)
    until(lambda: application(first) not in {0, before}, wanted=True, what="that app-1 runs again")
    first.tell("wait", "app", "--for", "healthy")
    upstreams.answered_by(1, 2)
    print("kill -9 the corepilot of app-2", flush=True)
    orphan = application(second)
    second.process.kill()
    upstreams.answered_by(1)
    outlives = "upstream.py" in processes.command_line(orphan)
    expect(not outlives, f"the application of app-2 (process {orphan}) has outlived its corepilot")


def application(part: Part) -> int:
    """The pid of the program it supervises, 0 if there is none."""
    return part.find("upstream.py")


def tips(upstreams: Upstreams) -> str:
    """What can be tried while it runs."""
    run, here, programs = upstreams.run, upstreams.here, upstreams.programs
    corepilot = programs / "corepilot"
    settings = f"INSTANCE=2 PORT={processes.free_port()} PATH={programs}:$PATH"
    first = upstreams.parts["app-1"]
    return f"""\
nginx is at {upstreams.url} Try in another terminal:

  ask it (several times)        curl {upstreams.url}
  start a second instance       cd {here} && env {settings} corepilot run -c app/corepilot.json5 -c {run}/catalog.json5
  restart the first             {corepilot} restart app --socket {first.socket}
  kill it                       kill -9 {application(first)}
  see who is there              {corepilot} instances app --socket {run}/nginx.socket
  see nginx's configuration     cat {run}/nginx.conf
  read the logs                 tail -f {run}/*.log"""


def options(parser: argparse.ArgumentParser) -> None:
    """Beside those that every example has."""
    parser.add_argument("--port", type=int, default=8080, help="of nginx; another one if it is taken (8080)")


if __name__ == "__main__":
    sys.exit(command.run(Upstreams, __file__, start=start, walk=walk, tips=tips, options=options))
