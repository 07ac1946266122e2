"""The application: requests are counted in PostgreSQL, and work for later goes to redis.

GET  /live      whether this process works at all
GET  /ready     whether the database answers, too
GET  /visits    counts the visit, and says how many there are
POST /work/ID   takes a text, whose length is what a worker is to find out
GET  /work/ID   what a worker has found out; 404 until then
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import redis

Answer = tuple[str, dict[str, Any]]

_queue = redis.Redis.from_url(os.environ["REDIS_URL"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What WSGI calls for each request."""
    path = environ["PATH_INFO"]
    try:
        status, found = _answer(environ["REQUEST_METHOD"], path, environ)
    except (psycopg.Error, redis.RedisError) as error:
        sys.stdout.write(
            json.dumps({"level": "error", "message": "cannot answer", "path": path, "why": str(error)}) + "\n"
        )
        status, found = "503 Service Unavailable", {"error": type(error).__name__}
    body = json.dumps(found).encode() + b"\n"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _answer(method: str, path: str, environ: dict[str, Any]) -> Answer:
    if path == "/live":
        return "200 OK", {}
    # A connection for each request: nothing has to be mended when the database has been restarted.
    with psycopg.connect(connect_timeout=2) as database:
        if path == "/ready":
            return "200 OK", {"one": _one(database, "select 1")}
        if path == "/visits":
            database.execute("insert into visits (path) values (%s)", [path])
            return "200 OK", {"visits": _one(database, "select count(*) from visits")}
        if path.startswith("/work/"):
            job = path.removeprefix("/work/")
            if method == "POST":
                text = environ["wsgi.input"].read().decode(errors="replace")
                _queue.lpush("work", json.dumps({"job": job, "text": text}))
                return "202 Accepted", {"job": job}
            length = _one(database, "select length from results where job = %s", job)
            return ("404 Not Found", {}) if length is None else ("200 OK", {"job": job, "length": length})
    return "404 Not Found", {}


def _one(database: "psycopg.Connection[Any]", query: str, *values: str) -> Any:
    """The first value of the first row; None where there is no row."""
    row = database.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]
