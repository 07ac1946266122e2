"""The control API over a real socket (ContainerPilot contract, section 9.1; fault rows A04, A07, A09)."""

import fcntl
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from controlling import Running, Supervisor, outcome

from corepilot._version import __version__
from corepilot.control.client import ControlClient
from corepilot.control.paths import bind_control_socket
from corepilot.control.server import ControlServer
from corepilot.errors import ControlError
from corepilot.http.message import Response

V3_POSTS = ["/v3/environ", "/v3/metric", "/v3/maintenance/enable", "/v3/maintenance/disable", "/v3/reload"]
V1_POSTS = [path.replace("/v3/", "/v1/") for path in V3_POSTS] + ["/v1/shutdown", "/v1/plan", "/v1/jobs/web/stop"]
V1_GETS = ["/v1/ping", "/v1/status", "/v1/instances/web", "/v1/jobs/web", "/v1/requests/1"]


Run = Callable[..., Running]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made: list[Running] = []

    def make(**options: object) -> Running:
        made.append(Running(tmp_path / f"{len(made)}.socket", **options))
        return made[-1]

    yield make
    for running in made:
        running.server.stop()
        assert not os.path.exists(running.socket.path)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_v3_ping_takes_any_method(run: Run, method: str) -> None:
    response = run().ask(method, "/v3/ping?x=1")
    assert (response.status, response.body) == (200, b"\n")


@pytest.mark.parametrize("path", V3_POSTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_v3_posts_take_nothing_but_post(run: Run, path: str, method: str) -> None:
    running = run()
    response = running.ask(method, path)
    assert (response.status, response.body) == (405, b"Method Not Allowed\n")
    assert response.headers["content-type"].startswith("text/plain")
    assert running.supervisor.calls == []


@pytest.mark.parametrize(
    "path",
    ["/", "/v3", "/v3/", "/v3/ping/", "/v3/env", "/v3/reload/", "/v3/maintenance", "/v3/__class__", "/v3/../v3/ping"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everything_else_is_404(run: Run, path: str, method: str) -> None:
    running = run()
    response = running.ask(method, path)
    assert response.status == 404
    assert response.headers["content-type"].startswith("text/plain")
    assert running.counted == []


def test_v3_environ(run: Run) -> None:
    running = run()
    response = running.ask("POST", "/v3/environ", b'{"A":"1","B":null,"C":"","":"x","D=E":"y"}')
    assert (response.status, response.body) == (200, b"\n")
    assert running.supervisor.calls == [{"A": "1", "B": None, "C": ""}]
    assert running.ask("POST", "/v3/environ", b"null").status == 200


@pytest.mark.parametrize(
    "body", [b"", b"A=1", b"[]", b'{"A":1}', b'{"A":{}}', b'{"A":"1"} trailing', b'{"A":"1","B":[]}']
)
def test_v3_environ_refuses_the_rest_and_applies_nothing(run: Run, body: bytes) -> None:
    running = run()
    response = running.ask("POST", "/v3/environ", body)
    assert (response.status, response.body) == (422, b"Unprocessable Entity\n")
    assert response.headers["content-type"].startswith("text/plain")
    assert running.supervisor.calls == []
    ((level, message),) = running.log
    assert (level, message.partition(":")[0]) == ("warning", "/v3/environ was refused")


def test_v3_metric_is_fine_with_any_object(run: Run) -> None:
    running = run()
    running.supervisor.rejects = ["cannot record metric x: no such metric"]
    response = running.ask("POST", "/v3/metric", b'{"x":"y","n":{"deep":[1]}}')
    assert (response.status, response.body) == (200, b"\n")
    assert running.supervisor.calls == [{"x": "y", "n": {"deep": [1]}}]
    assert running.log == [("warning", "cannot record metric x: no such metric")]


@pytest.mark.parametrize("body", [b"", b"[1]", b'"x"', b"5", b"{}{}"])
def test_v3_metric_refuses_what_is_no_object(run: Run, body: bytes) -> None:
    running = run()
    assert running.ask("POST", "/v3/metric", body).status == 422
    assert running.supervisor.calls == []


def test_v3_maintenance(run: Run) -> None:
    running = run()
    for verb in ("enable", "disable"):
        response = running.ask("POST", f"/v3/maintenance/{verb}", b"body is ignored")
        assert (response.status, response.body) == (200, b"\n")
    assert running.supervisor.calls == [("maintenance", True), ("maintenance", False)]


def test_v3_reload_tells_what_is_wrong(run: Run) -> None:
    running = run()
    response = running.ask("POST", "/v3/reload")
    assert (response.status, response.body) == (200, b"\n")
    assert running.supervisor.calls == [("reload judged", "everything")]
    running.supervisor.outcome = outcome(ok=False, text="app.json5:3:5: jobs[0].exec: cannot be a number\n")
    response = running.ask("POST", "/v3/reload")
    assert (response.status, response.body) == (422, b"app.json5:3:5: jobs[0].exec: cannot be a number\n")
    assert response.headers["content-type"].startswith("text/plain")


def answer(response: Response) -> object:
    assert response.headers["content-type"] == "application/json"
    assert response.body.endswith(b"\n")
    return json.loads(response.body)


def test_v1_answers_in_json(run: Run) -> None:
    running = run()
    assert answer(running.ask("GET", "/v1/ping")) == {
        "pid": os.getpid(),
        "version": __version__,
        "config": "/etc/app.json5",
    }
    assert answer(running.ask("GET", "/v1/status")) == running.supervisor.status()
    assert answer(running.ask("GET", "/v1/instances/web")) == running.supervisor.instances("web")
    assert answer(running.ask("POST", "/v1/environ", b'{"B":"1","A":null,"":"x"}')) == {
        "set": ["A", "B"],
        "skipped": [""],
    }
    assert answer(running.ask("POST", "/v1/metric", b'{"m":1}')) == {"recorded": 1}
    assert answer(running.ask("POST", "/v1/maintenance/enable")) == {"maintenance": True}
    assert answer(running.ask("POST", "/v1/maintenance/disable")) == {"maintenance": False}
    assert answer(running.ask("POST", "/v1/shutdown")) == {"stopping": True}
    assert running.supervisor.calls == [
        {"B": "1", "A": None}, {"m": 1}, ("maintenance", True), ("maintenance", False), "shutdown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        (("GET", "/v1/nothing", b""), 404, "cannot find anything at this path"),
        (("GET", "/v1/instances/", b""), 404, "cannot find anything at this path"),
        (("GET", "/v1/instances/db", b""), 404, "cannot list instances of 'db': no watch has that name"),
        (("POST", "/v1/environ", b"{"), 422, "cannot set variables: the body is not JSON"),
        (("POST", "/v1/metric", b"[]"), 422, "cannot record metrics: the body is not a JSON object"),
        *((("GET", path, b""), 405, "Method Not Allowed") for path in V1_POSTS),
        *((("POST", path, b""), 405, "Method Not Allowed") for path in V1_GETS),
    ],
)
def test_v1_errors_are_json(run: Run, asked: tuple[str, str, bytes], status: int, error: str) -> None:
    response = run().ask(*asked)
    found = answer(response)
    assert isinstance(found, dict)
    assert (response.status, list(found)) == (status, ["error"])
    assert found["error"].startswith(error)
    assert ("allow" in response.headers) == (status == 405)


def test_v1_metric_says_which_values_were_rejected_and_why(run: Run) -> None:
    running = run()
    running.supervisor.rejects = ["cannot record a: it is no number", "cannot record b: no such metric"]
    response = running.ask("POST", "/v1/metric", b'{"a":"x","b":1,"c":2}')
    assert response.status == 422
    assert answer(response) == {
        "error": "cannot record a: it is no number; cannot record b: no such metric",
        "rejected": running.supervisor.rejects,
    }


def test_what_cannot_be_done_now_is_a_409(run: Run) -> None:
    running = run()
    running.supervisor.failure = ControlError("cannot do that while stopping")
    response = running.ask("POST", "/v1/maintenance/enable")
    assert (response.status, answer(response)) == (409, {"error": "cannot do that while stopping"})
    response = running.ask("POST", "/v3/maintenance/enable")
    assert (response.status, response.body) == (409, b"cannot do that while stopping\n")
    assert running.errors == []


def test_a_bug_is_a_500_with_its_traceback_in_the_log(run: Run) -> None:
    running = run()
    running.supervisor.failure = KeyError("oops")
    assert running.ask("GET", "/v1/status").status == 500
    (error,) = running.errors
    assert error.startswith("the control server failed at GET /v1/status: Traceback")
    assert error.endswith("KeyError: 'oops'")
    assert error.isprintable()
    assert running.counted == [("/v1/status", 500)]


def test_a_path_cannot_forge_a_line(run: Run) -> None:
    """The path of a request is whatever its client wrote, newlines and escape sequences included."""
    running = run(limits=None)
    running.supervisor.failure = ValueError("x\n2030-01-01 all is well\x1b[2J")
    for method, path in (("POST", "/v1/instances/a%0Ab%1B%E2%80%A8"), ("GET", "/v1/status")):
        running.ask(method, path)
    ((event,), (error,)) = running.events, running.errors
    assert event["path"] == "/v1/instances/a\\nb\\x1b\\u2028"
    assert error.isprintable()
    assert "x | 2030-01-01 all is well\\x1b[2J" in error


def test_the_environment_over_the_socket_is_bounded_over_all_requests(run: Run) -> None:
    running = run()
    half = json.dumps({f"N{number}": "" for number in range(4000)}).encode()
    rest = json.dumps({f"M{number}": "" for number in range(97)}).encode()
    assert running.ask("POST", "/v3/environ", half).status == 200
    assert running.ask("POST", "/v3/environ", rest).status == 422
    assert len(running.supervisor.calls) == 1
    response = running.ask("POST", "/v1/environ", rest)
    assert response.status == 422
    assert b"more than 4096 variables" in response.body
    long = b'{"A":"' + b"x" * 100_000 + b'"}'
    assert run().ask("POST", "/v3/environ", long).status == 200


@pytest.mark.parametrize("path", ["/v3/environ", "/v3/metric"])
def test_a_body_may_have_a_mebibyte(run: Run, path: str) -> None:
    running = run()
    assert running.ask("POST", path, b"{" + b" " * (1024 * 1024 - 2) + b"}").status == 200
    for more in (1, 3 * 1024 * 1024):
        assert running.ask("POST", path, b"{" + b" " * (1024 * 1024 - 2 + more) + b"}").status == 413


def test_many_metrics_are_recorded_in_parts_and_few_words_are_made_of_them(run: Run) -> None:
    running = run()
    running.supervisor.rejects = ["cannot record one of them"]
    values = {f"m{number}": number for number in range(20_000)}
    assert running.ask("POST", "/v3/metric", json.dumps(values).encode()).status == 200
    recorded: dict[str, object] = {}
    for call in running.supervisor.calls:
        assert isinstance(call, dict)
        recorded |= call
    assert recorded == values
    assert len(running.log) == 21
    assert running.log[-1] == ("warning", "59 more values were not recorded")


def test_what_is_said_of_rejected_values_is_short_and_on_one_line(run: Run) -> None:
    running = run()
    running.supervisor.rejects = ["cannot record 'a\nb': no such metric", "cannot record " + "x" * 1_000_000]
    assert len(running.ask("POST", "/v1/metric", b'{"m":1}').body) < 2000
    running.ask("POST", "/v3/metric", b'{"m":1}')
    assert [message for _, message in running.log] == [
        r"cannot record 'a\nb': no such metric",
        "cannot record " + "x" * 286 + "…",
    ]


def test_variables_that_decide_what_is_loaded_are_warned_of(run: Run) -> None:
    running = run()
    assert running.ask("POST", "/v3/environ", b'{"LD_PRELOAD":"s3cret","PATH":"/bin"}').status == 200
    ((level, message),) = running.log
    assert level == "warning"
    assert message.startswith("LD_PRELOAD was set over the control socket")
    assert "s3cret" not in message


def test_requests_are_counted_by_few_paths(run: Run) -> None:
    running = run()
    for name in ("web", "db", "x"):
        running.ask("GET", f"/v1/instances/{name}")
    running.ask("GET", "/v3/ping")
    running.ask("GET", "/v3/reload")
    running.ask("GET", "/anything/else")
    assert running.counted == [
        ("/v1/instances/NAME", 200),
        ("/v1/instances/NAME", 404),
        ("/v1/instances/NAME", 404),
        ("/v3/ping", 200),
        ("/v3/reload", 405),
    ]


def test_refused_and_changing_requests_are_security_events(run: Run) -> None:
    running = run(disabled=["shutdown"])
    running.ask("GET", "/v1/status")
    assert running.events == []
    running.ask("POST", "/v1/maintenance/enable")
    running.ask("POST", "/v1/environ", b"[]")
    running.ask("POST", "/v1/shutdown")
    assert [(event["event"], event["path"], event["status"]) for event in running.events] == [
        ("authz_admin", "/v1/maintenance/enable", 200),
        ("input_validation_fail", "/v1/environ", 422),
        ("authz_fail", "/v1/shutdown", 403),
    ]
    assert {(event["uid"], event["pid"]) for event in running.events} == {(os.geteuid(), os.getpid())}
    assert running.supervisor.calls == [("maintenance", True)]


def test_a_verb_can_be_switched_off_in_both_apis(run: Run) -> None:
    running = run(disabled=["environ"])
    for path in ("/v3/environ", "/v1/environ"):
        response = running.ask("POST", path, b'{"A":"1"}')
        assert response.status == 403
        assert b"the configuration forbids it" in response.body
    assert running.supervisor.calls == []


def test_another_user_is_refused_even_if_the_file_lets_him_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    running = run()
    # The server was made by another user than the one who asks now.
    monkeypatch.setattr(running.server, "_uids", frozenset((12345,)))
    response = running.ask("POST", "/v3/reload")
    assert (response.status, response.body) == (403, b"cannot use the control socket as this user\n")
    assert running.supervisor.calls == []
    assert [event["event"] for event in running.events] == ["authz_fail"]


def test_the_client_of_the_command_line_is_understood(run: Run) -> None:
    running = run()
    answers: list[tuple[int, bytes]] = []
    # It blocks, so it has a thread, and the server the hub.
    asking = threading.Thread(
        target=lambda: answers.append(ControlClient(running.socket.path).request("POST", "/v1/environ", b'{"A":"1"}'))
    )
    asking.start()
    with gevent.Timeout(30):
        while not answers:
            gevent.sleep(0.01)
    asking.join()
    assert answers == [(200, b'{"set":["A"],"skipped":[]}\n')]


@pytest.mark.parametrize("harm", ["removed", "directory removed", "replaced by a stale socket", "replaced by a file"])
def test_a_socket_that_is_no_longer_in_place_is_made_again(tmp_path: Path, harm: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    running = Running(place / "x.socket")
    try:
        assert not running.server.restore()
        assert running.server.control_socket is running.socket
        if harm == "directory removed":
            shutil.rmtree(place)
            with pytest.raises(ControlError, match=r"cannot create the control socket at .*x\.socket again: No such"):
                running.server.restore()
            place.mkdir()
        else:
            (place / "x.socket").unlink()
        if harm == "replaced by a file":
            (place / "x.socket").write_text("")
        elif harm == "replaced by a stale socket":
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(place / "x.socket"))
        assert running.server.restore()
        assert len(running.server.control_socket.warnings) == (harm == "replaced by a file")
        assert running.ask("GET", "/v1/ping").status == 200
        assert not running.server.restore()
        assert os.listdir(place) == ["x.socket"]
    finally:
        running.server.stop()
    assert os.listdir(place) == []


def test_requests_that_wait_in_a_removed_socket_are_answered(run: Run) -> None:
    running = run()
    with gevent.socket.socket(socket.AF_UNIX) as client:
        client.connect(running.socket.path)
        os.unlink(running.socket.path)
        assert running.server.restore()
        client.sendall(b"GET /v1/ping HTTP/1.0\r\n\r\n")
        with gevent.Timeout(30):
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert running.ask("GET", "/v1/ping").status == 200


def test_a_place_that_another_has_taken_meanwhile_is_left_to_it_until_it_is_free(run: Run) -> None:
    running, other = run(), None
    path = running.socket.path
    os.unlink(path)
    other = Running(Path(path))
    try:
        for _ in range(2):
            with pytest.raises(ControlError, match=r"another corepilot is running there \(pid"):
                running.server.restore()
            assert other.server.control_socket.is_in_place()
    finally:
        other.server.stop()
    assert running.server.restore()
    assert running.ask("GET", "/v1/ping").status == 200


def test_a_socket_is_not_made_again_after_a_stop_or_during_it(run: Run) -> None:
    running = run()
    os.unlink(running.socket.path)
    directory = os.open(os.path.dirname(running.socket.path), os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)  # another start in the directory, for which it waits
        restoring = gevent.spawn(running.server.restore)
        gevent.sleep(0)
        running.server.stop()
        fcntl.flock(directory, fcntl.LOCK_UN)
        assert restoring.get(timeout=30) is False
    finally:
        os.close(directory)
    assert not running.server.restore()
    assert not os.path.exists(running.socket.path)


def test_it_can_be_stopped_twice_and_without_having_been_started(tmp_path: Path) -> None:
    control_socket = bind_control_socket(str(tmp_path / "x.socket"), {})
    server = ControlServer(control_socket, Supervisor())
    server.stop()
    server.stop()
    control_socket.close()
    assert list(tmp_path.iterdir()) == []
