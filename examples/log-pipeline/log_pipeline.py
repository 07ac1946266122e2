"""Runs the log pipeline: a store, applications with their shippers, and a page that searches."""

import argparse
import contextlib
import os
import pwd
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from walking import command, processes
from walking.application import Application
from walking.load import ask
from walking.part import Part
from walking.waiting import expect, until

RATE = 40  # lines a second of each application
LOG_SIZE = "24KiB"  # renamed several times within the walk
SHIPPER = "rsyslogd"  # in its command line
SOME = 50
_ORDER = re.compile(r"(app-\d run \d+) order (\d+) ")


class LogPipeline(Application):
    """The parts of one run."""

    def settle(self) -> None:
        """Choose what the command line leaves open."""
        self.port = processes.free_or_another(8080)
        self.last: Counter[str] = Counter()
        self.programs_of_postgres = max(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
        )
        self.user = "postgres" if os.geteuid() == 0 else ""
        folder = self.run / "store"
        folder.mkdir()
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)

    def begin_store(self) -> None:
        """Start the store, at another port each time, as if it had moved."""
        self.store_port = processes.free_port()
        self.start(
            "store",
            "store/corepilot.json5",
            PORT=self.store_port,
            POSTGRES=self.programs_of_postgres,
            DB_USER=self.user,
        )

    def begin(self, number: int) -> Part:
        """Start an application with its shipper."""
        return self.start(
            f"app-{number}", "app/corepilot.json5", INSTANCE=number, RATE=self.arguments.rate or RATE, LOG_SIZE=LOG_SIZE
        )

    def stored(self) -> list[str]:
        """All lines in the store, as often as they are there."""
        psql = [str(self.programs_of_postgres / "psql"), "-h", "127.0.0.1", "-p", str(self.store_port), "-U", "reader"]
        asked = [*psql, "-At", "-c", "select line from lines", "postgres"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()

    def page(self, words: str = "") -> str:
        """What the page shows."""
        return ask(f"http://127.0.0.1:{self.port}/?q={quote(words)}")

    def written(self) -> Counter[str]:
        """The last order of each run of an application, by its log: those before it have been written, too."""
        for file in self.run.glob("app-*/app.log*"):
            with contextlib.suppress(FileNotFoundError):  # it has just been renamed
                for run, number in _ORDER.findall(file.read_text()):
                    self.last[run] = max(self.last[run], int(number))
        return Counter(self.last)

    def writes_more(self, lines: int = SOME) -> int:
        """Wait until the applications have written so many lines more; returns how many there are then."""
        before = self.written().total()
        until(lambda: self.written().total() >= before + lines, wanted=True, what=f"whether {lines} lines are written")
        return self.written().total()

    def arrive(self) -> None:
        """Wait until all that has been written by now is in the store, and see that nothing is there twice."""
        wanted = self.written()

        def missing() -> int:
            there = Counter(_orders(self.stored()))
            return sum(not there[run, number] for run, last in wanted.items() for number in range(1, last + 1))

        until(missing, 0, "how many lines are missing in the store", deadline_s=120)
        twice = [order for order, count in Counter(_orders(self.stored())).items() if count > 1]
        expect(not twice, f"these orders are in the store more than once: {twice[:5]}")
        print(f"  all {wanted.total()} lines are in the store, each once", flush=True)


def _orders(lines: list[str]) -> list[tuple[str, int]]:
    """The orders that lines are about."""
    return [(run, int(number)) for line in lines for run, number in _ORDER.findall(line)]


def finds(pipeline: LogPipeline, words: str, wanted: str) -> None:
    """Wait until a search on the page has this in a line; the words are in the field of the form as well."""

    def found() -> bool:
        return wanted in pipeline.page(words).partition("<pre>")[2]

    until(found, wanted=True, what=f"whether the page finds {words}")


def start(pipeline: LogPipeline) -> None:
    """The store, two applications with their shippers, and the page."""
    pipeline.settle()
    print("starting the store, two applications and the page", flush=True)
    pipeline.begin_store()
    for number in (1, 2):
        pipeline.begin(number)
    pipeline.start("page", "page/corepilot.json5", PORT=pipeline.port)
    for name in ("app-1", "app-2"):
        finds(pipeline, f'{name} "order 3"', f"{name} run")
    print("  the page finds lines of both", flush=True)


def walk(pipeline: LogPipeline) -> None:
    """Everything that the README promises of this application."""
    start(pipeline)
    first = pipeline.parts["app-1"]

    print("kill -9 the corepilot of the store", flush=True)
    down_since = time.monotonic()
    pipeline.parts["store"].process.kill()
    until(
        lambda: pipeline.page().startswith("status 503"),
        wanted=True,
        what="whether the page says that there is no store",
    )
    before = pipeline.written().total()
    pipeline.writes_more()

    print("kill -9 a shipper, which has lines that it cannot send", flush=True)
    first.kill(SHIPPER)
    pipeline.writes_more()
    down_s = pipeline.arguments.down
    over = "whether the time without a store is over"
    until(lambda: time.monotonic() - down_since >= down_s, wanted=True, what=over, deadline_s=down_s + 60)
    pipeline.parts["store"].process.wait()
    pipeline.begin_store()
    during = pipeline.writes_more() - before
    print(
        f"the store is back after {time.monotonic() - down_since:.0f} s, at another port; {during} lines meanwhile",
        flush=True,
    )
    pipeline.arrive()

    print("kill -9 both shippers while lines go through", flush=True)
    for number in (1, 2):
        pipeline.parts[f"app-{number}"].kill(SHIPPER)
        pipeline.writes_more()
    pipeline.arrive()

    print("stopping an application, and starting it again", flush=True)
    expect(first.stop() == 0, "the corepilot of app-1 should end with status 0")
    pipeline.begin(1)
    pipeline.writes_more()
    pipeline.arrive()
    renamed = len(list(pipeline.run.glob("app-*/app.log.*")))
    print(f"  log files that were renamed and are still there: {renamed}", flush=True)
    finds(pipeline, "app-1 closes", "closes")
    print("  the page finds its last line", flush=True)


def tips(pipeline: LogPipeline) -> str:
    """What can be tried while it runs."""
    run, programs = pipeline.run, pipeline.programs
    corepilot = programs / "corepilot"
    return f"""\
The pipeline is running. Try in another terminal, or in a browser:

  search                        http://127.0.0.1:{pipeline.port}/?q=app-1+pears
  stop the store for a while    {corepilot} stop logs --socket {run}/store.socket
  let it go on                  {corepilot} start logs --socket {run}/store.socket
  kill a shipper                kill -9 {pipeline.parts["app-1"].find(SHIPPER)}
  see the jobs                  {corepilot} status --socket {run}/app-1.socket
  read the logs of the others   tail -f {run}/*.log"""


def options(parser: argparse.ArgumentParser) -> None:
    """Beside those that every example has."""
    parser.add_argument(
        "--down", type=float, default=5, metavar="SECONDS", help="how long the walk leaves the store down"
    )
    parser.add_argument("--rate", type=float, help=f"lines a second of each application ({RATE})")


if __name__ == "__main__":
    sys.exit(command.run(LogPipeline, __file__, start=start, walk=walk, tips=tips, options=options))
