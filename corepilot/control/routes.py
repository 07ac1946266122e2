"""The control API: which paths there are, and what each does with the supervisor.

/v3 is ContainerPilot's (contract, section 9.1), word for word: its clients are in images that nobody rebuilds. /v1 is
our own: JSON in and out, and errors that say what was wrong. The table is fixed, and nothing of a request is ever used
to look up a name in our code.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from corepilot._version import __version__
from corepilot.control.payload import (
    EnvironBudget,
    PayloadError,
    clipped,
    encode,
    parse_environ,
    parse_object,
    sensitive_names,
)
from corepilot.control.target import ControlTarget
from corepilot.http.message import Headers, Request, Response
from corepilot.http.time_slice import TimeSlice
from corepilot.wording.escaping import escaped

_TEXT = Headers((("Content-Type", "text/plain; charset=utf-8"),))
_JSON = Headers((("Content-Type", "application/json"),))
_INSTANCES = "/v1/instances/"
_METRICS_AT_ONCE = 256
_MOST_SAID = 20
_LONGEST_SENTENCE = 300

Log = Callable[[str, str], object]


class Route(NamedTuple):
    """One path of the API.

    Attributes:
        methods: What is allowed; empty for any.
        verb: What it does, in one word: the name under which it can be switched off, and stands in security events.
        answer: Makes the answer.
    """

    methods: frozenset[str]
    verb: str
    answer: Callable[[Request], Response]

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return "POST" in self.methods


class Routes:
    """The table of paths, over one supervisor.

    Args:
        target: The supervisor.
        log: `log(level, message)`.
    """

    def __init__(self, target: ControlTarget, log: Log) -> None:
        self._target = target
        self._log = log
        self._budget = EnvironBudget()
        post, get, anything = frozenset(("POST",)), frozenset(("GET", "HEAD")), frozenset[str]()
        self._table = {
            "/v3/ping": Route(anything, "ping", lambda _: _newline()),
            "/v3/environ": Route(post, "environ", self._v3_environ),
            "/v3/metric": Route(post, "metric", self._v3_metric),
            "/v3/maintenance/enable": Route(post, "maintenance", lambda _: self._v3_maintenance(enable=True)),
            "/v3/maintenance/disable": Route(post, "maintenance", lambda _: self._v3_maintenance(enable=False)),
            "/v3/reload": Route(post, "reload", self._v3_reload),
            "/v1/ping": Route(get, "ping", self._ping),
            "/v1/status": Route(get, "status", self._status),
            "/v1/environ": Route(post, "environ", self._environ),
            "/v1/metric": Route(post, "metric", self._metric),
            "/v1/maintenance/enable": Route(post, "maintenance", lambda _: self._maintenance(enable=True)),
            "/v1/maintenance/disable": Route(post, "maintenance", lambda _: self._maintenance(enable=False)),
            "/v1/reload": Route(post, "reload", self._reload),
            "/v1/stop": Route(post, "stop", self._stop),
        }
        self._instances_route = Route(get, "instances", self._instances)

    def find(self, path: str) -> tuple[str, Route] | None:
        """The route of a path with a label for it that is one of few, or None."""
        route = self._table.get(path)
        if route is not None:
            return path, route
        if path.startswith(_INSTANCES) and len(path) > len(_INSTANCES):
            return _INSTANCES + "NAME", self._instances_route
        return None

    def _put_environ(self, body: bytes) -> tuple[dict[str, str | None], list[str]]:
        values, skipped = parse_environ(body)
        self._budget.charge(values)
        for name in sensitive_names(values):
            self._log("warning", f"{name} was set over the control socket: it decides what the jobs' programs load")
        self._target.put_environ(values)
        return values, skipped

    def _put_metric(self, values: dict[str, object]) -> list[str]:
        """Record values, letting others run in between; returns what is to be said of those that were not recorded."""
        names = list(values)
        rejected: list[str] = []
        unsaid = 0
        time_slice = TimeSlice()
        for start in range(0, len(names), _METRICS_AT_ONCE):
            found = self._target.put_metric({name: values[name] for name in names[start : start + _METRICS_AT_ONCE]})
            room = _MOST_SAID - len(rejected)
            rejected += [escaped(clipped(sentence, _LONGEST_SENTENCE)) for sentence in found[:room]]
            unsaid += len(found[room:])
            time_slice.check()
        return [*rejected, f"{unsaid} more values were not recorded"] if unsaid else rejected

    def _v3_environ(self, request: Request) -> Response:
        try:
            _, skipped = self._put_environ(request.body)
        except PayloadError as error:
            return self._v3_unprocessable(request, error)
        if skipped:
            self._log("warning", f"{len(skipped)} variables set over the control socket have impossible names: skipped")
        return _newline()

    def _v3_metric(self, request: Request) -> Response:
        try:
            values = parse_object(request.body)
        except PayloadError as error:
            return self._v3_unprocessable(request, error)
        for rejected in self._put_metric(values):
            self._log("warning", rejected)
        return _newline()

    def _v3_maintenance(self, *, enable: bool) -> Response:
        self._target.maintenance(enable=enable)
        return _newline()

    def _v3_reload(self, _: Request) -> Response:
        outcome = self._target.reload_judged("everything", None)
        return _newline() if outcome.ok else plain(422, outcome.text)

    def _v3_unprocessable(self, request: Request, error: PayloadError) -> Response:
        # The answer says no more than ContainerPilot's did; why is for the log.
        self._log("warning", f"{request.path} was refused: {error}")
        return plain(422, "Unprocessable Entity")

    def _ping(self, _: Request) -> Response:
        return as_json(200, {"pid": os.getpid(), "version": __version__, "config": self._target.config})

    def _status(self, _: Request) -> Response:
        return as_json(200, self._target.status())

    def _instances(self, request: Request) -> Response:
        service = request.path.removeprefix(_INSTANCES)
        found = self._target.instances(service)
        if found is None:
            return failed(
                404, f"cannot list instances of {service!r}: no watch has that name; `corepilot status` names all"
            )
        return as_json(200, found)

    def _environ(self, request: Request) -> Response:
        try:
            values, skipped = self._put_environ(request.body)
        except PayloadError as error:
            return failed(422, f"cannot set variables: {error}")
        return as_json(200, {"set": sorted(values), "skipped": sorted(skipped)})

    def _metric(self, request: Request) -> Response:
        try:
            values = parse_object(request.body)
        except PayloadError as error:
            return failed(422, f"cannot record metrics: {error}")
        rejected = self._put_metric(values)
        if rejected:
            return as_json(422, {"error": "; ".join(rejected), "rejected": rejected})
        return as_json(200, {"recorded": len(values)})

    def _maintenance(self, *, enable: bool) -> Response:
        self._target.maintenance(enable=enable)
        return as_json(200, {"maintenance": enable})

    def _reload(self, _: Request) -> Response:
        outcome = self._target.reload_judged("changed", None)
        return as_json(200, {"reloaded": True}) if outcome.ok else failed(422, outcome.text)

    def _stop(self, _: Request) -> Response:
        self._target.shutdown()
        return as_json(200, {"stopping": True})


def plain(status: int, text: str) -> Response:
    """An answer in text, with one newline at its end."""
    return Response(status, _TEXT, text.rstrip("\n").encode("utf-8", "backslashreplace") + b"\n")


def as_json(status: int, value: object) -> Response:
    """An answer in JSON."""
    return Response(status, _JSON, encode(value))


def failed(status: int, text: str) -> Response:
    """An error of /v1."""
    return as_json(status, {"error": text})


def _newline() -> Response:
    return Response(200, _TEXT, b"\n")
