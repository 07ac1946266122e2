"""The control API for single jobs, reloads and plans, over a real socket."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest
from controlling import DONE, Running, change, job, outcome

from corepilot.control.operations import MOST_WAITING
from corepilot.errors import ControlError
from corepilot.http.message import Response

Run = Callable[..., Running]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "x.socket")
    yield made
    made.server.stop()


def found(response: Response) -> object:
    assert response.headers["content-type"] == "application/json"
    return json.loads(response.body)


def lines(response: Response) -> list[object]:
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.body.splitlines()]


def post(running: Running, path: str, body: object = None) -> Response:
    return running.ask("POST", path, b"" if body is None else json.dumps(body).encode())


def error(response: Response) -> str:
    (only,) = found(response).items()  # type: ignore[attr-defined]  # an object, or this fails
    assert only[0] == "error"
    return str(only[1])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/jobs", ["web", "web-2", "db", "a/start"]),
        ("/v1/jobs?job=web&job=d%62", ["web", "db"]),
        ("/v1/jobs/web", ["web"]),
        ("/v1/jobs/web*", ["web", "web-2"]),
        ("/v1/jobs/w%65b-%3f", ["web-2"]),
        ("/v1/jobs?job=a/start", ["a/start"]),
    ],
)
def test_jobs_are_shown_by_name_and_pattern(running: Running, path: str, names: list[str]) -> None:
    assert found(running.ask("GET", path)) == [job(name, running.supervisor.pids[name]) for name in names]


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_an_action_without_a_wait_is_answered_with_its_id(running: Running, action: str) -> None:
    running.supervisor.endless = True
    response = post(running, f"/v1/jobs/web-%2A/{action}")
    assert (response.status, found(response)) == (202, {"request": 1})
    assert running.supervisor.calls == [(action, "web-*")]
    begun = {"id": 1, "kind": action, "finished": False, "result": "", "changes": running.supervisor.said[:-1]}
    assert found(running.ask("GET", "/v1/requests/1")) == begun
    running.supervisor.operations[0].ended.set()
    assert found(running.ask("GET", "/v1/requests/1")) == {**begun, "finished": True, "result": "done"}
    assert post(running, f"/v1/jobs/db/{action}?wait=0").status == 202


def test_with_a_wait_the_answer_is_what_happens_line_by_line(running: Running) -> None:
    response = post(running, "/v1/jobs/web/restart?wait=1")
    assert (response.status, response.headers["corepilot-request"]) == (200, "1")
    assert lines(response) == [change("web", "started", state="running", pid=123), DONE]
    assert running.supervisor.operations[0].timeouts == [None]


def test_each_line_comes_when_it_happens(running: Running) -> None:
    running.supervisor.endless = True
    with (
        running.client.stream("POST", "/v1/jobs/web/stop?wait=1", deadline_s=30, idle_s=30) as stream,
        gevent.Timeout(30),
    ):
        chunks = iter(stream)
        assert json.loads(next(chunks)) == running.supervisor.said[0]
        running.supervisor.operations[0].ended.set()
        assert json.loads(b"".join(chunks)) == DONE


def test_a_wait_ends_with_its_timeout_and_the_operation_goes_on(running: Running) -> None:
    running.supervisor.endless = True
    response = post(running, "/v1/reload?wait=1&timeout_s=0.01")
    assert lines(response)[-1] == {"result": "late", "message": "not done in time"}
    assert running.supervisor.operations[0].timeouts == [0.01]
    assert not running.supervisor.operations[0].ended.is_set()


def test_a_client_that_goes_leaves_the_operation_alone(running: Running) -> None:
    running.supervisor.endless = True
    with (
        running.client.stream("POST", "/v1/jobs/web/stop?wait=1", deadline_s=30, idle_s=30) as stream,
        gevent.Timeout(30),
    ):
        next(iter(stream))
    with gevent.Timeout(30):
        while running.server.connections:
            gevent.sleep(0.01)
    running.supervisor.operations[0].ended.set()
    assert running.errors == []
    assert found(running.ask("GET", "/v1/requests/1"))["finished"] is True  # type: ignore[index]  # an object


def test_clients_that_wait_leave_room_for_others(running: Running) -> None:
    running.supervisor.endless = True
    with ExitStack() as stack, gevent.Timeout(60):
        for _ in range(MOST_WAITING):
            stream = stack.enter_context(
                running.client.stream("POST", "/v1/jobs/web/stop?wait=1", deadline_s=30, idle_s=30)
            )
            next(iter(stream))
        calls = list(running.supervisor.calls)
        for path in ("/v1/jobs/web/start?wait=1", "/v1/reload?wait=1"):
            response = post(running, path)
            assert response.status == 409
            assert error(response).startswith("cannot wait: 32 clients wait already, and nothing was done")
        assert running.supervisor.calls == calls
        assert running.ask("GET", "/v1/ping").status == 200
        assert post(running, "/v1/jobs/web/start").status == 202
    with gevent.Timeout(30):
        while running.server.connections:
            gevent.sleep(0.01)
    running.supervisor.endless = False
    assert lines(post(running, "/v1/reload?wait=1"))[-1] == DONE


def test_several_jobs_at_once(running: Running) -> None:
    assert post(running, "/v1/jobs", {"action": "stop", "jobs": ["web", "a/start"]}).status == 202
    waiting = {"action": "wait", "jobs": ["web", "db"], "for": "healthy"}
    assert lines(post(running, "/v1/jobs?wait=1", waiting))[-1] == DONE
    body = {"action": "signal", "jobs": ["web*"], "signal": "hup", "group": True}
    assert found(post(running, "/v1/jobs", body)) == [
        {"job": "web", "pid": 123, "signalled": True},
        {"job": "web-2", "pid": 124, "signalled": True},
    ]
    assert running.supervisor.calls == [
        ("stop", "web", "a/start"),
        ("wait", "healthy", "web", "db"),
        ("signal", signal.SIGHUP, True, "web*"),
    ]


def test_signals_and_waits_for_one_job(running: Running) -> None:
    assert found(post(running, "/v1/jobs/db/signal", {"signal": 10})) == [
        {"job": "db", "pid": None, "signalled": False}
    ]
    assert post(running, "/v1/jobs/db/wait", {"for": "stopped"}).status == 202
    assert running.supervisor.calls == [("signal", 10, False, "db"), ("wait", "stopped", "db")]


@pytest.mark.parametrize("mode", ["changed", "all", "everything"])
def test_reloads(running: Running, mode: str) -> None:
    assert post(running, f"/v1/reload?mode={mode}").status == 202
    assert running.supervisor.calls == [("reload", mode)]


def test_a_reload_is_of_what_changed_unless_told_otherwise(running: Running) -> None:
    running.supervisor.said = [{"result": "refused", "message": "3:5: wrong"}]
    assert lines(post(running, "/v1/reload?wait=1")) == running.supervisor.said
    assert running.supervisor.calls == [("reload", "changed")]


@pytest.mark.parametrize(("body", "location"), [(None, None), ({}, None), ({"location": "/a b"}, "/a b")])
def test_plan(running: Running, body: object, location: str | None) -> None:
    changes: list[dict[str, object]] = [
        {"what": "job", "name": "x", "kind": "added", "settings": [], "consequence": "begins"}
    ]
    running.supervisor.outcome = outcome(ok=True, changes=changes)
    assert found(post(running, "/v1/plan", body)) == {"changes": changes}
    running.supervisor.outcome = outcome(ok=False, text="3:5: wrong\n")
    response = post(running, "/v1/plan", body)
    assert (response.status, error(response)) == (422, "3:5: wrong\n")
    assert running.supervisor.calls == [("plan", *([] if location is None else [location]))] * 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs/nope/stop", None),
        ("/v1/jobs/nope/wait", {"for": "running"}),
        ("/v1/jobs/nope/signal", {"signal": "HUP"}),
        ("/v1/jobs", {"action": "restart", "jobs": ["web", "nope"]}),
        ("/v1/jobs", {"action": "signal", "jobs": ["web", "nope"], "signal": 1}),
    ],
)
def test_with_one_unknown_name_nothing_is_done_and_the_known_ones_are_listed(
    running: Running, path: str, body: object
) -> None:
    response = post(running, path, body)
    assert (response.status, error(response)) == (404, "cannot find job 'nope'; the jobs are web, web-2, db, a/start")
    assert running.supervisor.calls == []
    for get in ("/v1/jobs/nope", "/v1/jobs?job=web&job=nope"):
        assert running.ask("GET", get).status == 404


@pytest.mark.parametrize("number", ["2", "0", "x", "-1", "%C2%B2", "9" * 400, "1/1"])
def test_a_request_that_is_not_known(running: Running, number: str) -> None:
    post(running, "/v1/reload")
    response = running.ask("GET", f"/v1/requests/{number}")
    assert response.status == 404


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/jobs", None, "the body is not JSON"),
        ("/v1/jobs", {}, "cannot act on jobs: `action` is one of start, stop, restart, reload, signal, wait"),
        ("/v1/jobs", {"action": "_stop", "jobs": ["web"]}, "cannot act on jobs: `action` is one of"),
        ("/v1/jobs", {"action": ["stop"], "jobs": ["web"]}, "cannot act on jobs: `action` is one of"),
        ("/v1/jobs", {"action": "stop"}, "cannot stop: `jobs` is a list of at least one name or pattern"),
        ("/v1/jobs", {"action": "stop", "jobs": []}, "cannot stop: `jobs` is a list"),
        ("/v1/jobs", {"action": "stop", "jobs": "web"}, "cannot stop: `jobs` is a list"),
        ("/v1/jobs", {"action": "stop", "jobs": ["web", 1]}, "cannot stop: `jobs` is a list"),
        ("/v1/jobs", {"action": "stop", "jobs": ["*"] * 257}, "cannot use 257 names at once: 256 are the limit"),
        ("/v1/jobs", {"action": "stop", "jobs": ["web"], "signal": "HUP"}, "cannot stop with an unknown member"),
        ("/v1/jobs/web/stop", {"for": "running"}, "cannot stop with an unknown member in the body: it takes nothing"),
        ("/v1/jobs/web/wait", None, "cannot wait: `for` is one of running, ready, healthy, complete, stopped"),
        ("/v1/jobs/web/wait", {"for": ["running"]}, "cannot wait: `for` is one of"),
        ("/v1/jobs/web/signal", {}, "cannot send signal None: write a name"),
        ("/v1/jobs/web/signal", {"signal": "NOPE"}, "cannot send signal 'NOPE': write a name, such as HUP or SIGHUP"),
        ("/v1/jobs/web/signal", {"signal": 1, "group": "yes"}, "cannot signal: `group` is true or false"),
        ("/v1/jobs/web/signal", {"signal": 1, "grp": True}, "cannot signal with an unknown member in the body"),
        ("/v1/jobs/web/stop?wait=yes", None, "cannot use wait='yes': it is one of 0, 1"),
        ("/v1/jobs/web/stop?wait=1&wait=1", None, "cannot use parameter 'wait' 2 times"),
        ("/v1/jobs/web/stop?wait=1&timeout=5", None, "cannot use parameter 'timeout': known: wait, timeout_s"),
        ("/v1/jobs/web/stop?timeout_s=5", None, "cannot use timeout_s without wait=1"),
        ("/v1/jobs/web/stop?wait=1&timeout_s=-1", None, "cannot use timeout_s='-1': write seconds from 0 to"),
        ("/v1/jobs/web/stop?wait=1&timeout_s=nan", None, "cannot use timeout_s='nan'"),
        ("/v1/jobs/web/stop?wait=1&timeout_s=inf", None, "cannot use timeout_s='inf'"),
        ("/v1/jobs/web/stop?wait=%ff", None, "cannot use parameter 'wait': its value is not percent-encoded UTF-8"),
        ("/v1/reload?mode=some", None, "cannot use mode='some': it is one of changed, all, everything"),
        ("/v1/reload?wait=1&mode=%31&" + "x" * 100, None, "cannot use parameter 'xxxxxxx"),
        ("/v1/shutdown?force=1", None, "cannot use parameter 'force': this path takes none"),
        ("/v1/plan", [], "cannot plan: the body is not a JSON object"),
        ("/v1/plan", {"location": "app.json5"}, "cannot plan: the location is not null, an absolute path, a URL"),
        ("/v1/plan", {"location": 1}, "cannot plan: the location is not null, an absolute path"),
        ("/v1/plan", {"location": "/a\0b"}, "cannot plan: the location is not null, an absolute path"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_done(running: Running, path: str, body: object, message: str) -> None:
    response = post(running, path, body)
    assert response.status == 422
    assert error(response).startswith(message)
    assert running.supervisor.calls == []


def test_what_cannot_be_done_now_is_a_409(running: Running) -> None:
    running.supervisor.failure = ControlError("cannot do that: corepilot is stopping")
    for path in ("/v1/jobs/web/start?wait=1", "/v1/reload?wait=1"):
        response = post(running, path)
        assert (response.status, error(response)) == (409, "cannot do that: corepilot is stopping")
    response = running.ask("POST", "/v3/reload")
    assert (response.status, response.body) == (409, b"cannot do that: corepilot is stopping\n")


@pytest.mark.parametrize("name", ["NAME", "__class__", "..", "/", "start", "%00", "ID"])
def test_nothing_of_a_path_is_a_name_in_our_code(running: Running, name: str) -> None:
    assert running.ask("GET", f"/v1/jobs/{name}").status in {400, 404}
    assert running.ask("POST", f"/v1/jobs/web/{name}").status in {400, 404, 405} or name == "start"
    assert running.errors == []


@pytest.mark.parametrize("path", ["/v1/jobs/", "/v1/jobs//start", "/v1/requests/"])
def test_a_path_without_a_name_is_not_found(running: Running, path: str) -> None:
    assert running.ask("POST", path).status in {404, 405}
    assert running.supervisor.calls == []


def test_an_action_that_is_switched_off_is_so_in_both_forms(tmp_path: Path) -> None:
    running = Running(tmp_path / "y.socket", disabled=["stop", "signal"])
    try:
        for path, body in (
            ("/v1/jobs/web/stop", None),
            ("/v1/jobs", {"action": "stop", "jobs": ["web"]}),
            ("/v1/jobs", {"action": "signal", "jobs": ["web"], "signal": 1}),
        ):
            response = post(running, path, body)
            assert response.status == 403
            assert "the configuration forbids it" in error(response)
        assert running.supervisor.calls == []
        assert post(running, "/v1/jobs", {"action": "start", "jobs": ["web"]}).status == 202
    finally:
        running.server.stop()


def test_changes_are_security_events_and_requests_are_counted_by_few_paths(running: Running) -> None:
    post(running, "/v1/jobs/web/stop")
    post(running, "/v1/jobs/db/stop?wait=1")
    post(running, "/v1/jobs/nope/stop")
    post(running, "/v1/jobs/web/wait", {"for": "running"})
    post(running, "/v1/plan")
    running.ask("GET", "/v1/jobs/web")
    running.ask("GET", "/v1/requests/1")
    assert [(event["event"], event["path"], event["status"]) for event in running.events] == [
        ("authz_admin", "/v1/jobs/web/stop", 202),
        ("authz_admin", "/v1/jobs/db/stop", 200),
        ("input_validation_fail", "/v1/jobs/nope/stop", 404),
    ]
    assert {(event["uid"], event["pid"]) for event in running.events} == {(os.geteuid(), os.getpid())}
    assert running.counted == [
        ("/v1/jobs/NAME/stop", 202),
        ("/v1/jobs/NAME/stop", 200),
        ("/v1/jobs/NAME/stop", 404),
        ("/v1/jobs/NAME/wait", 202),
        ("/v1/plan", 200),
        ("/v1/jobs/NAME", 200),
        ("/v1/requests/ID", 200),
    ]
