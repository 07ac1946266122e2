"""A backend whose client blocks, in a real corepilot: it works, a stop is in time, and what never returns is named."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from foreign import python_with, write_distribution
from running import Corepilot

LIGHT = """
from corepilot.plugin import hookimpl
API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"})
@hookimpl
def corepilot_register_backend():
    from blocking_heavy import Blocking
    return Blocking
"""
HEAVY = """
import threading, time
from corepilot.discovery.backend import Backend
from corepilot.errors import BackendUnavailableError
from corepilot.model.service import Instance
class Blocking(Backend):
    blocking = True
    address = "somewhere"
    instances_now = ()
    def register(self, registration, status, output):
        r = registration
        threading.current_thread()  # makes a dummy in the module threading
        time.sleep(0.2)
        self.context.log("info", f"registered {r.id}")
        self.instances_now = (Instance(r.id, r.service, r.address, r.port, status, r.tags),)
    def report(self, instance_id, status, output, valid_for_s):
        time.sleep(0.2)
    def deregister(self, instance_id):
        time.sleep(0.2)
        self.context.log("info", f"deregistered {instance_id}")
    def watch(self, query):
        while True:
            yield self.instances_now
            time.sleep(0.1)
    def close(self):
        time.sleep(1000)
class Blocking(Blocking):
    {deed}
"""
CONFIGURATION = """{
  control: {socket: "%(dir)s/control.socket"}, discovery: "blocking", stopTimeout: 2,
  watches: [{name: "app", interval: 1}],
  jobs: [
    {name: "tick", exec: ["sh", "-c", "echo tick"], when: {interval: "300ms"}},
    {name: "app", exec: "sleep 1000", port: 80, interfaces: ["lo"], health: {exec: "true", interval: 1, ttl: 5}},
    {name: "seen", exec: ["sh", "-c", "echo it is there"], when: {source: "watch.app", once: "healthy"}},
  ],
}"""

# What is bounded by a constant, in a hurry.
HURRIED = """
import sys
from corepilot.discovery import native_calls
native_calls.GRACE_S, native_calls.STUCK_MAX = 0.0, 1
from corepilot.plugin import boundary, oversight
boundary.OFF_AFTER = 3
oversight.LOOK_S = 0.2
from corepilot.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

Start = Callable[[str], Corepilot]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a corepilot that has a blocking backend."""

    def start(deed: str) -> Corepilot:
        modules = {"blocking_light": LIGHT, "blocking_heavy": HEAVY.replace("{deed}", deed)}
        groups = "[corepilot.backends]\nblocking = blocking_light\n"
        write_distribution(tmp_path / "site", "corepilot-blocking", "1.2", groups, modules)
        python = str(python_with(tmp_path / "site", tmp_path / "python"))
        return Corepilot(CONFIGURATION, tmp_path, command=[python, "-I", "-c", HURRIED])

    return start


def ticks_on(corepilot: Corepilot) -> None:
    """The jobs go on: they tick now, and again."""
    corepilot.until("tick\n", corepilot.output.count("tick\n") + 3)


@pytest.mark.slow
def test_it_works_like_any_other(start: Start) -> None:
    with start("pass") as corepilot:
        corepilot.until("blocking: registered app-")
        corepilot.until("it is there")
        ticks_on(corepilot)
        assert [(one["mode"], one["stuck"]) for one in corepilot.status()["catalogs"]] == [("native threads", 0)]
        assert "stuck" not in corepilot.client("status").stdout
        assert corepilot.stop() == 0
        said = corepilot.output
    assert "blocking: deregistered app-" in said
    assert "no process had to be killed" in said
    assert "something changed" not in said
    assert "event loop" not in said


@pytest.mark.slow
def test_a_stop_signal_that_a_reload_brings_is_not_taken_for_a_plugins(start: Start) -> None:
    with start("pass") as corepilot:
        corepilot.until("it is there")
        corepilot.configure(CONFIGURATION.replace("{", '{stopSignals: ["RTMIN+5"], ', 1))
        assert corepilot.client("reload").returncode == 0
        ticks_on(corepilot)  # the footprint has been looked at
        corepilot.signal(signal.SIGRTMIN + 5)
        assert corepilot.wait() == 0
        assert "something changed" not in corepilot.output


@pytest.mark.slow
def test_what_never_returns_is_named_and_switched_off_and_a_stop_is_in_time(start: Start) -> None:
    with start("def register(self, *a): time.sleep(1000)") as corepilot:
        corepilot.until("1 call has not returned after the deadline")
        corepilot.until("ThreadsStuckError")
        corepilot.until("backend 'blocking' (corepilot-blocking 1.2) is switched off")
        ticks_on(corepilot)
        (catalog,) = corepilot.status()["catalogs"]
        assert (catalog["stuck"], catalog["off"] != "") == (1, True)
        assert "(1 call stuck in native threads)" in corepilot.client("status").stdout
        assert corepilot.stop() == 0
        said = corepilot.output
    assert "no process had to be killed" in said
    assert "event loop" not in said
