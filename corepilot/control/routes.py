"""The control API: which paths there are, what each does, and how it answers.

One fixed table: the server finds its answers in it, and docs/reference/openapi.json is made from it. Nothing of a
request is ever used to look up a name in our code.
"""

from __future__ import annotations

from corepilot.control import operations, probes, tails, v1, v3
from corepilot.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corepilot.control.api import Api, RoutedRequest
    from corepilot.http.message import Answer

NAMES = ("NAME", "ID")
"""What a path has in the place of something that a request names."""

_WAITING = ("wait", "timeout_s")


class Route(Value):
    """One method at one path of the API.

    Attributes:
        method: "GET", which stands for HEAD as well, "POST", or "" for any.
        path: With NAME or ID in the place of one part, which may hold anything, slashes too.
        verb: What it does, in one word: the name under which it can be switched off.
        answer: Makes the answer. It may raise PayloadError (422), UnknownJobError (404), another ControlError (409) and
            ForbiddenError (403).
        summary: For the reference.
        answers: The name of the schema of each status, for the reference: beside those that every path may have.
        parameters: What its query may hold.
        body: The name of the schema of its body, for the reference; "" for none.
        changes: Whether it changes anything.
    """

    method: str
    path: str
    verb: str
    answer: Callable[[Api, RoutedRequest], Answer]
    summary: str
    answers: Mapping[int, str]
    parameters: tuple[str, ...] = ()
    body: str = ""
    changes: bool = True


_V3 = {200: "Nothing"}
_TAIL = ("n", "since_s", "follow")
_BEGUN = {200: "Lines", 202: "Accepted", 404: "Error"}

_PROBE = {200: "Text", 404: "Text", 422: "Text", 503: "Text"}

ROUTES = (
    Route("GET", "/livez", "health", probes.live, "Say whether corepilot is live: it answers. Of jobs: they run.",
          _PROBE, parameters=("job",), changes=False),
    Route("GET", "/readyz", "health", probes.ready, "Say whether the container is ready, or what keeps it from that.",
          _PROBE, parameters=("job",), changes=False),
    Route("", "/v3/ping", "ping", v3.ping, "Say that corepilot answers.", _V3, changes=False),
    Route("POST", "/v3/environ", "environ", v3.environ, "Set variables for commands that start from now on.",
          {**_V3, 422: "Text"}, body="Variables"),
    Route("POST", "/v3/metric", "metric", v3.metric, "Record values of declared metrics.", {**_V3, 422: "Text"},
          body="Metrics"),
    Route("POST", "/v3/maintenance/enable", "maintenance", v3.enable_maintenance, "Leave the catalog.", _V3),
    Route("POST", "/v3/maintenance/disable", "maintenance", v3.disable_maintenance, "Come back to the catalog.", _V3),
    Route("POST", "/v3/reload", "reload", v3.reload,
          "Begin everything anew from the configuration; answered once it is prepared.", {**_V3, 422: "Text"}),
    Route("GET", "/v1/ping", "ping", v1.ping, "Which corepilot this is.", {200: "Ping"}, changes=False),
    Route("GET", "/v1/status", "status", v1.status, "Jobs, services and watches.", {200: "Status"}, changes=False),
    Route("GET", "/v1/instances/NAME", "instances", v1.instances, "The instances of a watched service.",
          {200: "Instances", 404: "Error"}, changes=False),
    Route("POST", "/v1/environ", "environ", v1.environ, "Set variables for commands that start from now on.",
          {200: "VariablesSet"}, body="Variables"),
    Route("POST", "/v1/metric", "metric", v1.metric, "Record values of declared metrics.",
          {200: "MetricsRecorded", 422: "MetricsRejected"}, body="Metrics"),
    Route("POST", "/v1/maintenance/enable", "maintenance", v1.enable_maintenance, "Leave the catalog.",
          {200: "Maintenance"}),
    Route("POST", "/v1/maintenance/disable", "maintenance", v1.disable_maintenance, "Come back to the catalog.",
          {200: "Maintenance"}),
    Route("GET", "/v1/jobs", "jobs", operations.jobs, "The status of all jobs, or of those that are named.",
          {200: "Jobs", 404: "Error"}, parameters=("job",), changes=False),
    Route("POST", "/v1/jobs", "jobs", operations.on_jobs,
          "One action on several jobs: on all of them, or, if one name is unknown, on none.",
          {**_BEGUN, 200: "LinesOrSignalled"}, parameters=_WAITING, body="Command"),
    Route("GET", "/v1/jobs/NAME", "jobs", operations.job, "The status of one job, or of those that match a pattern.",
          {200: "Jobs", 404: "Error"}, changes=False),
    Route("POST", "/v1/jobs/NAME/start", "start", operations.start,
          "Run a job now, whatever its `when` and its back-off say.", _BEGUN, parameters=_WAITING),
    Route("POST", "/v1/jobs/NAME/stop", "stop", operations.stop,
          "Stop a job, which then ignores what would start it until `start`.", _BEGUN, parameters=_WAITING),
    Route("POST", "/v1/jobs/NAME/restart", "restart", operations.restart, "Stop a job and run it again.", _BEGUN,
          parameters=_WAITING),
    Route("POST", "/v1/jobs/NAME/reload", "reload-job", operations.reload_job,
          "Have a job read its own configuration again: its `reload`, and the event.", _BEGUN, parameters=_WAITING),
    Route("POST", "/v1/jobs/NAME/signal", "signal", operations.signal,
          "Send a signal to a job's main process, or to its process group.",
          {200: "Signalled", 404: "Error"}, body="Signal"),
    Route("POST", "/v1/jobs/NAME/wait", "wait", operations.wait, "Wait until a job is in a state.", _BEGUN,
          parameters=_WAITING, body="Wait", changes=False),
    Route("POST", "/v1/reload", "reload", operations.reload, "Take the configuration into use as it is now.",
          {200: "Lines", 202: "Accepted"}, parameters=("mode", *_WAITING)),
    Route("POST", "/v1/plan", "plan", v1.plan, "What a reload would do, and why; changes nothing.",
          {200: "Plan"}, body="Location", changes=False),
    Route("GET", "/v1/logs", "logs", tails.logs, "The last lines of all jobs or of some, and those that follow.",
          {200: "Logs", 404: "Error"}, parameters=("job", *_TAIL), changes=False),
    Route("GET", "/v1/events", "events", tails.events, "The last events, and those that follow.",
          {200: "Events"}, parameters=_TAIL, changes=False),
    Route("GET", "/v1/debug/stacks", "debug", v1.stacks, "What every greenlet and thread of the supervisor is doing.",
          {200: "Text"}, changes=False),
    Route("GET", "/v1/requests/ID", "requests", operations.request, "What became of something that was asked for.",
          {200: "Request", 404: "Error"}, changes=False),
    Route("POST", "/v1/shutdown", "shutdown", v1.shutdown, "Stop everything, as SIGTERM does.", {200: "Stopping"}),
)  # fmt: skip


class Endpoint(Value):
    """A path that was found.

    Attributes:
        label: The path as the table has it: one of few.
        methods: The route of each method; "" stands for any.
        name: What the request has in the place of NAME or ID.
    """

    label: str
    methods: Mapping[str, Route]
    name: str = ""

    def route(self, method: str) -> Route | None:
        """The route of a method, or None if it is not allowed here."""
        return self.methods.get(method) or self.methods.get("")


def find(path: str) -> Endpoint | None:
    """Find a decoded path in the table."""
    methods = _EXACT.get(path)
    if methods is not None:
        return Endpoint(path, methods)
    for before, after, label, found in _PATTERNS:
        if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
            return Endpoint(label, found, path[len(before) : len(path) - len(after)])
    return None


def _by_path() -> dict[str, dict[str, Route]]:
    found: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        methods = found.setdefault(route.path, {})
        methods[route.method] = route
        if route.method == "GET":
            methods["HEAD"] = route
    return found


def _patterns(paths: Mapping[str, Mapping[str, Route]]) -> list[tuple[str, str, str, Mapping[str, Route]]]:
    """What stands before and after the name in each path that has one; those with more after it come first."""
    found = []
    for path, methods in paths.items():
        for name in NAMES:
            before, here, after = path.partition(f"/{name}")
            if here:
                found.append((f"{before}/", after, path, methods))
    return sorted(found, key=lambda one: -len(one[1]))


_EXACT = _by_path()
_PATTERNS = _patterns(_EXACT)
for _pattern in _PATTERNS:
    del _EXACT[_pattern[2]]
