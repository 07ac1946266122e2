"""Every request of a run, as an agent sees it (ContainerPilot contract, section 7)."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent import Recorder, Sent, listening
from eventually import eventually
from recording import config
from running import Corepilot

ID = f"app-{socket.gethostname()}"
REGISTER = ("PUT", "/v1/agent/service/register")
UPDATE = ("PUT", f"/v1/agent/check/update/service:{ID}")
DEREGISTER = ("PUT", f"/v1/agent/service/deregister/{ID}")


@pytest.fixture
def agent() -> Iterator[tuple[Recorder, str]]:
    recorder = Recorder()
    with listening(recorder) as address:
        yield recorder, address


def text(address: str, job: str, more: str = "") -> str:
    return config(
        f"""{{name: "app", exec: "sleep 1000", port: 80, interfaces: "static:192.0.2.7", {job}}}""", more
    ).replace("consul: false", f'consul: "{address}"')


def written(recorder: Recorder) -> list[Sent]:
    """What was written: before each heartbeat the record is read, which is ours (differences.md)."""
    return [one for one in recorder.sent if one.method != "GET"]


def asked(recorder: Recorder) -> list[tuple[str, str]]:
    return [(one.method, one.path) for one in written(recorder)]


def test_the_first_pass_registers_and_updates_once_and_each_pass_updates(
    tmp_path: Path, agent: tuple[Recorder, str]
) -> None:
    recorder, address = agent
    with Corepilot(text(address, 'health: {exec: "true", interval: 1, ttl: 5}'), tmp_path) as corepilot:
        eventually(lambda: len(recorder.sent) >= 4)
        assert corepilot.stop() == 0
    first, *updates, last = asked(recorder)
    assert (first, last) == (REGISTER, DEREGISTER)
    assert updates == [UPDATE] * len(updates)
    assert recorder.sent[0].body["Check"]["Status"] == "passing"
    assert {str(one.body) for one in written(recorder)[1:-1]} == {str({"Status": "passing", "Output": "ok"})}


def test_an_initial_status_is_registered_and_not_reported(tmp_path: Path, agent: tuple[Recorder, str]) -> None:
    recorder, address = agent
    job = 'initial_status: "warning", health: {exec: "true", interval: 3600, ttl: 7200}'
    with Corepilot(text(address, job), tmp_path) as corepilot:
        eventually(lambda: recorder.sent)
        corepilot.until_ready()
        assert corepilot.stop() == 0
    assert asked(recorder) == [REGISTER, DEREGISTER]
    assert recorder.sent[0].body["Check"]["Status"] == "warning"


def test_a_watch_asks_for_passing_instances(tmp_path: Path, agent: tuple[Recorder, str]) -> None:
    recorder, address = agent
    watches = 'watches: [{name: "db", interval: 2, tag: "blue", dc: "dc2"}],'
    with Corepilot(text(address, "health: {interval: 3600, ttl: 7200}", watches), tmp_path) as corepilot:
        eventually(lambda: len(recorder.sent) >= 2)
        assert corepilot.stop() == 0
    first, second, *_ = recorder.sent
    assert (first.method, first.path) == ("GET", "/v1/health/service/db")
    assert first.query == {"passing": "1", "tag": "blue", "dc": "dc2"}
    assert second.query == {**first.query, "index": "1", "wait": "2s"}
