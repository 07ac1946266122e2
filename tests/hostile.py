"""Hostile plugins for tests: what they are made of, and a real corepilot that has one."""

from collections.abc import Callable, Mapping
from pathlib import Path

from foreign import python_with, write_distribution
from running import Corepilot

LIGHT = """
from dataclasses import dataclass
from corepilot.plugin import hookimpl, option
API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"} if "{kind}" == "backend" else ())
@dataclass(frozen=True)
class Options:
    token: str = option(help="a secret", default="", secret=True)
@hookimpl
def corepilot_register_{kind}():
    from hostile_heavy import Hostile
    return Hostile
"""
BACKEND = """
import os, signal, socket, sys, time
import gevent
from corepilot.discovery.backend import Backend
from corepilot.model.service import Instance
class Hostile(Backend):
    address = "nowhere"
    def register(self, registration, status, output): pass
    def report(self, instance_id, status, output, valid_for_s): pass
    def deregister(self, instance_id): pass
    def watch(self, query):
        yield ()
        gevent.sleep(1000)
    def close(self): pass
class Hostile(Hostile):
    {deed}
"""
OBSERVER = """
import os, signal, socket, sys, time
import gevent
from corepilot.observers.observer import Observer
class Hostile(Observer):
    def observe(self, fact): pass
class Hostile(Hostile):
    {deed}
"""
SINK = """
import os, signal, sys, time
import gevent
from corepilot.telemetry.sink import Sink
class Hostile(Sink):
    interval_s = 0.2
    address = "nowhere"
    def flush(self): pass
    def close(self): pass
class Hostile(Hostile):
    {deed}
"""
CHECK = """
import time
import gevent
from corepilot.checks.check import Check, CheckFailed
class Hostile(Check):
    def ask(self, deadline_s): return "fine"
class Hostile(Hostile):
    {deed}
"""
SECRET = "s3cr3t/token"
TICKING = '{name: "tick", exec: ["sh", "-c", "echo tick"], when: {interval: "300ms"}}'
ADVERTISED = """{name: "app", exec: "sleep 1000", port: 80, interfaces: ["lo"], initial_status: "passing",
                 health: {exec: "true", interval: 1, ttl: 5}}"""
WATCHING = f"""discovery: {{backend: "hostile", token: "{SECRET}"}},
              watches: [{{name: "web", interval: 1, atStart: true}}], jobs: [{TICKING}, {ADVERTISED}]"""
OBSERVED = f"""observers: [{{observer: "hostile", token: "{SECRET}"}}],
              discovery: false, jobs: [{TICKING}, {{name: "app", exec: "sleep 1000"}}]"""
TOLD = f"""telemetry: {{sinks: [{{sink: "hostile", token: "{SECRET}"}}]}}, discovery: false, jobs: [{TICKING}]"""
CHECKED = f"""discovery: false, jobs: [{TICKING}, {{name: "app", exec: "sleep 1000",
              health: {{check: "hostile", options: {{token: "{SECRET}"}}, interval: 1, ttl: 5}}}}]"""
NAMED = "'hostile' (corepilot-hostile 1.2)"

# Everything that is bounded by a constant of the guard's, in a hurry.
HURRIED = """
import sys
from corepilot.guard import supervising
supervising.STUCK_S, supervising._STUCK_LOOKS = 3.0, 3
from corepilot.plugin import oversight
oversight.LOOK_S = 0.2
from corepilot.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

HEAVY = {"backend": BACKEND, "observer": OBSERVER, "sink": SINK, "check": CHECK}
BODIES = {"backend": WATCHING, "observer": OBSERVED, "sink": TOLD, "check": CHECKED}

Hostile = Callable[..., Corepilot]


def starter(tmp_path: Path) -> Hostile:
    """Starts a corepilot that has a hostile plugin, and uses it where the configuration names it."""

    def start(
        deed: str,
        *,
        kind: str = "backend",
        config: str = "",
        hurried: bool = False,
        before: Mapping[str, str] | None = None,
    ) -> Corepilot:
        first = {"light": "", "heavy": "", **(before or {})}
        modules = {
            "hostile_light": first["light"] + LIGHT.replace("{kind}", kind),
            "hostile_heavy": first["heavy"] + HEAVY[kind].replace("{deed}", deed),
        }
        groups = f"[corepilot.{kind}s]\nhostile = hostile_light\n"
        write_distribution(tmp_path / "site", "corepilot-hostile", "1.2", groups, modules)
        python = str(python_with(tmp_path / "site", tmp_path / "python"))
        command = [python, "-I", "-c", HURRIED] if hurried else [python, "-I", "-m", "corepilot"]
        text = f'{{control: {{socket: "%(dir)s/control.socket"}}, stopTimeout: 2, {config or BODIES[kind]}}}'
        return Corepilot(text, tmp_path, command=command)

    return start


def ticks_on(corepilot: Corepilot) -> None:
    """The jobs go on: they tick now, and again."""
    count = corepilot.output.count("tick\n")
    corepilot.until("tick\n", count + 3)
