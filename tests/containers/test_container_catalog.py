"""Containers that share an embedded catalog, over a folder that is mounted into each."""

import json
import signal
from pathlib import Path

import pytest
from containers.container import Container
from eventually import eventually

from corepilot.discovery.backend import BackendContext
from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend

DISCOVERY = 'discovery: {backend: "embedded", path: "/catalog"}'
WATCHER = f"""{{
  {DISCOVERY},
  watches: [{{name: "web", interval: 60, atStart: true}}],
  jobs: [
    {{name: "main", exec: ["sh", "-c", "echo watching; exec sleep 1000"]}},
    {{name: "on-healthy", exec: "echo web-is-there", when: {{source: "watch.web", each: "healthy"}}}},
    {{name: "on-unhealthy", exec: "echo web-is-gone", when: {{source: "watch.web", each: "unhealthy"}}}},
  ],
}}"""
# Valid for an hour: that it is gone can be known from its lock only.
SERVICE = f"""{{
  {DISCOVERY},
  jobs: [{{name: "web", exec: "sleep 1000", port: 80, interfaces: "static:192.0.2.1", initial_status: "passing",
          health: {{interval: 1, ttl: 3600}}}}],
}}"""
# Its TTL is an hour too: a lock that is had sooner was freed by its holder's end.
PRIMARY = f"""{{
  {DISCOVERY},
  stopTimeout: 2,
  locks: [{{name: "primary", ttl: "9s"}}],
  watches: [{{name: "told", key: "told", atStart: true}}],
  jobs: [
    {{name: "leader", exec: ["sh", "-c", "echo leading with $COREPILOT_LOCK_TOKEN; exec sleep 1000"], lock: "primary"}},
    {{name: "reader", exec: "echo the key is told", when: {{source: "watch.told", each: "changed"}}}},
    {{name: "main", exec: ["sh", "-c", "echo there; exec sleep 1000"]}},
  ],
}}"""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A volume that containers of different users share, docs/explanation/embedded-catalog.md."""
    path = tmp_path / "catalog"
    path.mkdir()
    path.chmod(0o1777)
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_watch_sees_services_of_another_container_come_and_go(
    tmp_path: Path, catalog: Path, number: signal.Signals
) -> None:
    volumes = {catalog: "/catalog"}
    with Container(WATCHER, tmp_path / "watcher", volumes=volumes) as watcher:
        watcher.until("watching")
        for count, user in enumerate((0, 1000), start=1):
            with Container(SERVICE, tmp_path / f"web-{count}", user=user, volumes=volumes) as web:
                watcher.until("web-is-there", count=count)
                (instance,) = instances(watcher)
                assert (instance["id"], instance["status"]) == (f"web-{web.id}", "passing")
                web.signal(number)
                assert web.wait() == (0 if number == signal.SIGTERM else 137)
                watcher.until("web-is-gone", count=count)
                assert instances(watcher) == []
        assert watcher.status()["catalogs"][0]["mode"] == "push"
        assert watcher.stop() == 0


def test_of_two_containers_with_a_service_one_is_killed(tmp_path: Path, catalog: Path) -> None:
    volumes = {catalog: "/catalog"}
    with (
        Container(WATCHER, tmp_path / "watcher", volumes=volumes) as watcher,
        Container(SERVICE, tmp_path / "one", volumes=volumes) as one,
        Container(SERVICE, tmp_path / "two", volumes=volumes) as two,
    ):
        expect(watcher, one, two)
        one.signal(signal.SIGKILL)
        expect(watcher, two)
        assert "web-is-gone" not in watcher.output


def test_where_the_volume_is_mounted_read_only_one_can_watch_and_is_told_why_no_more(
    tmp_path: Path, catalog: Path
) -> None:
    """As another user, in another PID namespace; the holder is killed, so nobody takes its file away but its lock."""
    own = '{name: "own", exec: "sleep 1000", port: 81, interfaces: "static:192.0.2.2", health: {interval: 1, ttl: 9}}'
    text = WATCHER.replace("jobs: [", f"jobs: [{own},", 1)
    with (
        Container(text, tmp_path / "watcher", user=1000, read_only={catalog: "/catalog"}) as watcher,
        Container(SERVICE, tmp_path / "web", user=1001, volumes={catalog: "/catalog"}) as web,
    ):
        watcher.until("web-is-there")
        watcher.until("Read-only file system; mount it writable here, or advertise nothing from here")
        web.signal(signal.SIGKILL)
        watcher.until("web-is-gone")
        assert instances(watcher) == []
        assert watcher.status()["catalogs"][0]["mode"] == "push"
        assert watcher.execute("corepilot", "lock", "-n", "x", "--", "true").returncode == 1
        assert watcher.stop() == 0


def test_a_lock_passes_from_a_container_that_is_killed_to_the_next(tmp_path: Path, catalog: Path) -> None:
    """Of another user, in namespaces of its own, when its time is over; so are keys."""
    volumes = {catalog: "/catalog"}
    with (
        Container(PRIMARY, tmp_path / "one", volumes=volumes) as one,
        Container(PRIMARY, tmp_path / "two", user=1000, volumes=volumes) as two,
    ):
        for container in (one, two):
            container.until("there")
        eventually(lambda: "leading" in one.output + two.output)
        leader, other = (one, two) if "leading" in one.output else (two, one)
        assert "leading" not in other.output
        leader.signal(signal.SIGKILL)
        other.until("leading with")
        first, second = (int(each.output.partition("leading with ")[2].split()[0]) for each in (leader, other))
        assert second > first
        backend = EmbeddedBackend(plugin.Options(str(catalog)), BackendContext(lambda *_: None))
        backend.keys.put("told", b"a value from outside\n")
        other.until("the key is told")
        backend.close()


DEFAULT = """{
  discovery: "embedded",
  stopTimeout: 2,
  locks: [{name: "primary", ttl: "9s"}],
  jobs: [
    {name: "main", exec: "sleep 1000"},
    {name: "web", exec: ["sh", "-c", "echo leading; exec sleep 1000"], lock: "primary", port: 80,
     interfaces: "static:192.0.2.1", initial_status: "passing", health: {interval: 1, ttl: 3600}},
  ],
}"""


def test_root_in_a_container_of_another_user_finds_that_users_catalog(tmp_path: Path) -> None:
    """At its default place, as `docker exec -u 0` finds the socket; so a lock excludes the jobs."""
    with Container(DEFAULT, tmp_path / "1", user=1000) as container:
        container.until("leading")
        for user in (1000, 0):
            answer = container.execute("corepilot", "catalog", "web", "-o", "json", user=user)
            assert [one["id"] for one in json.loads(answer.stdout)[0]["instances"]] == [f"web-{container.id}"], user
            answer = container.execute("corepilot", "lock", "-n", "primary", "--", "true", user=user)
            assert answer.returncode == 75, (user, answer.stderr)
        assert container.execute("corepilot", "stop", "web", user=0).returncode == 0
        other = "setpriv --reuid 1000 --regid 1000 --clear-groups corepilot lock -n primary -- true; echo $?"
        answer = container.execute("corepilot", "lock", "primary", "--", "sh", "-c", f"id -u; {other}", user=0)
        assert (answer.returncode, answer.stdout) == (0, "0\n75\n"), answer.stderr
        assert container.execute("corepilot", "start", "web", user=0).returncode == 0
        container.until("leading", count=2)
        assert container.stop() == 0
    with Container(DEFAULT, tmp_path / "2", user=1000, capabilities=()) as container:
        container.until("leading")
        answer = container.execute("corepilot", "lock", "-n", "other", "--", "true", user=0)
        assert answer.returncode == 1
        assert "it is that of user 1000: run this as that user, or set discovery.path" in answer.stderr
        assert container.stop() == 0


def expect(watcher: Container, *holders: Container) -> None:
    eventually(lambda: {one["id"] for one in instances(watcher)} == {f"web-{one.id}" for one in holders})


def instances(watcher: Container) -> list[dict[str, object]]:
    answer = watcher.execute("corepilot", "instances", "web", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, object]] = json.loads(answer.stdout)
    return found
