"""The page of the control API, its OpenAPI document, and a real server: all three have the same paths and answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from controlling import Running, outcome

from corepilot.control.openapi import SCHEMAS, document, page
from corepilot.control.routes import ROUTES

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
STORED: dict[str, Any] = json.loads((REFERENCE / "openapi.json").read_text())
OPERATIONS = [(path, method) for path, methods in STORED["paths"].items() for method in methods]
NAMES = {"instances": "web", "jobs": "web", "requests": "1"}
"""What the server knows, for the name in a path, by the part before it."""

BODIES: dict[str, list[object]] = {
    "Variables": [{"A": "1", "B": None}],
    "Metrics": [{"m": 1}],
    "Command": [
        {"action": "stop", "jobs": ["web"]},
        {"action": "wait", "jobs": ["web"], "for": "running"},
        {"action": "signal", "jobs": ["web"], "signal": "HUP"},
    ],
    "Signal": [{"signal": 1, "group": True}],
    "Wait": [{"for": "complete"}],
    "Location": [{"location": None}, {"location": "/x"}, {"location": ["/x", "env:X"]}],
}
REFUSABLE = (
    b"", b"[", b"[]", b'{"m": 1}', b'{"for": "running"}', b'{"signal": 1}', b'{"action": "stop", "jobs": ["nope"]}',
)  # fmt: skip
CHANGE: dict[str, object] = {
    "what": "job",
    "name": "x",
    "kind": "updated",
    "settings": [["tags", "a", "b"]],
    "consequence": "goes on",
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "x.socket")
    made.supervisor.outcome = outcome(ok=True, changes=[CHANGE])
    yield made
    made.server.stop()


def mistakes(schema: dict[str, Any], value: object, where: str = "$") -> list[str]:
    """What of a value does not follow a schema: as much of JSON Schema as the document uses."""
    if "$ref" in schema:
        return mistakes(resolved(schema["$ref"]), value, where)
    if "anyOf" in schema:
        tried = [mistakes(one, value, where) for one in schema["anyOf"]]
        return [] if any(not one for one in tried) else [f"{where}: none of {tried}"]
    allowed = schema.get("type", [])
    kinds = [allowed] if isinstance(allowed, str) else allowed
    fits = any(isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean") for kind in kinds)
    if kinds and not fits:
        return [f"{where}: {value!r} is not {kinds}"]
    found = []
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{where}: {value!r} is another value")
    if isinstance(value, dict):
        found += [f"{where}: no {name}" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            found += mistakes(schema.get("properties", {}).get(name, {}), item, f"{where}.{name}")
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += mistakes(schema.get("items", {}), item, f"{where}[{number}]")
    return found


def resolved(reference: str) -> dict[str, Any]:
    found: Any = STORED
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def check(operation: dict[str, Any], status: int, kind: str, body: bytes) -> None:
    """An answer has a documented status, in a documented form."""
    assert str(status) in operation["responses"]
    described = operation["responses"][str(status)]
    described = resolved(described["$ref"]) if "$ref" in described else described
    schema = described["content"][kind.partition(";")[0]]["schema"]
    if kind.startswith("text/plain"):
        values: list[object] = [body.decode()]
    elif kind == "application/x-ndjson":
        values = [json.loads(line) for line in body.splitlines()]
        assert len(values) > 1
        if {"$ref": "#/components/schemas/End"} in schema.get("anyOf", resolved(schema["$ref"])["anyOf"]):
            assert not mistakes(SCHEMAS["End"], values[-1])
    else:
        values = [json.loads(body)]
    for value in values:
        assert mistakes(schema, value) == []


def queries(operation: dict[str, Any]) -> list[str]:
    """Some queries that the document allows."""
    found = [""]
    for parameter in operation.get("parameters", []):
        name, schema = parameter["name"], parameter["schema"]
        if parameter["in"] != "query":
            continue
        if name == "timeout_s":
            found.append("?wait=1&timeout_s=5.5")
        else:
            some = ["1"] if schema["type"] in {"integer", "number"} else ["web"]
            found += [f"?{name}={value}" for value in schema.get("enum", some)]
    return found


def test_the_document_is_made_from_the_table() -> None:
    command = "python -m corepilot.control.openapi > docs/reference/openapi.json"
    assert (REFERENCE / "openapi.json").read_text() == page(), f"run: {command}"


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_server_answers_as_the_document_says(running: Running, path: str, method: str) -> None:
    operation = STORED["paths"][path][method]
    running.ask("POST", "/v1/reload")  # that is request 1
    real = re.sub(r"(\w+)/\{\w+\}", lambda found: f"{found[1]}/{NAMES[found[1]]}", path)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    bodies = [b""] if body is None else [json.dumps(one).encode() for one in BODIES[body["$ref"].rpartition("/")[2]]]
    for query in queries(operation):
        for sent in bodies:
            if body is not None:
                assert mistakes(body, json.loads(sent)) == []
            response = running.ask(method.upper(), real + query, sent)
            assert response.status in {200, 202}, (query, response.body)
            check(operation, response.status, response.headers["content-type"], response.body)
    assert running.errors == []


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_server_refuses_is_in_the_document(running: Running, path: str, method: str) -> None:
    operation = STORED["paths"][path][method]
    running.supervisor.outcome = outcome(ok=False, text="a.json5:1:1: wrong")
    running.supervisor.rejects = ["cannot record m: it is not declared"]
    real = re.sub(r"\{\w+\}", "nope", path)
    refused = set()
    for query in ("", "?wait=1", "?nope=1", "?job=nope"):
        for sent in REFUSABLE:
            response = running.ask(method.upper(), real + query, sent)
            check(operation, response.status, response.headers["content-type"], response.body)
            refused.add(response.status)
    documented = {int(status) for status in operation["responses"]} & {404, 422}
    assert documented <= refused


def test_every_method_at_every_path_is_in_the_document_or_refused(running: Running) -> None:
    for path, methods in STORED["paths"].items():
        real = re.sub(r"\{\w+\}", "web", path)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            documented = method.lower() in methods or path == "/v3/ping"
            assert (running.ask(method, real).status == 405) != documented, (method, path)


def test_every_route_is_in_the_document() -> None:
    documented = {(method.upper(), re.sub(r"[{}]", "", path)) for path, method in OPERATIONS}
    assert documented == {(route.method or "GET", route.path) for route in ROUTES}
    assert document()["openapi"] == "3.1.0"


def test_every_schema_is_used_and_every_reference_leads_somewhere() -> None:
    text = json.dumps(STORED)
    references = set(re.findall(r'"#/components/([^"]+)"', text))
    sections = STORED["components"].items()
    assert references == {f"{section}/{name}" for section, parts in sections for name in parts}


def test_the_page_lists_every_route() -> None:
    listed = re.findall(r"^\| `(GET|POST) (/[^`]*)` \|", (REFERENCE / "control-api.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted((route.method or "GET", route.path) for route in ROUTES)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, True),
        ({"type": ["string", "null"]}, 1),
        ({"$ref": "#/components/schemas/Ping"}, {"pid": 1, "version": "x"}),
        ({"$ref": "#/components/schemas/Jobs"}, [{}]),
        ({"$ref": "#/components/schemas/Lines"}, {"result": "perhaps", "message": ""}),
        ({"$ref": "#/components/schemas/Nothing"}, ""),
    ],
)
def test_the_check_finds_mistakes(schema: dict[str, Any], value: object) -> None:
    assert mistakes(schema, value)
