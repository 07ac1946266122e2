"""Runs hello-world: `hello` and `world` instances and a front end, each under its own corepilot.

Without options it runs until Ctrl-C and says what can be tried. With --walk it tries it all by itself and ends with
status 0 if everything went as expected. Nothing is left running in either case.
"""

import argparse
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
DEADLINE_S = 30
STOP_DEADLINE_S = 20
# Enough questions that each of a few instances is asked, whoever's turn it is.
QUESTIONS = 8


# What takes the place of the line `discovery: …` in the configurations, and where such a server is by default.
CATALOGS = {
    "consul": ('{{backend: "consul", address: "{}"}}', "127.0.0.1:8500"),
    "etcd": ('{{backend: "etcd", endpoints: ["http://{}"]}}', "127.0.0.1:2379"),
    "zookeeper": ('{{backend: "zookeeper", hosts: "{}"}}', "127.0.0.1:2181"),
}


class UnexpectedError(Exception):
    """The walk did not go as expected."""


class Corepilot:
    """One running corepilot with what it supervises."""

    def __init__(self, name: str, configuration: Path, env: Mapping[str, str], programs: Path, run: Path) -> None:
        self.name = name
        self.env = {**env, "PATH": f"{programs}:{env.get('PATH', os.defpath)}:/usr/sbin:/sbin", "RUN": str(run)}
        self.command = [str(programs / "corepilot"), "run", "-c", str(configuration)]
        self.log = run / f"{name}.log"
        # Should this script be killed, its corepilots get a TERM and stop in good order.
        guarded = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*guarded, *self.command],
                cwd=HERE,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for this script, which then stops everything in order
            )

    def application(self) -> int:
        """The pid of the program it supervises, 0 if there is none."""
        for pid in _descendants(self.process.pid):
            if "greeter.py" in _command_line(pid):
                return pid
        return 0

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Application:
    """The parts of one run, with the folder that they share."""

    def __init__(self, programs: Path, front: str, port: int, discovery: str) -> None:
        self.programs = programs
        self.front = front
        self.port = port
        self.run = Path(tempfile.mkdtemp(prefix="hello-world-"))
        self.configurations = HERE
        if discovery:
            self.configurations = self.run / "configuration"
            self._use(discovery)
        self.parts: dict[str, Corepilot] = {}

    def _use(self, discovery: str) -> None:
        """Change the one line of each configuration that says where the catalog is."""
        for name in ("hello", "world", "front"):
            text = (HERE / name / "corepilot.json5").read_text()
            text, count = re.subn(r"^  discovery: .*$", f"  discovery: {discovery},", text, flags=re.MULTILINE)
            if count != 1:
                raise UnexpectedError(f"{name}/corepilot.json5 has {count} lines that name the catalog, not 1")
            (self.configurations / name).mkdir(parents=True)
            (self.configurations / name / "corepilot.json5").write_text(text)

    def start(self, service: str, instance: str = "1") -> Corepilot:
        """Start one instance of a service under a corepilot of its own."""
        name = "front" if service == "front" else f"{service}-{instance}"
        port = self.port if service == "front" else _free_port()
        # The application's settings, and none that are meant for another corepilot.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("COREPILOT", "CONTAINERPILOT"))}
        env.update(INSTANCE=instance, PORT=str(port), FRONT=self.front)
        configuration = self.configurations / service / "corepilot.json5"
        self.parts[name] = Corepilot(name, configuration, env, self.programs, self.run)
        return self.parts[name]

    def stop(self) -> list[str]:
        """Stop everything; returns what was still running then, which should be nothing."""
        for part in self.parts.values():
            if part.process.poll() is None:
                part.process.terminate()  # all at once; the waiting comes after
        for part in self.parts.values():
            part.stop()
        left = self.survivors()
        for survivor in left:
            with contextlib.suppress(OSError):
                os.kill(int(survivor.split()[0]), signal.SIGKILL)
        shutil.rmtree(self.run, ignore_errors=True)
        return left

    def survivors(self) -> list[str]:
        """Processes of this run, wherever they have gone: all have its folder in their environment."""
        mark = f"RUN={self.run}".encode()
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and mark in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                    found.append(f"{name} ({_command_line(int(name))})")
        return found

    def ask(self, path: str) -> str:
        """The front end's answer, or what went wrong."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read(), "utf-8").strip()
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except (OSError, http.client.HTTPException) as error:
            return f"no answer ({error})"  # or half of one: its instance was killed while it answered

    def known(self, service: str) -> list[str]:
        """The instances that the front end has been told of."""
        try:
            lines = (self.run / f"{service}.instances").read_text().splitlines()
        except FileNotFoundError:
            return []
        return sorted(line.split()[1] for line in lines)

    def expect(self, service: str, *names: str) -> None:
        """Wait until the front end has been told of exactly these instances, and exactly these answer."""
        deadline = time.monotonic() + DEADLINE_S
        wanted = sorted(names)
        while True:
            known, answers = self.known(service), sorted({self.ask(f"/{service}") for _ in range(QUESTIONS)})
            if known == answers == wanted:
                break
            if time.monotonic() > deadline:
                raise UnexpectedError(
                    f"/{service} should be answered by {', '.join(wanted)}; "
                    f"the front end knows of {', '.join(known) or 'none'}, its answers are: {', '.join(answers)}"
                )
            time.sleep(0.05)
        print(f"  /{service}  answered by {', '.join(answers)}", flush=True)


def walk(application: Application) -> None:
    """Everything that the README promises of this application."""
    print(f"starting hello-1, world-1 and the front end ({application.front})", flush=True)
    for service in ("hello", "world", "front"):
        application.start(service)
    application.expect("hello", "hello-1")
    application.expect("world", "world-1")

    print("starting a second hello", flush=True)
    second = application.start("hello", "2")
    application.expect("hello", "hello-1", "hello-2")

    print("kill -9 the application of hello-2", flush=True)
    os.kill(second.application(), signal.SIGKILL)
    application.expect("hello", "hello-1")

    print("starting a third hello", flush=True)
    third = application.start("hello", "3")
    application.expect("hello", "hello-1", "hello-3")

    print("kill -9 the corepilot of hello-3", flush=True)
    orphan = third.application()
    third.process.kill()
    application.expect("hello", "hello-1")
    if "greeter.py" in _command_line(orphan):
        raise UnexpectedError(f"the application of hello-3 (process {orphan}) has outlived its corepilot")


def until_interrupted(application: Application) -> None:
    """Run it, say what can be tried, and wait for Ctrl-C."""
    for service in ("hello", "world", "front"):
        application.start(service)
    application.expect("hello", "hello-1")
    application.expect("world", "world-1")
    first = application.parts["hello-1"]
    corepilot = application.programs / "corepilot"
    settings = f"RUN={application.run} INSTANCE=2 PORT={_free_port()} PATH={application.programs}:$PATH"
    configuration = application.configurations / "hello" / "corepilot.json5"
    print(f"""
hello-world is running; the front end is {application.front}. Try in another terminal:

  ask it (several times)        curl http://127.0.0.1:{application.port}/hello
  start a second hello          cd {HERE} && env {settings} corepilot run -c {configuration}
  kill the first hello          kill -9 {first.application()}
  kill its corepilot instead    kill -9 {first.process.pid}
  see what the front end sees   {corepilot} instances hello --socket {application.run}/front.socket
  see a corepilot's jobs        {corepilot} status --socket {application.run}/front.socket
  read the logs                 tail -f {application.run}/*.log

Ctrl-C stops everything.""", flush=True)  # fmt: skip
    while True:
        signal.pause()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_or_another(port: int) -> int:
    """The port if nobody has it, else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return _free_port()
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *_descendants(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _installation() -> Path:
    """The programs of an environment of this checkout, made at the first run."""
    sys.path.insert(0, str(CHECKOUT / "tools"))
    import environment

    return environment.ensure(CHECKOUT / ".venv-hello")


def _discovery(catalog: str, parser: argparse.ArgumentParser) -> str:
    """What the configurations have for `discovery`; "" to leave them as they are."""
    name, _, address = catalog.partition("=")
    if name == "embedded" and not address:
        return ""
    if name not in CATALOGS:
        parser.error(f"there is no catalog {name}; there are embedded, {', '.join(CATALOGS)}")
    line, default = CATALOGS[name]
    return line.format(address or default)


def main() -> int:
    parser = argparse.ArgumentParser(prog="examples/hello-world/run", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--walk", action="store_true", help="try everything and say whether it went as expected")
    parser.add_argument(
        "--catalog",
        default="embedded",
        metavar="CATALOG[=ADDRESS]",
        help=f"where services are kept: embedded, or a server of yours: {', '.join(CATALOGS)}, such as etcd=HOST:PORT",
    )
    parser.add_argument("--front", choices=("nginx", "python"), help="the front end; nginx where it is installed")
    parser.add_argument(
        "--port", type=int, default=8080, help="of the front end; another one if it is taken (8080), any for 0"
    )
    parser.add_argument("--programs", type=Path, help="where corepilot is installed; else .venv-hello is made for it")
    arguments = parser.parse_args()

    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    front = arguments.front or ("nginx" if nginx else "python")
    programs = arguments.programs.resolve() if arguments.programs else _installation()
    for number in (signal.SIGINT, signal.SIGTERM):  # whatever was inherited: shells let background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    application = Application(programs, front, _port_or_another(arguments.port), _discovery(arguments.catalog, parser))
    status = 0
    left: list[str] = []
    try:
        (walk if arguments.walk else until_interrupted)(application)
    except KeyboardInterrupt:
        status = 1 if arguments.walk else 0
    except UnexpectedError as error:
        print(f"not as expected: {error}", file=sys.stderr)
        for part in application.parts.values():
            print(f"--- {part.name}\n{part.log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
        status = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end has its own deadlines
        left = application.stop()
    if left:
        print(f"still running: {', '.join(left)}", file=sys.stderr)
        return 1
    if arguments.walk and not status:
        print("everything as expected; nothing is left running")
    return status


if __name__ == "__main__":
    sys.exit(main())
