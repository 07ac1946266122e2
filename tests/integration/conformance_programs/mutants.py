"""Runs one test of a conformance suite on each mutant of a good plugin, each in a process of its own.

`python mutants.py KIND` prints JSON: for each mutant the test that has to catch it, and what the test said.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
import gevent.monkey

from corepilot.checks.check import Check, CheckFailed
from corepilot.errors import BackendUnavailableError
from corepilot.model.fact import Fact
from corepilot.observers.observer import Observer
from corepilot.plugin import option
from corepilot.telemetry.sink import Sink
from corepilot.testing import backends, checks, observers, sinks
from corepilot.testing.memory import MemoryBackend, MemoryCatalog

KEPT: list[Any] = []
AT_ONCE = 6
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Options:
    password: str = option(help="who we are", default="", secret=True)
    url: str = option(help="where", default="redis://127.0.0.1:6379")


# ------------------------------------------------------------------------------------------------------- good plugins
class GoodSink(Sink):
    interval_s = 1.0
    password = ""

    @property
    def address(self) -> str:
        return "memory"

    def flush(self) -> None:
        self.context.metrics.collect()

    def observe(self, fact: Fact) -> None:
        pass

    def close(self) -> None:
        pass


class GoodCheck(Check):
    def ask(self, deadline_s: float) -> str:  # noqa: ARG002  - it does not wait
        if not SUBJECT["healthy"]:
            raise CheckFailed("no")
        return "ok"


class GoodObserver(Observer):
    def observe(self, fact: Fact) -> None:  # noqa: ARG002  - it keeps nothing
        gevent.sleep(0)


SUBJECT = {"healthy": True}


class Backends(backends.BackendSuite):
    kind: type[Any] = MemoryBackend

    def setup_method(self) -> None:
        super().setup_method()
        self.catalog = MemoryCatalog()

    def client(self) -> Any:
        return self.kind(Options() if self.kind.__name__ == "ShowsPassword" else self.catalog, backends.context())


class Sinks(sinks.SinkSuite):
    kind: type[Any] = GoodSink

    def sink(self, context: Any) -> Any:
        return self.kind(Options(), context)


class Checks(checks.CheckSuite):
    kind: type[Any] = GoodCheck

    def check(self) -> Any:
        return self.kind(Options(), checks.context())

    def healthy(self) -> None:
        SUBJECT["healthy"] = True

    def unhealthy(self) -> None:
        SUBJECT["healthy"] = False


class Observers(observers.ObserverSuite):
    kind: type[Any] = GoodObserver

    def observer(self) -> Any:
        return self.kind(Options(), observers.context())


KINDS: dict[str, tuple[type[Any], type[Any], str]] = {
    "backend": (Backends, MemoryBackend, "report"),
    "sink": (Sinks, GoodSink, "flush"),
    "check": (Checks, GoodCheck, "ask"),
    "observer": (Observers, GoodObserver, "observe"),
}


# ------------------------------------------------------------------------------------------------------ what goes wrong
def blocks_for_ever(_plugin: Any) -> None:
    with contextlib.suppress(Exception):
        one, other = socket.socketpair()
        KEPT.append(other)
        one.recv(1)


def blocks_in_a_greenlet(_plugin: Any) -> None:
    gevent.spawn(time.sleep, 60)
    gevent.sleep(0)


def loops(_plugin: Any) -> None:
    while True:
        pass


def computes(_plugin: Any) -> None:
    until = time.thread_time() + 0.15
    while time.thread_time() < until:
        pass


def leaks_a_thread(_plugin: Any) -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def raises(_plugin: Any) -> None:
    raise KeyError("nonsense")


def exits(_plugin: Any) -> None:
    sys.exit(4)


def patches_by_hand(_plugin: Any) -> None:
    socket.create_connection = raises  # type: ignore[assignment]


IN_A_CALL: dict[str, tuple[Callable[[Any], object], str]] = {
    "blocks 0.25 s": (lambda _: time.sleep(0.25), "no_call_blocks_the_hub"),
    "computes 0.15 s": (computes, "no_call_blocks_the_hub"),
    "blocks for ever": (blocks_for_ever, "no_call_blocks_the_hub"),
    "blocks for ever in a greenlet": (blocks_in_a_greenlet, "no_call_blocks_the_hub"),
    "loops for ever": (loops, "no_call_blocks_the_hub"),
    "leaks a greenlet": (lambda _: gevent.spawn(gevent.sleep, 1e6), "nothing_is_left_behind"),
    "leaks a thread": (leaks_a_thread, "nothing_is_left_behind"),
    "leaks a descriptor": (lambda _: os.open("/dev/null", os.O_RDONLY), "nothing_is_left_behind"),
    "leaks a child": (lambda _: os.posix_spawn("/bin/sleep", ["sleep", "30"], {}), "the_process_is_left_alone"),
    "monkey-patches": (lambda _: gevent.monkey.patch_socket(), "the_process_is_left_alone"),
    "patches by hand": (patches_by_hand, "the_process_is_left_alone"),
    "takes a signal": (lambda _: signal.signal(signal.SIGUSR1, signal.SIG_IGN), "the_process_is_left_alone"),
    "changes the directory": (lambda _: os.chdir("/"), "the_process_is_left_alone"),
    "changes the umask": (lambda _: os.umask(0o777), "the_process_is_left_alone"),
    "changes the environment": (lambda _: os.environ.update(MUTANT="1"), "the_process_is_left_alone"),
    "leaks 1 MiB": (lambda _: KEPT.append(bytearray(1 << 20)), "memory_is_bounded"),
    "keeps 1 MiB in the instance": (lambda plugin: plugin.__dict__.setdefault("kept", []).append(bytearray(1 << 20)),
                                    "memory_is_bounded"),
    "raises what it may not": (raises, "no_call_blocks_the_hub"),
    "exits": (exits, "no_call_blocks_the_hub"),
}  # fmt: skip

IN_THE_CONSTRUCTOR: dict[str, tuple[Callable[[Any], object], str]] = {
    "slow __init__": (lambda _: time.sleep(0.3), "making_one_is_fast_and_does_no_io"),
    "waits in __init__": (lambda _: gevent.sleep(0.3), "making_one_is_fast_and_does_no_io"),
    "opens a file in __init__": (lambda _: os.close(os.open("/etc/passwd", 0)), "making_one_is_fast_and_does_no_io"),
    "makes a socket in __init__": (lambda _: socket.socket().close(), "making_one_is_fast_and_does_no_io"),
}

IN_CLOSE: dict[str, tuple[Callable[[Any], object], str]] = {
    "waits 5 s in close": (lambda _: gevent.sleep(5), "close_returns_at_once"),
    "blocks 5 s in close": (lambda _: time.sleep(5), "close_returns_at_once"),
    "raises in close": (raises, "close_returns_at_once"),
}


def mutants(good: type[Any], call: str) -> dict[str, tuple[type[Any], str]]:
    """Name -> the class, and the test that has to catch it."""
    found: dict[str, tuple[type[Any], str]] = {}
    for table, method in ((IN_A_CALL, call), (IN_THE_CONSTRUCTOR, "__init__"), (IN_CLOSE, "close")):
        for name, (wrong, test) in table.items():
            found[name] = (_mutant(good, method, wrong), test)

    class ShowsPassword(good):  # type: ignore[misc]
        @property
        def address(self) -> str:
            return f"redis://:{self.options.password}@127.0.0.1"

        def close(self) -> None:
            pass

    class ClosesOnce(good):  # type: ignore[misc]
        closed = False

        def close(self) -> None:
            super().close()
            if self.closed:
                raise BackendUnavailableError("closed already")
            self.closed = True

    if hasattr(good, "address"):
        found["a password in address"] = (ShowsPassword, "no_secret_is_shown")
    if good is not GoodObserver:
        found["closes only once"] = (ClosesOnce, "close_may_be_called_again")
    return found


def _mutant(good: type[Any], method: str, wrong: Callable[[Any], object]) -> type[Any]:
    right = getattr(good, method)

    def wronged(self: Any, *arguments: Any) -> Any:
        wrong(self)
        return right(self, *arguments)

    wronged.__code__ = wronged.__code__.replace(co_name=method)
    return type(f"Mutant{good.__name__}", (good,), {method: wronged})


def run(suite: type[Any], kind: type[Any], name: str) -> str:
    """What a test of a suite says of a class; "" if nothing is wrong with it."""
    test = suite()
    test.kind = kind
    said = ""
    test.setup_method()
    try:
        getattr(test, f"test_{name}")()
    except BaseException as error:  # noqa: BLE001  - as pytest does
        said = f"{type(error).__name__}: {error}"
    try:
        test.teardown_method()
    except BaseException as error:  # noqa: BLE001  - as pytest does
        said = said or f"{type(error).__name__}: {error}"
    return said


def all_of(works: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """The answers of functions that run in processes of their own, a few at a time: most of them only wait."""
    left, found = list(works.items())[::-1], {}
    running: dict[int, tuple[str, int, float]] = {}
    while left or running:
        while left and len(running) < AT_ONCE:
            name, work = left.pop()
            reader, pid = start(work)
            running[reader] = (name, pid, time.monotonic() + DEADLINE_S)
        ready = select.select([*running], [], [], 1.0)[0]
        for reader in [one for one in running if one in ready or running[one][2] < time.monotonic()]:
            name, pid, _ = running.pop(reader)
            if reader not in ready:
                os.killpg(pid, signal.SIGKILL)
            with open(reader) as pipe:
                found[name] = pipe.read()
            os.killpg(pid, signal.SIGKILL)  # it is not waited for yet, so the group is its own, and what it has left
            os.waitpid(pid, 0)
    return found


def start(work: Callable[[], str]) -> tuple[int, int]:
    """A pipe with the answer of a function that runs in a process of its own, and its pid."""
    reader, writer = os.pipe()
    pid = os.fork()  # nothing has made a hub yet
    if pid == 0:
        os.close(reader)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # what a mutant leaves behind would keep whoever reads our answer waiting
        os.dup2(nowhere, 2)  # a greenlet's traceback
        with open(writer, "w") as pipe:
            pipe.write(work())
            pipe.flush()
            os._exit(0)
    os.close(writer)
    os.setpgid(pid, pid)
    return reader, pid


def main(kind: str) -> None:
    suite, good, call = KINDS[kind]
    wrong = mutants(good, call)
    said = all_of({name: partial(run, suite, mutant, test) for name, (mutant, test) in wrong.items()})
    found = {name: [test, said[name]] for name, (_, test) in wrong.items()}
    tests = sorted({test for test, _ in found.values()})
    # By itself: a good plugin must not fail because the others keep the machine busy.
    found["good"] = [
        "",
        all_of({"good": lambda: "; ".join(filter(None, (run(suite, good, one) for one in tests)))})["good"],
    ]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
