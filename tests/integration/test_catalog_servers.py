"""What reaches a store from outside a running corepilot: `corepilot catalog`, and a configuration under a key."""

import json
import subprocess

from running import cli
from server_stores import Store

from corepilot.discovery.backend import Backend
from corepilot.model.service import Registration

pytest_plugins = ["server_fixtures"]

CONFIGURATION = '{discovery: false, control: false, jobs: [{name: "%s", exec: "echo it runs"}]}'


def at(store: Store, key: str) -> str:
    return store.location.replace("{key}", key)


def test_the_services_of_a_store_are_listed(store: Store, writer: Backend) -> None:
    writer.register(Registration("web-a", "web", "10.0.0.1", 80, ("blue",), ttl_s=60), "passing", "")
    writer.register(Registration("web-b", "web", "10.0.0.2", 80, ttl_s=60), "critical", "")
    writer.register(Registration("db-a", "db", "10.0.0.3", 5432, ttl_s=60), "passing", "")
    name = store.words.partition(":")[0]
    listed = [line.split() for line in cli("catalog", "--discovery", store.words).stdout.splitlines()[1:]]
    assert [line for line in listed if line[0] != "consul"] == [["db", name], ["web", name]]
    lines = cli("catalog", "web", "--discovery", store.words).stdout.splitlines()[1:]
    assert [line.split() for line in lines] == [
        ["10.0.0.1:80", "web-a", "passing", "blue", name],
        ["10.0.0.2:80", "web-b", "critical", "-", name],
    ]
    (found,) = json.loads(cli("catalog", "db", "--discovery", store.words, "-o", "json").stdout)
    assert (found["catalog"], [one["port"] for one in found["instances"]]) == (name, [5432])


def test_a_configuration_under_a_key_runs(store: Store) -> None:
    assert "there is no key" in cli("check", "-c", at(store, "app/config")).stdout
    store.put("app/config", CONFIGURATION % "web")
    ran: subprocess.CompletedProcess[str] = cli("run", "-c", at(store, "app/config"))
    assert (ran.returncode, "it runs" in ran.stdout + ran.stderr) == (0, True)


def test_keys_below_a_slash_are_one_configuration(store: Store) -> None:
    store.put("several/10-base", CONFIGURATION % "web")
    store.put("several/20-more", '{jobs: [{name: "more", exec: "true"}]}')
    assert "2 jobs" in cli("check", "-c", at(store, "several/")).stdout
    store.put("several/30-bad", "{jobs: 5}")
    where = at(store, "several/30-bad").partition("?")[0]
    refused = cli("check", "-c", at(store, "several/"))
    assert (refused.returncode, f"{where}:1:8" in refused.stdout.replace("?prefix=/render", "")) == (1, True)
