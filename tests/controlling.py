"""A control server over a supervisor that is not there: it records what it is asked, and answers as it is told."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import gevent
import gevent.event

from corepilot.control.paths import bind_control_socket
from corepilot.control.server import ControlServer
from corepilot.control.target import Action, Condition, PlanOutcome, ReloadMode, ReloadOutcome
from corepilot.errors import UnknownJobError
from corepilot.http.client import Client
from corepilot.http.message import Response

Values = dict[str, "str | None"]
Line = dict[str, object]
DONE: Line = {"result": "done", "message": ""}


def outcome(*, ok: bool, text: str = "", changes: Sequence[Line] = ()) -> PlanOutcome:
    return PlanOutcome(ok, text, list(changes))


class FakeOperation:
    """Says its lines, and then, if it is `endless`, nothing until it is let go."""

    def __init__(self, number: int, kind: str, lines: Sequence[Line]) -> None:
        self.id = number
        self.kind = kind
        self.said = list(lines)
        self.ended = gevent.event.Event()
        self.timeouts: list[float | None] = []

    def lines(self, timeout_s: float | None) -> Iterator[Line]:
        self.timeouts.append(timeout_s)
        yield from self.said[:-1]
        if not self.ended.wait(timeout_s):
            yield {"result": "late", "message": "not done in time"}
            return
        yield self.said[-1]

    def state(self) -> Line:
        finished = self.ended.is_set()
        result = self.said[-1]["result"] if finished else ""
        return {"id": self.id, "kind": self.kind, "finished": finished, "result": result, "changes": self.said[:-1]}


class FakeEntries:
    """What was lost, one entry, and then the end."""

    def __init__(self, entry: Line) -> None:
        self._left: Iterator[Line] = iter([{"lost": 1}, {"time": "2026-03-01T12:00:00Z", **entry}])

    def __iter__(self) -> "FakeEntries":
        return self

    def __next__(self) -> Line:
        return next(self._left)

    def close(self) -> None:
        self._left = iter(())


def change(
    name: str, kind: str, *, what: str = "job", state: str = "", pid: int | None = None, message: str = ""
) -> Line:
    return {"what": what, "name": name, "kind": kind, "state": state, "pid": pid, "message": message}


def job(name: str, pid: int | None = 123) -> Line:
    return {
        "name": name, "state": "running" if pid else "stopped", "health": "unknown", "address": "", "port": 0,
        "user": "", "listen": [], "pid": pid, "starts": 1, "last_status": None, "up_s": 1.5 if pid else None,
        "trouble": "",
        "ready": None, "said": "", "checks": [], "waits_for": [],
    }  # fmt: skip


class Supervisor:
    """Knows the jobs web, web-2, db and `a/start`; db has no process.

    Attributes:
        calls: What it was asked to do.
        said: The lines of the operations that begin from now on.
        endless: They do not end by themselves.
        unwell: Why it is neither live nor ready.
    """

    config = "/etc/app.json5"

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.outcome = outcome(ok=True)
        self.rejects: list[str] = []
        self.failure: Exception | None = None
        self.pids: dict[str, int | None] = {"web": 123, "web-2": 124, "db": None, "a/start": 125}
        self.said: list[Line] = [change("web", "started", state="running", pid=123), DONE]
        self.endless = False
        self.unwell = ""
        self.operations: list[FakeOperation] = []

    def status(self) -> dict[str, object]:
        if self.failure:
            raise self.failure
        return {
            "version": "1", "pid": os.getpid(), "uptime_s": 1.0, "config": self.config, "socket": "/x",
            "stopping": False, "catalogs": [], "jobs": [job("app")], "services": [], "locks": [], "watches": [],
            "render": [], "sinks": [], "observers": [],
        }  # fmt: skip

    def instances(self, service: str) -> list[dict[str, object]] | None:
        web = {"id": "web-1", "address": "192.0.2.1", "port": 80, "status": "passing", "tags": []}
        return [web] if service == "web" else [] if service == "a b" else None

    def jobs(self, patterns: Sequence[str]) -> list[Line]:
        return [job(name, self.pids[name]) for name in self._named(patterns)]

    def trouble(self, level: str, jobs: Sequence[str]) -> str:
        self._named(jobs)
        self.calls.append((level, *jobs))
        return self.unwell

    def act(self, action: Action, jobs: Sequence[str], client_pid: int | None) -> FakeOperation:
        self._named(jobs)
        return self._begin((action, *jobs), client_pid)

    def signal(self, number: int, jobs: Sequence[str], *, group: bool) -> list[Line]:
        found = self._named(jobs)
        self.calls.append(("signal", number, group, *jobs))
        return [{"job": name, "pid": self.pids[name], "signalled": self.pids[name] is not None} for name in found]

    def reload_jobs(self, jobs: Sequence[str]) -> FakeOperation:
        self._named(jobs)
        return self._begin(("reload", *jobs), None)

    def wait_for(self, condition: Condition, jobs: Sequence[str]) -> FakeOperation:
        self._named(jobs)
        return self._begin(("wait", condition, *jobs), None)

    def reload(self, mode: ReloadMode, client_pid: int | None) -> FakeOperation:
        return self._begin(("reload", mode), client_pid)

    def reload_judged(self, mode: ReloadMode, client_pid: int | None) -> ReloadOutcome:
        self._checked(("reload judged", mode), client_pid)
        return ReloadOutcome(self.outcome.ok, self.outcome.text)

    def plan(self, locations: Sequence[str]) -> PlanOutcome:
        self.calls.append(("plan", *locations))
        return self.outcome

    def operation(self, id: int) -> FakeOperation | None:  # noqa: A002  - as in the protocol
        return next((one for one in self.operations if one.id == id), None)

    def put_environ(self, values: Values) -> None:
        self.calls.append(values)

    def put_metric(self, values: dict[str, object]) -> list[str]:
        self.calls.append(values)
        return self.rejects

    def maintenance(self, *, enable: bool) -> None:
        if self.failure:
            raise self.failure
        self.calls.append(("maintenance", enable))

    def logs(self, jobs: Sequence[str], *, since_s: float, last: int | None, follow: bool) -> Any:
        self._named(jobs)
        self.calls.append(("logs", *jobs, since_s, last, follow))
        return FakeEntries({"job": "web", "pid": 3, "lines": ["up", ""]})

    def events(self, *, since_s: float, last: int | None, follow: bool) -> Any:
        self.calls.append(("events", since_s, last, follow))
        return FakeEntries({"code": "healthy", "source": "web", "detail": "", "status": None, "origin": [["web", 1]]})

    def stacks(self) -> str:
        return "one stack"

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def _named(self, patterns: Sequence[str]) -> list[str]:
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.pids):
                raise UnknownJobError(f"cannot find job {pattern!r}; the jobs are {', '.join(self.pids)}")
        return [name for name in self.pids if not patterns or any(fnmatchcase(name, one) for one in patterns)]

    def _checked(self, call: tuple[object, ...], client_pid: int | None) -> None:
        if self.failure:
            raise self.failure
        self.calls.append(call)
        # The tests' own process asks, or a child of it.
        assert client_pid is None or client_pid > 1

    def _begin(self, call: tuple[object, ...], client_pid: int | None) -> FakeOperation:
        self._checked(call, client_pid)
        operation = FakeOperation(len(self.operations) + 1, str(call[0]), self.said)
        self.operations.append(operation)
        if not self.endless:
            operation.ended.set()
        return operation


class Running:
    def __init__(self, path: Path, **options: object) -> None:
        self.supervisor = Supervisor()
        self.log: list[tuple[str, str]] = []
        self.events: list[dict[str, object]] = []
        self.counted: list[tuple[str, int]] = []
        self.errors: list[str] = []
        self.socket = bind_control_socket(str(path), {})
        self.server = ControlServer(
            self.socket,
            self.supervisor,
            log=lambda level, message: self.log.append((level, message)),
            on_event=self.events.append,
            on_request=lambda path, status: self.counted.append((path, status)),
            on_error=self.errors.append,
            **options,  # type: ignore[arg-type]  # whatever the test names
        )
        self.server.start()
        self.client = Client(f"unix://{path}")

    def ask(self, method: str, path: str, body: bytes = b"") -> Response:
        return self.client.request(method, path, body, deadline_s=30)
