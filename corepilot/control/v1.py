"""The answers of /v1 about the whole: JSON in and out, and errors that say what was wrong."""

import os
from typing import Any

from corepilot._version import __version__
from corepilot.control.api import Api, RoutedRequest, as_json, failed, plain
from corepilot.control.payload import PayloadError, parse_object
from corepilot.control.values import put_environ, put_metric
from corepilot.http.message import Response


def ping(api: Api, _: RoutedRequest) -> Response:
    """Which corepilot this is."""
    return as_json(200, {"pid": os.getpid(), "version": __version__, "config": api.target.config})


def status(api: Api, _: RoutedRequest) -> Response:
    """What `corepilot status` shows."""
    return as_json(200, api.target.status())


def instances(api: Api, asked: RoutedRequest) -> Response:
    """The instances of a watched service."""
    found = api.target.instances(asked.name)
    if found is None:
        return failed(
            404, f"cannot list instances of {asked.name!r}: no watch has that name; `corepilot status` names all"
        )
    return as_json(200, found)


def environ(api: Api, asked: RoutedRequest) -> Response:
    """Set variables for the jobs started from now on."""
    try:
        values, skipped = put_environ(api, asked.request.body)
    except PayloadError as error:
        return failed(422, f"cannot set variables: {error}")
    return as_json(200, {"set": sorted(values), "skipped": sorted(skipped)})


def metric(api: Api, asked: RoutedRequest) -> Response:
    """Record values of metrics."""
    try:
        values = parse_object(asked.request.body)
    except PayloadError as error:
        return failed(422, f"cannot record metrics: {error}")
    rejected = put_metric(api, values)
    if rejected:
        return as_json(422, {"error": "; ".join(rejected), "rejected": rejected})
    return as_json(200, {"recorded": len(values)})


def enable_maintenance(api: Api, _: RoutedRequest) -> Response:
    """Leave the catalog."""
    api.target.maintenance(enable=True)
    return as_json(200, {"maintenance": True})


def disable_maintenance(api: Api, _: RoutedRequest) -> Response:
    """Come back."""
    api.target.maintenance(enable=False)
    return as_json(200, {"maintenance": False})


def plan(api: Api, asked: RoutedRequest) -> Response:
    """What a reload would do."""
    try:
        values = parse_object(asked.request.body) if asked.request.body else {}
    except PayloadError as error:
        return failed(422, f"cannot plan: {error}")
    given = values.get("location")
    locations: list[Any] = given if isinstance(given, list) else [] if given is None else [given]
    if not all(map(_is_location, locations)) or given == []:
        return failed(422, "cannot plan: the location is not null, an absolute path, a URL, or several of these")
    outcome = api.target.plan(tuple(locations))
    return as_json(200, {"changes": outcome.changes}) if outcome.ok else failed(422, outcome.text)


def stacks(api: Api, _: RoutedRequest) -> Response:
    """What every greenlet and thread is doing."""
    return plain(200, api.target.stacks())


def _is_location(value: object) -> bool:
    """Whether a value is a location that means the same for everybody: no path below a working directory."""
    return isinstance(value, str) and "\0" not in value and (value[:1] == "/" or ":" in value.partition("/")[0])


def shutdown(api: Api, _: RoutedRequest) -> Response:
    """Stop everything, as SIGTERM does."""
    api.target.shutdown()
    return as_json(200, {"stopping": True})
