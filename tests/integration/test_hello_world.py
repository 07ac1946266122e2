"""The hello-world application, as the tutorial runs it."""

import json
import os
import re
import signal
import subprocess

import pytest
from eventually import eventually
from servers.consul import ConsulServer
from servers.etcd import EtcdServer
from servers.zookeeper import ZooKeeperServer
from walks import EXAMPLES, PROGRAMS, walk

ROOT = EXAMPLES.parent
RUN = EXAMPLES / "hello-world" / "run"

# What the tutorial shows is what is expected.
TUTORIAL = ROOT / "docs" / "tutorial" / "hello-world.md"
WALK = re.search(r"^```\n(starting .*?)^```$", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)


def expected(front: str) -> str:
    assert WALK is not None
    return WALK[1].replace("(nginx)", f"({front})")


def hello_world(*options: str) -> str:
    return walk("hello-world", "--port", "0", *options)


@pytest.mark.slow
@pytest.mark.parametrize("front", ["nginx", "python"])
def test_the_walk_with_the_embedded_catalog(front: str) -> None:
    assert hello_world("--front", front) == expected(front)


@pytest.mark.slow
def test_the_walk_with_consul(consul: ConsulServer) -> None:
    assert hello_world("--front", "nginx", "--catalog", f"consul={consul.address}") == expected("nginx")
    services = json.dumps(consul.get("/v1/health/service/hello"))
    assert '"hello-1"' not in services  # stopped in good order, so no longer registered


@pytest.mark.slow
def test_the_walk_with_etcd(etcd: EtcdServer) -> None:
    assert hello_world("--catalog", f"etcd={etcd.endpoints[0].removeprefix('http://')}") == expected("nginx")


@pytest.mark.slow
def test_the_walk_with_zookeeper(zookeeper: ZooKeeperServer) -> None:
    assert hello_world("--catalog", f"zookeeper={zookeeper.hosts}") == expected("nginx")


@pytest.mark.slow
def test_the_walk_with_all_catalogs_at_once(consul: ConsulServer, etcd: EtcdServer, zookeeper: ZooKeeperServer) -> None:
    servers = {
        "consul": consul.address,
        "etcd": etcd.endpoints[0].removeprefix("http://"),
        "zookeeper": zookeeper.hosts,
    }
    options = [f"--catalog={name}={address}" for name, address in servers.items()]
    everywhere = "  hello is hello-1, hello-3 in consul, embedded, etcd, zookeeper\n"
    said = hello_world("--front", "nginx", "--catalog", "all", *options)
    assert everywhere in said
    assert said.replace(everywhere, "") == expected("nginx")


@pytest.mark.slow
def test_it_runs_until_interrupted_and_the_commands_it_prints_work() -> None:
    process = subprocess.Popen(
        [str(RUN), "--programs", str(PROGRAMS), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    commands = {}
    for line in said:
        name, _, command = line.strip().partition("   ")
        commands[name] = command.strip()

    def answers() -> set[str]:
        ask = commands["ask it (several times)"]
        return {
            subprocess.run(["sh", "-c", ask], capture_output=True, text=True, check=False).stdout.strip()
            for _ in range(8)
        }

    second = subprocess.Popen(
        ["sh", "-c", commands["start a second hello"].replace("env ", "exec env ")], start_new_session=True
    )
    try:
        eventually(lambda: answers() == {"hello-1", "hello-2"}, 30, "the second hello answers")
        seen = subprocess.run(
            ["sh", "-c", commands["see what the front end sees"]], capture_output=True, text=True, check=True
        ).stdout
        assert re.fullmatch(r"127\.0\.0\.1:\d+ hello-1\n127\.0\.0\.1:\d+ hello-2\n", seen)
        subprocess.run(["sh", "-c", commands["kill the first hello"]], check=True)
        eventually(lambda: answers() == {"hello-2"}, 30, "the first hello leaves")
    finally:
        os.kill(second.pid, signal.SIGTERM)
        second.wait(30)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
