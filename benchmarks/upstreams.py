"""How many requests are lost behind nginx while instances come and go: corepilot beside consul-template.

    python benchmarks/upstreams.py [--consul-template PROGRAM] [--rounds 1]

All over one Consul agent, with the same nginx configuration, steps and load: corepilot with `drain` and `reloadOn`, as
in examples/nginx-upstreams; consul-template that reloads nginx; consul-template that restarts it. In the last two,
instances are registered with the agent, which asks each every second, and are deregistered when they get their TERM.
Consul and consul-template are built from their Go modules where there are none.
"""

import argparse
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "nginx-upstreams"
sys.path[1:1] = [str(ROOT / folder) for folder in ("tests", "tools", "examples")] + [str(EXAMPLE)]

from go_programs import cache_directory, find_go  # noqa: E402
from nginx_upstreams import QUESTIONS, Upstreams, application  # noqa: E402
from servers.consul import ConsulServer  # noqa: E402
from walking import processes  # noqa: E402
from walking.load import Load, ask  # noqa: E402
from walking.waiting import until  # noqa: E402

VERSION = "v0.41.1"
MODULE = "github.com/hashicorp/consul-template"
OLDEST_GO = (1, 24)
STOP_S = 30
SETTLE_S = 3.0
"""After each step, still under load: what a step sets off, such as a check that fails, belongs to it."""


class Side(ABC):
    """Instances of the application, nginx, and what keeps nginx's configuration."""

    name: str
    url: str

    @abstractmethod
    def begin(self, instance: int) -> None:
        """Start an instance."""

    @abstractmethod
    def end(self, instances: Sequence[int]) -> None:
        """Stop instances, all at once; returns when they have ended."""

    @abstractmethod
    def restart(self, instance: int) -> None:
        """Stop an instance and start it again."""

    @abstractmethod
    def kill(self, instance: int) -> None:
        """Kill an instance that is started again at once."""

    @abstractmethod
    def lose(self, instance: int) -> None:
        """Kill an instance that is not."""

    @abstractmethod
    def __enter__(self) -> Self:
        """Start nginx; there is no instance yet."""

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """End everything."""


class Corepilot(Side):
    """The example as it is."""

    name = "corepilot"

    def __init__(self, consul: ConsulServer) -> None:
        discovery = {"backend": "consul", "address": consul.address}
        self._parts = Upstreams(EXAMPLE, Path(sys.prefix) / "bin", argparse.Namespace(port=0), discovery)
        self.url = ""

    def __enter__(self) -> Self:
        self._parts.begin_nginx()
        self.url = self._parts.url
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.stop()

    def begin(self, instance: int) -> None:
        self._parts.begin_app(instance)

    def end(self, instances: Sequence[int]) -> None:
        leaving = [self._parts.parts[f"app-{instance}"] for instance in instances]
        for part in leaving:
            part.terminate()
        for part in leaving:
            part.stop()

    def restart(self, instance: int) -> None:
        self._parts.parts[f"app-{instance}"].tell("restart", "app")

    def kill(self, instance: int) -> None:
        part = self._parts.parts[f"app-{instance}"]
        os.kill(application(part), signal.SIGKILL)

    def lose(self, instance: int) -> None:
        self._parts.parts[f"app-{instance}"].process.kill()


class ConsulTemplate(Side):
    """Plain processes that the agent checks, and consul-template for nginx."""

    def __init__(self, consul: ConsulServer, program: str, *, restarts: bool) -> None:
        self.name = f"consul-template, nginx {'restarted' if restarts else 'reloaded'}"
        self._consul, self._program, self._restarts = consul, program, restarts
        self._folder = Path(tempfile.mkdtemp(prefix="upstreams-"))
        self._folder.chmod(0o755)
        self._port = processes.free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._apps: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}
        self._template: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        text = (EXAMPLE / "nginx" / "nginx.conf.tmpl").read_text()
        for ours, theirs in (
            ('{{ .RUN | default "/run" }}', str(self._folder)),
            ('{{ .PORT | default "8080" }}', str(self._port)),
            ("{{ .HostPort }}", "{{ .Address }}:{{ .Port }}"),
            ("daemon off;\n", ""),
        ):
            text = text.replace(ours, theirs)
        template, made = self._folder / "template", self._folder / "nginx.conf"
        template.write_text(text)
        nginx, pid = f"nginx -e stderr -c {made}", self._folder / "nginx.pid"
        stop = f"{nginx} -s stop; while test -e {pid}; do sleep 0.01; done"
        act = f"{stop}; {nginx}" if self._restarts else f"{nginx} -s reload"
        react = self._folder / "react"
        # Who holds consul-template's pipe is waited for.
        react.write_text(f"#!/bin/sh\nexec >/dev/null 2>&1\nif test -e {pid}; then {act}; else {nginx}; fi\n")
        react.chmod(0o755)
        words = ["-consul-addr", self._consul.address, "-template", f"{template}:{made}:{react}"]
        with (self._folder / "log").open("wb") as log:
            self._template = subprocess.Popen([self._program, *words], stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._template is not None:
            self._template.send_signal(signal.SIGINT)  # TERM does not end it
            self._template.wait(STOP_S)
        with suppress(OSError, ValueError):
            os.kill(int((self._folder / "nginx.pid").read_text()), signal.SIGTERM)
        self.end(list(self._apps))
        processes.left_behind()
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self, instance: int) -> None:
        port = processes.free_port()
        self._apps[instance] = (port, self._spawned(instance, port))
        check = {"HTTP": f"http://127.0.0.1:{port}/health", "Interval": "1s", "Timeout": "1s"}
        service = {"ID": f"app-{instance}", "Name": "app", "Address": "127.0.0.1", "Port": port, "Check": check}
        self._consul.put("/v1/agent/service/register", service)

    def _spawned(self, instance: int, port: int) -> "subprocess.Popen[bytes]":
        words = [sys.executable, str(EXAMPLE / "app" / "upstream.py"), str(instance), str(port)]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL)

    def end(self, instances: Sequence[int]) -> None:
        leaving = [self._apps.pop(instance)[1] for instance in instances]
        for instance, process in zip(instances, leaving, strict=True):
            with suppress(OSError, http.client.HTTPException):  # the agent knows no more of one that was lost
                self._consul.put(f"/v1/agent/service/deregister/app-{instance}")
            process.terminate()
        for process in leaving:
            process.wait(STOP_S)

    def restart(self, instance: int) -> None:
        port, process = self._apps[instance]
        process.terminate()
        process.wait(STOP_S)
        self._apps[instance] = (port, self._spawned(instance, port))

    def kill(self, instance: int) -> None:
        port, process = self._apps[instance]
        process.kill()
        process.wait(STOP_S)
        self._apps[instance] = (port, self._spawned(instance, port))

    def lose(self, instance: int) -> None:
        self._apps[instance][1].kill()


def answered_by(side: Side, *instances: int) -> None:
    """Wait until nginx asks exactly these."""
    names = [f"app-{instance}" for instance in instances]
    until(lambda: sorted({ask(side.url) for _ in range(QUESTIONS)}), names, "those that answer behind nginx")


def lost(side: Side, step: Callable[[], None], left: Sequence[int]) -> str:
    """Of each method how many requests fail during a step, how many there are, and what the clients were told."""
    loads = {method: Load(side.url, clients=2, method=method) for method in ("GET", "POST")}
    with ExitStack() as stack:
        for load in loads.values():
            stack.enter_context(load)
        step()
        time.sleep(SETTLE_S)
        answered_by(side, *left)
    counts = [f"{method} {load.failed} of {load.failed + load.succeeded}" for method, load in loads.items()]
    why = loads["GET"].failures + loads["POST"].failures
    return ", ".join(counts) + (f"  {dict(why)}" if why else "")


def measured(side: Side) -> Iterator[tuple[str, str]]:
    """What is lost at each step."""

    def up() -> None:
        for instance in (2, 3, 4, 5):
            side.begin(instance)
        answered_by(side, 1, 2, 3, 4, 5)

    def restart() -> None:
        for instance in (1, 2):
            side.restart(instance)
            answered_by(side, 1, 2)

    steps: dict[str, tuple[Callable[[], None], Sequence[int]]] = {
        "1 to 5": (up, (1, 2, 3, 4, 5)),
        "5 to 2": (lambda: side.end([3, 4, 5]), (1, 2)),
        "restart each": (restart, (1, 2)),
        "kill -9": (lambda: side.kill(1), (1, 2)),
        "lose one": (lambda: side.lose(2), (1,)),
    }
    with side:
        side.begin(1)
        answered_by(side, 1)
        for name, (step, left) in steps.items():
            yield name, lost(side, step, left)


def consul_template(given: str | None) -> str:
    """The program: as given, on PATH, or built once per machine."""
    found = given or shutil.which("consul-template")
    if found:
        return found
    folder = cache_directory() / f"consul-template-{VERSION}"
    program = folder / "consul-template"
    if not program.exists():
        print(f"building {program} (once)", file=sys.stderr, flush=True)
        env = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
        subprocess.run([find_go(OLDEST_GO), "install", "-trimpath", f"{MODULE}@{VERSION}"], env=env, check=True)
    return str(program)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--consul-template", metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    program = consul_template(arguments.consul_template)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    processes.adopt_orphans()
    for number in range(arguments.rounds):
        for make in (
            Corepilot,
            lambda consul: ConsulTemplate(consul, program, restarts=False),
            lambda consul: ConsulTemplate(consul, program, restarts=True),
        ):
            with ConsulServer() as consul:
                side: Side = make(consul)
                print(f"{side.name}, round {number + 1}: lost", flush=True)
                for step, said in measured(side):
                    print(f"  {step:14}{said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
