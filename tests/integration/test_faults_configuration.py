"""Configurations of unusual size, environments that are no text, secrets on their way through, observers that wait."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from http_script import eventually_switching
from recording import config, shell
from running import COMMAND, Corepilot, cli

from corepilot.events import EventBus
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.plugin.manager import Plugins

WAITER = """
import gevent
from corepilot.plugin import API_VERSION, hookimpl
from corepilot.discovery.backend import Backend
API = API_VERSION
class Nothing(Backend):
    address = "nowhere"
    def register(self, registration, status, output): pass
    def report(self, instance_id, status, output, valid_for_s): pass
    def deregister(self, instance_id): pass
    def watch(self, query): yield ()
    def close(self): pass
@hookimpl
def corepilot_register_backend():
    return Nothing
@hookimpl
def corepilot_event(event):
    gevent.sleep(1000)
"""


def test_a_thousand_jobs_are_judged(tmp_path: Path) -> None:
    padding = "x" * 800
    jobs = ", ".join(f'{{name: "job-{number}", exec: ["echo", "{padding}"]}}' for number in range(1000))
    (tmp_path / "many.json5").write_text(f"{{discovery: false, jobs: [{jobs}]}}")
    answer = cli("check", str(tmp_path / "many.json5"))
    assert answer.returncode == 0, answer.stderr


def test_a_job_gets_an_environment_that_is_no_text_as_it_was_given(tmp_path: Path) -> None:
    given = {
        b"PATH": os.environb[b"PATH"],
        b"BYTES": b"\xff\xfe caf\xe9",
        b"LINES": b"one\ntwo",
        b"odd.name-\xe9": b"=a=b",
        b"EMPTY": b"",
        **{f"LONG_{number}".encode(): b"x" * 100_000 for number in range(8)},
    }
    (tmp_path / "c.json5").write_text(
        config(f'{{name: "a", exec: {shell("cat /proc/$$/environ > %(dir)s/seen")}}}').replace("%(dir)s", str(tmp_path))
    )
    answer = subprocess.run(
        [*COMMAND, "run", "-c", str(tmp_path / "c.json5")], env=given, capture_output=True, timeout=30, check=False
    )
    assert answer.returncode == 0, answer.stderr
    seen = (tmp_path / "seen").read_bytes().split(b"\0")
    assert {name + b"=" + value for name, value in given.items()} <= set(seen)


def test_secrets_are_in_no_output_whatever_the_level(tmp_path: Path) -> None:
    secrets = {"CATALOG_TOKEN": "canary-one", "DB_PASSWORD": "canary-two"}
    catalog = 'consul: {address: "127.0.0.1:1", token: "{{ .CATALOG_TOKEN }}"}'
    more = 'watches: [{name: "web", interval: 1}], logging: {level: "DEBUG"},'
    text = config('{name: "a", exec: ["sh", "-c", "exec sleep 1000", "{{ .DB_PASSWORD }}"]}', more).replace(
        "consul: false", catalog
    )
    broken = text.replace("jobs: [", 'jobs: [{exec: ["sh", "{{ .CATALOG_TOKEN }}"]}, ')
    with Corepilot(text, tmp_path, environment=secrets) as corepilot:
        corepilot.until("loaded config")
        corepilot.until("127.0.0.1:1")
        corepilot.until_ready()
        said = corepilot.client("status", "-o", "json").stdout + corepilot.client("status").stdout
        corepilot.client("env", "DB_PASSWORD=canary-three")
        corepilot.configure(broken)
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        said += refused.stdout + refused.stderr
        corepilot.configure(text)
        assert corepilot.client("reload").returncode == 0
        corepilot.until("loaded config", 2)
        assert corepilot.stop() == 0
        assert "canary" not in said
        assert "canary" not in corepilot.output


def test_an_observer_that_waits_is_told_of_and_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plugin_that_waits.py").write_text(WAITER)
    importlib.invalidate_caches()
    broken: list[str] = []
    plugins = Plugins(lambda name, error: broken.append(f"{name}: {type(error).__name__}"))
    plugins.load(PluginReference("waits", "plugin_that_waits", "", "corepilot-waits", "1"))
    heard: list[str] = []
    bus = EventBus(gevent.get_hub().loop.run_callback, lambda _event, _error: None)
    bus.subscribe(plugins.event)
    bus.subscribe(lambda event: heard.append(event.code))
    for code in ("startup", "shutdown"):
        bus.publish(Event(code, "global"))
    eventually_switching(lambda: heard == ["startup", "shutdown"])
    assert [one.partition(":")[0] for one in broken] == ["waits", "waits"]
    sys.modules.pop("plugin_that_waits")
