"""What the Consul backend sends, byte for byte where ContainerPilot's contract (section 7) says what it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent import Recorder
from corepilot_consul.backend import ConsulBackend
from corepilot_consul.plugin import Options
from following import close_all, closed_later
from http_script import ScriptedServer

from corepilot.discovery.backend import BackendContext
from corepilot.model.service import Query, Registration
from corepilot.testing.suite import context

WEB = Registration("web-host1", "web", "192.0.2.7", 8080, ("a", "b"), 25)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[ScriptedServer]:
    with ScriptedServer(recorder.talk) as server:
        yield server


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()


def backend(server: ScriptedServer, **options: Any) -> ConsulBackend:
    return closed_later(ConsulBackend(Options(address=server.origin, **options), context()))


def test_a_registration(server: ScriptedServer, recorder: Recorder) -> None:
    backend(server).register(WEB, "passing", "ok")
    assert recorder.take() == [
        (
            "PUT",
            "/v1/agent/service/register",
            {
                "ID": "web-host1",
                "Name": "web",
                "Tags": ["a", "b"],
                "Port": 8080,
                "Address": "192.0.2.7",
                "Check": {"TTL": "25s", "Status": "passing", "Notes": "TTL for web set by containerpilot"},
            },
        ),
        ("PUT", "/v1/agent/check/update/service:web-host1", {"Status": "passing", "Output": "ok"}),
    ]


def test_a_registration_with_everything(server: ScriptedServer, recorder: Recorder) -> None:
    full = WEB.changed(
        tags=(),
        extras=(
            ("consul.enableTagOverride", True),
            ("consul.deregisterCriticalServiceAfter", "10m"),
            ("consul.meta", ("version=1.4", "formula=a=b")),
            ("consul.weights", (10, 1)),
        ),
        notes="by hand",
    )
    client = backend(server)
    client.register(full, "critical", "")
    ((_, _, body),) = recorder.take()
    assert body == {
        "ID": "web-host1",
        "Name": "web",
        "Port": 8080,
        "Address": "192.0.2.7",
        "EnableTagOverride": True,
        "Meta": {"version": "1.4", "formula": "a=b"},
        "Weights": {"Passing": 10, "Warning": 1},
        "Check": {
            "TTL": "25s",
            "Status": "critical",
            "Notes": "by hand",
            "DeregisterCriticalServiceAfter": "10m",
        },
    }
    # Nothing has been checked yet: no update follows. But an agent that knows the id keeps the status its check had.
    client.register(full, "critical", "")
    assert [path for _, path, _ in recorder.take()] == [
        "/v1/agent/service/register",
        "/v1/agent/check/update/service:web-host1",
    ]
    client.deregister("web-host1")
    client.register(full, "critical", "")
    assert [path for _, path, _ in recorder.take()] == [
        "/v1/agent/service/deregister/web-host1",
        "/v1/agent/service/register",
    ]


def test_a_report_and_a_deregistration(server: ScriptedServer, recorder: Recorder) -> None:
    client = backend(server)
    client.report("web-host1", "warning", 'so-so, "Grüße"', 30)
    client.deregister("web-host1")
    assert recorder.take() == [
        ("PUT", "/v1/agent/check/update/service:web-host1", {"Status": "warning", "Output": 'so-so, "Grüße"'}),
        ("PUT", "/v1/agent/service/deregister/web-host1", None),
    ]


def test_the_record_is_read_before_a_heartbeat(server: ScriptedServer, recorder: Recorder) -> None:
    client = backend(server)
    client.register(WEB, "passing", "")
    client.report(WEB.id, "passing", "ok", 30)
    client.deregister(WEB.id)
    client.report(WEB.id, "passing", "ok", 30)
    assert [(method, path) for method, path, _ in recorder.take()] == [
        ("PUT", "/v1/agent/service/register"),
        ("GET", "/v1/agent/service/web-host1"),
        ("PUT", "/v1/agent/check/update/service:web-host1"),
        ("PUT", "/v1/agent/service/deregister/web-host1"),
        ("PUT", "/v1/agent/check/update/service:web-host1"),
    ]


def test_an_id_is_quoted_in_paths(server: ScriptedServer, recorder: Recorder) -> None:
    client = backend(server)
    client.report("a/b c%2F?#ü", "passing", "", 1)
    client.deregister("a/b c%2F?#ü")
    quoted = "a%2Fb%20c%252F%3F%23%C3%BC"
    paths = [path for _, path, _ in recorder.take()]
    assert paths == [f"/v1/agent/check/update/service:{quoted}", f"/v1/agent/service/deregister/{quoted}"]


def test_a_watch_asks_at_once_and_then_blocks(server: ScriptedServer, recorder: Recorder) -> None:
    watch = backend(server).watch(Query("web", interval_s=10))
    assert recorder.sent == [], "nothing is sent before the first next"
    assert [next(watch), next(watch)] == [(), ()]
    assert [(one.method, one.path, one.query) for one in recorder.sent] == [
        ("GET", "/v1/health/service/web", {}),
        ("GET", "/v1/health/service/web", {"index": "1", "wait": "10s"}),
    ]


def test_only_passing_instances_are_asked_for_where_nobody_looks_at_others(
    server: ScriptedServer, recorder: Recorder
) -> None:
    watch = backend(server).watch(Query("web", "blue", "dc2", passing_only=True))
    next(watch)
    next(watch)
    assert [one.query for one in recorder.sent] == [
        {"passing": "1", "tag": "blue", "dc": "dc2"},
        {"passing": "1", "tag": "blue", "dc": "dc2", "index": "1", "wait": "10s"},
    ]


def test_tag_and_datacenter_are_sent(server: ScriptedServer, recorder: Recorder) -> None:
    watch = backend(server).watch(Query("web", "a b&c", "dc2", 120))
    next(watch)
    next(watch)
    assert [one.query for one in recorder.sent] == [
        {"tag": "a b&c", "dc": "dc2"},
        {"index": "1", "wait": "55s", "tag": "a b&c", "dc": "dc2"},
    ]


def test_every_request_carries_the_token_in_the_header_only(server: ScriptedServer, recorder: Recorder) -> None:
    client = backend(server, token="s3cret")
    client.register(WEB, "passing", "ok")
    client.report(WEB.id, "passing", "ok", 1)
    client.deregister(WEB.id)
    next(client.watch(Query("web")))
    assert len(recorder.sent) == 6
    for one in recorder.sent:
        assert one.headers["x-consul-token"] == "s3cret"
        assert "token" not in one.query


def test_without_a_token_there_is_no_header(
    server: ScriptedServer, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment has been looked at when the options were made, and by nobody else.
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "from the environment")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "192.0.2.1:1")
    backend(server).deregister(WEB.id)
    assert "x-consul-token" not in recorder.sent[0].headers


def test_a_token_file_is_read_for_every_request(server: ScriptedServer, recorder: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "token"
    client = backend(server, token_file=str(file))
    for token in ("one", "two", ""):
        file.write_text(f"{token}\n")
        client.deregister(WEB.id)
    assert [one.headers.get("x-consul-token", "") for one in recorder.sent] == ["one", "two", ""]
    backend(server, token="direct", token_file=str(file)).deregister(WEB.id)
    assert recorder.sent[-1].headers["x-consul-token"] == "direct"


def test_nothing_is_sent_when_a_backend_is_made_or_closed(server: ScriptedServer) -> None:
    client = backend(server)
    assert client.address == server.origin
    client.close()
    assert server.connections == 0


def test_a_unix_socket(tmp_path: Path) -> None:
    recorder = Recorder()
    with ScriptedServer(recorder.talk, str(tmp_path / "consul.sock")) as server:
        backend(server).deregister(WEB.id)
        assert backend(server).address == server.origin
    assert len(recorder.sent) == 1


def test_half_a_client_certificate_is_told(server: ScriptedServer) -> None:
    told: list[tuple[str, str]] = []
    options = Options(address=server.origin, tls=replace(Options().tls, clientcert="/certificate.pem"))
    ConsulBackend(options, BackendContext(log=lambda level, text: told.append((level, text))))
    assert [level for level, _ in told] == ["warning"]
    assert "tls.clientkey" in told[0][1]
