"""What the command line uses to find a running corepilot and to talk to it, over the control socket. Blocks.

It imports the standard library's socket and nothing that is heavy: its start is most of what `corepilot ping` takes.
"""

from __future__ import annotations

import os
import time

from corepilot.control.locations import container_user, others_sockets, private_location, socket_locations
from corepilot.control.wire import (
    TURNED_AWAY_WAIT_S,
    Exchange,
    ForeignProcessError,
    explained,
    miss,
    quoted,
    turned_away,
)
from corepilot.errors import ControlError
from corepilot.wording.escaping import escaped

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepilot.control.stream import AnswerStream

__all__ = ["ControlClient", "find", "quoted"]

_PROBE_S = 1.0
_ANSWER_S = 5.0
_OK = 200
_OTHERS_MAX = 3


class ControlClient:
    """Sends requests to the corepilot behind one control socket, each on a connection of its own.

    A server that has no room for another connection is asked again until the deadline: it has read nothing then.

    Args:
        path: The socket.
        pid: The process that has to listen there, or 0 for any: requests reach the one that was found, or nobody.
    """

    def __init__(self, path: str, pid: int = 0) -> None:
        self.path = path
        self.pid = pid

    def request(
        self, method: str, path: str, body: bytes | None = None, deadline_s: float = _ANSWER_S
    ) -> tuple[int, bytes]:
        """Send one request and read the whole answer.

        Args:
            method: In capitals.
            path: Path and query, percent-encoded.
            body: None for a request without one.
            deadline_s: For everything together, in seconds.

        Returns:
            Status and body of the answer, whatever the status is.

        Raises:
            ControlError: The socket cannot be reached, does not answer in time, or what answers does not speak HTTP.
                Whether the request was carried out is then known only if there was no connection.
        """
        until = time.monotonic() + deadline_s
        try:
            while True:
                with Exchange(self.path, until, self.pid) as exchange:
                    exchange.send(method, path, body, version="1.0")
                    status, fields = exchange.read_head()
                    answer = exchange.read_all(fields)
                if not turned_away(status, fields) or time.monotonic() + TURNED_AWAY_WAIT_S > until:
                    return status, answer
                time.sleep(TURNED_AWAY_WAIT_S)
        except OSError as error:
            raise explained(self.path, error, deadline_s) from error

    def stream(
        self, method: str, path: str, body: bytes | None = None, deadline_s: float | None = None
    ) -> AnswerStream:
        """Send one request and read the answer line by line, as the lines come.

        Args:
            method: In capitals.
            path: Path and query, percent-encoded.
            body: None for a request without one.
            deadline_s: For everything together, the lines included, in seconds; None waits for as long as the server
                lives.

        Returns:
            The status and the lines of the answer; to be closed, best by `with`.

        Raises:
            ControlError: As for `request`.
        """
        from corepilot.control.stream import AnswerStream

        until = None if deadline_s is None else time.monotonic() + deadline_s
        turns_end = time.monotonic() + (_ANSWER_S if deadline_s is None else deadline_s) - TURNED_AWAY_WAIT_S
        try:
            while True:
                stream = AnswerStream(Exchange(self.path, until, self.pid), deadline_s)
                stream.begin(method, path, body)
                if not turned_away(stream.status, stream.fields) or time.monotonic() > turns_end:
                    return stream
                stream.close()
                time.sleep(TURNED_AWAY_WAIT_S)
        except OSError as error:
            raise explained(self.path, error, deadline_s) from error


def find(
    configured: str | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    config: str | None = None,
    required: bool = False,
) -> ControlClient:
    """Find the running corepilot.

    Args:
        configured: The socket, as the user or the configuration named it; None looks in the default places.
        environment: Where $XDG_RUNTIME_DIR is looked up.
        config: The absolute path of the configuration that it should run, if there is one: of several that answer at
            default places, it is the one that runs it.
        required: Only the one that runs `config` will do, also if it is the only one that answers.

    Returns:
        A client for it. At a place that was not named, it has to be a process of this user, of root, or, for root, of
        the user that PID 1 runs as: others may not pretend to be corepilot.

    Raises:
        ControlError: Nobody was found, or not the right one, or several and none of them is known to be it; the message
            names each place with what is there, and what to do.
    """
    misses: dict[str, list[str]] = {}
    hints: dict[str, str] = {}
    found: list[ControlClient] = []
    places = socket_locations(configured, environment)
    trusted = {0, os.geteuid()}
    # `docker exec -u 0` in a container that runs as another user: what that one runs is the container itself.
    user = container_user()
    if not configured and user not in trusted:
        trusted.add(user)
        places += (private_location(user),)
    for place in places:
        try:
            with Exchange(place.path, time.monotonic() + _PROBE_S) as exchange:
                if not place.configured and exchange.uid not in trusted:
                    raise ForeignProcessError(exchange.uid)
                found.append(ControlClient(place.path, exchange.pid))
        except TimeoutError:
            # Its backlog is full: somebody is there.
            found.append(ControlClient(place.path))
        except OSError as error:
            key, why, hint = miss(place.path, error)
            misses.setdefault(why, []).append(escaped(place.path))
            hints[key] = hint
    if len(found) == 1 and not required:
        return found[0]
    missed = [f"{why} {', '.join(paths)}" for why, paths in misses.items()]
    if found:
        return _the_one_that_runs(config, found, missed)
    # A place where there is something says more than one where there is nothing.
    hint = hints.get("denied") or hints.get("foreign") or hints.get("stale") or hints.get("other") or hints["absent"]
    elsewhere = [] if configured or "denied" in hints else others_sockets()
    if elsewhere:
        told = " and ".join([f"uid {uid} may have one at {path}" for path, uid in elsewhere[:_OTHERS_MAX]])
        hint = f"{told}: {'name it with --socket' if os.geteuid() == 0 else 'run this as that user, or as root'}"
    raise ControlError(f"cannot reach corepilot: {'; '.join(missed)}; {hint}")


def _the_one_that_runs(config: str | None, found: list[ControlClient], missed: list[str]) -> ControlClient:
    """Ask each what it runs. Paths are resolved here and now: a mounted configuration may be a link that changes."""
    others = []
    for client in found:
        runs = _configuration_of(client)
        if config and runs and os.path.realpath(runs) == os.path.realpath(config):
            return client
        who = f"the one at {escaped(client.path)}" + (f" (pid {client.pid})" if client.pid else "")
        others.append(f"{who} runs {escaped(runs)}" if runs else f"{who} does not say what it runs")
    which = f"find the corepilot that runs {escaped(config)}" if config else "tell which corepilot is meant"
    raise ControlError(
        f"cannot {which}: {'; '.join((*others, *missed))}; "
        "name the socket with --socket PATH, or the configuration that it runs with -c FILE"
    )


def _configuration_of(client: ControlClient) -> str:
    """The absolute path of the configuration that a corepilot runs; "" if it does not tell."""
    import json

    try:
        status, body = client.request("GET", "/v1/ping")
        answer = json.loads(body) if status == _OK else None
    except (ControlError, ValueError):
        return ""
    runs = answer.get("config") if isinstance(answer, dict) else None
    return runs if isinstance(runs, str) else ""
