"""py-consul's transport seam on corepilot's HTTP client, and the one place where its failures become backend errors.

py-consul builds the paths, and parses the answers to what is written. What is read it hands over as it came: a list of
services can be long, and is then parsed piece by piece, or not at all. Everything between is here: deadlines, limits,
TLS, statuses, and answers that are not whole. The token is bound to one origin: redirects are not followed.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partialmethod
from typing import Any, NoReturn

from corepilot.errors import (
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
    LockLostError,
    UnknownInstanceError,
)
from corepilot.http.client import Client, ClientLimits
from corepilot.http.errors import HttpError, HttpTimeoutError, HttpTooLargeError
from corepilot.http.failures import unreachable
from corepilot.http.message import Response
from corepilot.http.percent import query, quoted
from corepilot.http.retry_after import RetryAfter
from corepilot.http.tls import TlsOptions
from corepilot_consul.agent import Agent
from corepilot_consul.blocking import deadline_for
from corepilot_consul.light_consul import ConsulException, HTTPClient
from corepilot_consul.light_consul import Response as Parsable
from corepilot_consul.permissions import permission_for

CALL_DEADLINE_S = 10.0
"""For a request that does not block by design. The registrar's own deadlines are shorter."""

# Every watch holds a connection all the time, and the heartbeats must find one beside them.
_LIMITS = ClientLimits(connections=4096)
_MIB = 1024 * 1024
_LONGEST_TOKEN_BYTES = 4096
_LONGEST_QUOTE = 200

_NEW_SESSION = "/v1/session/create"
_INDEX = "X-Consul-Index"
_INDEXED = ("/v1/health/service/", "/v1/catalog/services")
_EMPTY = (b"", b"[]", b"{}")
_LONGEST_EMPTY = 16
_FILTERED = "X-Consul-Results-Filtered-By-ACLs"
_SLASHES = "/:%"  # the caller has quoted what stands between them


class Transport(HTTPClient):  # type: ignore[misc]  # py-consul has no types
    """What `consul.base.Consul` sends its requests through.

    Args:
        agent: Where the agent is, and with what to ask it.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent
        self._client = Client(agent.origin, tls=TlsOptions.of(agent.tls, ca_path=agent.tls.capath), limits=_LIMITS)
        self._retry_after = RetryAfter()
        self._closed = False

    @property
    def origin(self) -> str:
        """Where the agent is, for people."""
        return self._client.origin

    def uri(self, path: str, params: Sequence[tuple[str, Any]] | None = None) -> str:
        """Path and query; the client knows the origin."""
        found = f"?{query(params)}" if params else ""
        return quoted(path, safe=_SLASHES) + found

    def get(
        self,
        callback: Callable[[Any], Any],  # noqa: ARG002  - it would parse
        path: str,
        params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bool = False,  # noqa: ARG002, FBT001, FBT002  - py-consul's signature
    ) -> Response:
        """GET, not parsed. A blocking query may take as long as it asks for.

        Raises:
            BackendRefusedError: the answer says of itself that it is not whole, among others.
        """
        wait = next((float(str(value).removesuffix("s")) for name, value in params or () if name == "wait"), 0.0)
        deadline_s = deadline_for(wait) if wait else CALL_DEADLINE_S
        response = self._request("GET", self.uri(path, params), b"", headers, deadline_s)
        if response.headers.get(_FILTERED, "").strip().lower() == "true":
            raise BackendRefusedError(
                f"cannot use Consul at {self.origin}: the answer is not whole, the ACL token hides a part of it; "
                f"give it {permission_for(path)} [GET {path}]"
            )
        self._require_consul(path, response)
        return response

    def close(self) -> None:
        """Close the connections, and send nothing more. Idempotent, does not wait."""
        self._closed = True
        self._client.close()

    def nonsense(self, path: str, reason: str) -> NoReturn:
        """Raise the error for an answer of status 200 that is not Consul's.

        Something in between may be to blame (a proxy's error page), and may get out of the way again.
        """
        raise BackendUnavailableError(
            f"cannot read the answer of {self.origin}: {reason}; check that a Consul agent listens there [{path}]"
        ) from None  # py-consul's errors quote the whole body

    def _require_consul(self, path: str, response: Response) -> None:
        """Raise if an answer that says that there is nothing is not Consul's.

        Consul says so of keys with a 404, and elsewhere with an index, whatever it is worth: see `blocking.next_index`.
        """
        if response.status != 200 or len(response.body) > _LONGEST_EMPTY or response.body.strip() not in _EMPTY:
            return
        if path.startswith("/v1/kv/"):
            self.nonsense(path, "it holds no key")
        if path.startswith(_INDEXED) and _INDEX not in response.headers:
            self.nonsense(path, f"it has no {_INDEX}")

    def _send(  # noqa: PLR0917  - as py-consul calls it, after the method
        self,
        method: str,
        callback: Callable[[Any], Any],
        path: str,
        params: Sequence[tuple[str, Any]] | None = None,
        data: str | bytes = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send, and let py-consul parse the answer."""
        body = data.encode() if isinstance(data, str) else data
        target = self.uri(path, params)
        path, _, query = target.partition("?")
        # The client sends a request again whose connection turns out to be dead; these would then be done twice.
        once = path == _NEW_SESSION or "cas=" in query
        response = self._request(method, target, body, headers, CALL_DEADLINE_S, idempotent=not once)
        try:
            return callback(Parsable(response.status, response.headers, response.body))
        except (ConsulException, RecursionError) as error:
            # py-consul quotes the whole body: none of it goes into the message.
            self.nonsense(path, f"it is not JSON ({type(error).__name__})")

    put = partialmethod(_send, "PUT")
    post = partialmethod(_send, "POST")
    delete = partialmethod(_send, "DELETE")

    def _request(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        deadline_s: float,
        *,
        idempotent: bool = True,
    ) -> Response:
        if self._closed:
            raise BackendUnavailableError(f"cannot use Consul at {self.origin}: this client of it was closed")
        if pause_s := self._retry_after.left_s:
            raise BackendUnavailableError(
                f"cannot use Consul at {self.origin} yet: it asked for a pause", retry_after_s=pause_s
            )
        sent = [(name, value) for name, value in (headers or {}).items() if name != "X-Consul-Token"]
        token = self._token()
        if token:
            sent.append(("X-Consul-Token", token))
        if body:
            sent.append(("Content-Type", "application/json"))
        try:
            response = self._client.request(
                method,
                target,
                body,
                sent,
                deadline_s=deadline_s,
                max_body_bytes=self._agent.max_answer_mib * _MIB,
                idempotent=idempotent,
            )
        except HttpTooLargeError as error:
            raise BackendRefusedError(f"{error}; raise max_answer_mib in the options of the backend") from error
        except HttpTimeoutError as error:
            raise BackendTimeoutError(unreachable(error, "Consul")) from error
        except HttpError as error:
            raise BackendUnavailableError(unreachable(error, "Consul")) from error
        self._retry_after.heard(response.status, response.headers.get("Retry-After", ""))
        if not 200 <= response.status < 300:
            self._require_status(method, target.partition("?")[0], response, token)
        return response

    def _require_status(self, method: str, path: str, response: Response, token: str) -> None:
        """Raise the error that a status means; return for those that are fine."""
        status = response.status
        said = _quotation(response.body, token)
        if path.startswith("/v1/agent/service/deregister/") and status == 404 and "unknown service" in said.lower():
            return  # it is gone, which is what was asked for
        if method == "GET" and path.startswith("/v1/kv/") and status == 404 and _INDEX in response.headers:
            return  # there is no such key, which is an answer
        kind, advice = _meaning(status, path, said)
        if method == "GET" and status == 500 and "no path to datacenter" in said.lower():
            kind = BackendError  # the answer to this question, and to no other
        what = f"cannot use Consul at {self.origin}: it answers {status}{f', {said}' if said else ''}"
        error = kind(f"{what}; {advice} [{method} {path}]" if advice else f"{what} [{method} {path}]")
        if isinstance(error, BackendUnavailableError):
            error.retry_after_s = self._retry_after.left_s
        raise error

    def _token(self) -> str:
        agent = self._agent
        if agent.token or not agent.token_file:
            return agent.token
        # Read anew each time, so that a rotated token counts at once: a few bytes, as a rule from memory.
        try:
            descriptor = os.open(agent.token_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                text = os.read(descriptor, _LONGEST_TOKEN_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BackendUnavailableError(f"cannot read the token file {agent.token_file}: {error.strerror}") from error
        token = text.decode("utf-8", "replace").strip()
        if not agent.accepts_token(token):
            raise BackendRefusedError(f"cannot use the token file {agent.token_file}: it holds more than a token")
        return token


def _meaning(status: int, path: str, said: str) -> tuple[type[BackendError], str]:
    """The error that a status means, and what to do about it, or ""."""
    unknown = status == 404 or (status == 500 and _is_unknown_check(said))
    if unknown and path.startswith("/v1/agent/check/update/"):
        return UnknownInstanceError, ""  # whatever the words of a 404: agents of others have their own
    if status == 404 and path.startswith("/v1/session/renew/"):
        return LockLostError, ""
    if status == 500 and path.startswith("/v1/kv/") and "invalid session" in said.lower():
        return LockLostError, ""
    if status in {401, 403}:
        return BackendRefusedError, "check that the ACL token allows this"
    if 300 <= status < 400:
        return BackendRefusedError, "redirects are not followed: name the agent itself as the address"
    if status == 404:
        return BackendRefusedError, "check that a Consul agent listens there"
    if status >= 500 or status in {408, 425, 429}:
        return BackendUnavailableError, ""
    return BackendRefusedError, ""


def _is_unknown_check(said: str) -> bool:
    # Consul's agent package: 'Unknown check ID "service:x"…', 'CheckID "service:x" does not have associated TTL'.
    text = said.lower()
    return "unknown check" in text or "does not have associated ttl" in text


def _quotation(body: bytes, token: str) -> str:
    """The beginning of an error's text in one printable line, without the token."""
    text = body[: 4 * _LONGEST_QUOTE].decode("utf-8", "replace")
    if token:
        text = text.replace(token, "***")
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
