"""Holders of the embedded catalog die, hang, and live in other namespaces; those who watch see it."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from members import Member

from corepilot.discovery.embedded import plugin
from corepilot.discovery.embedded.backend import EmbeddedBackend
from corepilot.model.service import Query, Snapshot
from corepilot.testing.backends import Listener, context

DEADLINE_S = 30.0
KILLS = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


@pytest.fixture
def backend(path: Path) -> Iterator[EmbeddedBackend]:
    one = EmbeddedBackend(plugin.Options(path=str(path)), context())
    yield one
    one.close()
    gevent.sleep(0)


@pytest.fixture
def listener(backend: EmbeddedBackend) -> Iterator[Listener]:
    one = Listener(backend, Query("web", interval_s=3600))  # a long interval: the events have to do
    yield one
    one.kill(DEADLINE_S)


def shows(**wanted: str) -> tuple[Callable[[Snapshot], bool], str, float]:
    """Arguments of `Listener.until` for exactly these instances and statuses."""

    def holds(snapshot: Snapshot) -> bool:
        return {one.id.replace("-", "_"): one.status for one in snapshot} == wanted

    return holds, f"exactly {wanted}", DEADLINE_S


def wish(path: Path, instance_id: str = "web-a", **more: object) -> dict[str, object]:
    return {"path": str(path), "service": "web", "id": instance_id, **more}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kill_9_at_any_point_is_seen(path: Path, listener: Listener, backend: EmbeddedBackend) -> None:
    """Not by a timeout: the stamps are valid for an hour, and the next re-read is half a minute away."""
    dice = random.Random(7)
    seen = 0
    with Member("nursery", [str(path), "web"]) as nursery:
        for number in range(KILLS):
            instance_id = f"web-{number}"
            nursery.say(instance_id)
            pid = int(nursery.line(gevent.sleep))
            if number % 3:  # two of three are killed once they are known, the others while they are being born

                def known(snapshot: Snapshot, instance_id: str = instance_id) -> bool:
                    return any(one.id == instance_id for one in snapshot)

                listener.until(known, f"{instance_id}", DEADLINE_S)
                seen += 1
            gevent.sleep(dice.random() * 0.004)
            os.kill(pid, signal.SIGKILL)

            def gone(snapshot: Snapshot, instance_id: str = instance_id) -> bool:
                return all(one.id != instance_id for one in snapshot)

            listener.until(gone, f"no {instance_id}", DEADLINE_S)
    listener.until(*shows())
    assert backend.mode == "push"
    assert seen == KILLS - KILLS // 3


def test_a_holder_that_hangs_turns_critical_and_comes_back(path: Path, listener: Listener) -> None:
    with Member("holder", wish(path, ttl_s=1, beat_s=0.1)) as holder:
        listener.until(*shows(web_a="passing"))
        holder.signal(signal.SIGSTOP)
        listener.until(*shows(web_a="critical"))
        holder.signal(signal.SIGCONT)
        listener.until(*shows(web_a="passing"))
        holder.kill()
        listener.until(*shows())


def test_a_new_watch_sees_a_holder_that_hangs_as_critical(path: Path, backend: EmbeddedBackend) -> None:
    with Member("holder", wish(path, ttl_s=1, beat_s=0.1)) as holder:
        holder.until(lambda said: bool(said["held"]))
        holder.signal(signal.SIGSTOP)
        listener = Listener(backend, Query("web"))
        listener.until(*shows(web_a="critical"))
        second = Listener(backend, Query("web"))
        second.until(*shows(web_a="critical"))
        assert len(second.snapshots) == 1, "what has lapsed is never shown as passing"
        listener.kill(DEADLINE_S)
        second.kill(DEADLINE_S)


def test_of_two_holders_the_later_counts_and_the_earlier_comes_back(path: Path, listener: Listener) -> None:
    def port(number: int) -> tuple[Callable[[Snapshot], bool], str, float]:
        return lambda snapshot: [one.port for one in snapshot] == [number], f"port {number} only", DEADLINE_S

    with Member("holder", wish(path, port=1)) as first:
        first.until(lambda said: bool(said["held"]))
        with Member("holder", wish(path, port=2)) as second:
            listener.until(*port(2))
            second.kill()
            listener.until(*port(1))
    listener.until(*shows())


@pytest.mark.parametrize(
    "prefix",
    [
        ["--pid", "--mount-proc"],
        ["--pid", "--mount-proc", "--uts", "--ipc", "--net"],
        ["--user", "--map-root-user", "--pid", "--mount-proc"],
        ["--pid", "--time", "--boottime", "1000000"],
        ["--pid", "--time", "--boottime", "-5"],
    ],
    ids=["pid and mount", "all", "user", "a clock that is ahead", "a clock that is behind"],
)
def test_namespaces_do_not_matter(path: Path, listener: Listener, prefix: list[str]) -> None:
    """Another PID namespace, another view of the mounts, another clock since boot."""
    through = ["unshare", "--mount", "--fork", "--kill-child", *prefix]
    with Member("holder", wish(path, ttl_s=1, beat_s=0.1), prefix=through) as holder:
        listener.until(*shows(web_a="passing"))
        holder.say("end")
        holder.process.wait(DEADLINE_S)
        listener.until(*shows())
    statuses = [one.status for snapshot in listener.snapshots for one in snapshot]
    assert statuses
    assert set(statuses) == {"passing"}


def test_kill_9_of_a_whole_pid_namespace_is_seen(path: Path, listener: Listener) -> None:
    through = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    with Member("holder", wish(path, ttl_s=3600), prefix=through) as holder:
        listener.until(*shows(web_a="passing"))
        holder.kill()
        listener.until(*shows())


def test_the_directory_may_have_another_name_elsewhere(path: Path, tmp_path: Path, listener: Listener) -> None:
    """A volume is mounted at different places in different containers."""
    listener.until(*shows())
    elsewhere = tmp_path / "mounted elsewhere"
    elsewhere.mkdir()
    script = f'mount --bind "{path}" "{elsewhere}" && exec "$@"'
    through = ["unshare", "--mount", "sh", "-c", script, "sh"]
    with Member("holder", wish(elsewhere, ttl_s=3600), prefix=through) as holder:
        listener.until(*shows(web_a="passing"))
        assert list(elsewhere.iterdir()) == [], "it is not mounted here"
        holder.kill()
        listener.until(*shows())
