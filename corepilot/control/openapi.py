"""Makes docs/reference/openapi.json from the table of routes: `python -m corepilot.control.openapi`.

OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0). Not imported by the supervisor.
"""

import json
import sys
from typing import Any

from corepilot.control.operations import ACTIONS, CONDITIONS, MODES
from corepilot.control.routes import NAMES, ROUTES, Route

EVERYWHERE = {
    400: "The request is not HTTP.",
    403: "This user may not use the socket, or the configuration forbids it.",
    409: "It cannot be done now: corepilot is stopping, for example.",
    422: "Refused: the message says what is wrong, and nothing was done.",
    500: "A bug in corepilot; its log says more.",
    503: "Too busy: try again.",
}
"""What any request may be answered with; 422 only in /v1, where a misspelt parameter is refused."""

_UNUSABLE = 422
_OURS = frozenset((403, 409, 422))
"""Those of them that /v1 answers in JSON."""

_DESCRIPTIONS = {
    200: "Done.",
    202: "Begun. `GET /v1/requests/ID` tells what became of it.",
    404: "Nothing has that name; the message lists the known ones.",
    422: EVERYWHERE[422],
    503: "No, and why; or too busy: then with a Retry-After.",
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "job": {
        "description": "A name or a pattern; may be repeated.",
        "schema": {"type": "array", "items": {"type": "string"}},
        "explode": True,
    },
    "wait": {
        "description": "1: answer with what happens, line by line, until it is done.",
        "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
    },
    "timeout_s": {
        "description": "With wait=1: wait for so many seconds at most. What was asked for goes on.",
        "schema": {"type": "number", "minimum": 0},
    },
    "mode": {
        "description": "What is restarted: jobs that changed; every job; everything, begun anew.",
        "schema": {"type": "string", "enum": list(MODES), "default": "changed"},
    },
    "n": {
        "description": "The last so many only; all that are kept without it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "since_s": {
        "description": "Only what happened at this Unix time or later.",
        "schema": {"type": "number", "minimum": 0},
    },
    "follow": {
        "description": "1: go on with what happens from now on.",
        "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
    },
    "NAME": {"description": "A name, or a pattern with * ? [ ].", "schema": {"type": "string"}},
    "ID": {"description": "The id of a request.", "schema": {"type": "integer"}},
}

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_PID: dict[str, Any] = {"type": ["integer", "null"]}
_TRUTH: dict[str, Any] = {"type": "boolean"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: dict[str, dict[str, Any]] = {
    "Text": {"type": "string", "description": "One line, or several."},
    "Nothing": {"type": "string", "const": "\n"},
    "Error": _object({"error": _TEXT}),
    "Variables": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
    "VariablesSet": _object({"set": _list(_TEXT), "skipped": _list(_TEXT)}),
    "Metrics": {"type": ["object", "null"]},
    "MetricsRecorded": _object({"recorded": _NUMBER}),
    "MetricsRejected": _object({"error": _TEXT}, rejected=_list(_TEXT)),
    "Maintenance": _object({"maintenance": _TRUTH}),
    "Stopping": _object({"stopping": _TRUTH}),
    "Ping": _object({"pid": _NUMBER, "version": _TEXT, "config": _TEXT}),
    "Status": _object(
        {
            "version": _TEXT,
            "pid": _NUMBER,
            "uptime_s": {"type": "number"},
            "config": _TEXT,
            "socket": _TEXT,
            "stopping": _TRUTH,
            "catalogs": {"type": "array", "items": {"type": "object"}},
            "jobs": _ref("Jobs"),
            "services": _list({"type": "object"}),
            "locks": _list({"type": "object"}),
            "watches": _list({"type": "object"}),
            "render": _list({"type": "object"}),
            "sinks": _list({"type": "object"}),
            "observers": _list({"type": "object"}),
        }
    ),
    "Job": _object(
        {
            "name": _TEXT,
            "state": _TEXT,
            "waits_for": _list(_TEXT),
            "health": _TEXT,
            "address": _TEXT,
            "port": _NUMBER,
            "user": _TEXT,
            "listen": _list(_TEXT),
            "pid": _PID,
            "starts": _NUMBER,
            "last_status": {"type": ["integer", "null"]},
            "trouble": _TEXT,
            "up_s": {"type": ["number", "null"]},
            "ready": {"type": ["boolean", "null"]},
            "said": _TEXT,
            "checks": _list(_ref("Check")),
        }
    ),
    "Check": _object(
        {
            "name": _TEXT,
            "level": {"type": "string", "enum": ["alive", "ready"]},
            "status": {"type": "string", "enum": ["unknown", "passing", "failing"]},
            "failures": _NUMBER,
            "output": _TEXT,
            "duration_s": {"type": ["number", "null"]},
            "history": _list(
                _object({"at": {"type": "number"}, "passed": _TRUTH, "duration_s": {"type": "number"}, "output": _TEXT})
            ),
        }
    ),
    "Jobs": _list(_ref("Job")),
    "Instances": _list(
        _object({"id": _TEXT, "address": _TEXT, "port": _NUMBER, "status": _TEXT, "tags": _list(_TEXT)})
    ),
    "Command": _object(
        {"action": {"type": "string", "enum": list(ACTIONS)}, "jobs": _list(_TEXT)},
        signal=_ref("SignalNumber"),
        group=_TRUTH,
        **{"for": _ref("Condition")},
    ),
    "SignalNumber": {"type": ["string", "integer"], "description": "A name with or without SIG, or a number."},
    "Condition": {"type": "string", "enum": list(CONDITIONS)},
    "Signal": _object({"signal": _ref("SignalNumber")}, group=_TRUTH),
    "Wait": _object({"for": _ref("Condition")}),
    "Signalled": _list(_object({"job": _TEXT, "pid": _PID, "signalled": _TRUTH})),
    "Accepted": _object({"request": _NUMBER}),
    "Change": _object(
        {"what": _TEXT, "name": _TEXT, "kind": _TEXT}, state=_TEXT, pid=_PID, message=_TEXT
    ),
    "End": _object(
        {"result": {"type": "string", "enum": ["done", "refused", "incomplete", "late"]}, "message": _TEXT}
    ),
    "Lines": {"description": "One object a line (NDJSON); the last one is an End.",
              "anyOf": [_ref("Change"), _ref("End")]},
    "LinesOrSignalled": {"description": "As `Lines`; for the action signal one document, as `Signalled`.",
                         "anyOf": [_ref("Change"), _ref("End"), _ref("Signalled")]},
    "Logs": {"description": "One object a line (NDJSON): lines that one run wrote; how many were lost because this "
                            "client is too slow; or, first, which jobs write past the log.",
             "anyOf": [_object({"time": _TEXT, "lines": _list(_TEXT)}, job=_TEXT, check=_TEXT, pid=_PID, stream=_TEXT),
                       _object({"lost": _NUMBER}), _object({"raw": _list(_TEXT)})]},
    "Events": {"description": "One object a line (NDJSON): an event, or how many were lost because this client is "
                              "too slow.",
               "anyOf": [_object({"time": _TEXT, "code": _TEXT, "source": _TEXT, "detail": _TEXT,
                                  "status": {"type": ["integer", "null"]},
                                  "origin": {**_list({"type": "array"}), "description": "Jobs and runs."}}),
                         _object({"lost": _NUMBER})]},
    "Request": _object(
        {"id": _NUMBER, "kind": _TEXT, "finished": _TRUTH, "result": _TEXT, "changes": _list(_ref("Change"))}
    ),
    "Location": {
        "type": "object",
        "properties": {"location": {"type": ["string", "array", "null"], "items": _TEXT, "minItems": 1,
                                    "description": "An absolute path, a URL, or several of these, which are merged; "
                                                   "null for the configuration that runs."}},
    },
    "Plan": _object(
        {
            "changes": _list(
                _object(
                    {"what": _TEXT, "name": _TEXT, "kind": _TEXT, "consequence": _TEXT,
                     "settings": {**_list(_list(_TEXT)), "description": "Name, old and new value of each."}}
                )
            )
        }
    ),
}  # fmt: skip
"""Of bodies, by the names that the table of routes uses."""

_STREAMED = ("Lines", "LinesOrSignalled", "Logs", "Events")
_PLAIN = ("Text", "Nothing")


def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(_templated(route.path), {})[route.method.lower() or "get"] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "corepilot's control API",
            "version": "1",
            "description": "HTTP over the control socket; see control-api.md.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                _shared(status, ours=ours): _response(text, "Error" if ours and status in _OURS else "Text")
                for ours in (False, True)
                for status, text in EVERYWHERE.items()
                if ours or status != _UNUSABLE
            },
        },
    }


def _shared(status: int, *, ours: bool) -> str:
    return f"{status}-json" if ours and status in _OURS else str(status)


def _templated(path: str) -> str:
    for name in NAMES:
        path = path.replace(f"/{name}", f"/{{{name}}}")
    return path


def _operation(route: Route) -> dict[str, Any]:
    ours = route.path.startswith("/v1/")
    places = [{"name": name, "in": "path", "required": True, **_PARAMETERS[name]}
              for name in NAMES if f"/{name}" in route.path]  # fmt: skip
    queries = [{"name": name, "in": "query", **_PARAMETERS[name]} for name in route.parameters]
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower() or 'any'}{route.path.replace('/', '_')}",
        "summary": route.summary,
    }
    if places or queries:
        found["parameters"] = places + queries
    if route.body:
        found["requestBody"] = {"content": {"application/json": {"schema": _ref(route.body)}}}
    found["responses"] = {
        **{str(status): _response(_DESCRIPTIONS[status], schema) for status, schema in sorted(route.answers.items())},
        **{
            str(status): {"$ref": f"#/components/responses/{_shared(status, ours=ours)}"}
            for status in EVERYWHERE
            if status not in route.answers and (ours or status != _UNUSABLE)
        },
    }
    return found


def _response(description: str, schema: str) -> dict[str, Any]:
    kinds = ["text/plain"] if schema in _PLAIN else ["application/json"]
    if schema in _STREAMED:
        kinds = ["application/x-ndjson", *(["application/json"] if schema == "LinesOrSignalled" else [])]
    found: dict[str, Any] = {"description": description}
    if schema in _STREAMED:
        found["headers"] = {"Corepilot-Request": {"description": "The request's id.", "schema": {"type": "integer"}}}
    found["content"] = {kind: {"schema": _ref(schema)} for kind in kinds}
    return found


def page() -> str:
    """The document as it is stored."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
