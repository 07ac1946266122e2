"""Requests to the cluster: whichever member answers, with the user's token.

A member that does not answer within the option `timeout`, or says that it cannot (it has no leader, say), is left for
the next one in the list, and every later request goes there. A request is sent to another member only if that does no
harm. Name and password are exchanged for a token (etcd.io/docs/v3.4/op-guide/authentication), which etcd forgets
after some minutes without use, or at a restart: then they are shown again. Redirects are not followed.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

from corepilot.errors import BackendError, BackendRefusedError, BackendTimeoutError, BackendUnavailableError
from corepilot.http.tls import TlsOptions
from corepilot_etcd.cluster import Cluster
from corepilot_etcd.encoding import Message
from corepilot_etcd.member import Member, MessageStream, NotSentError
from corepilot_etcd.refusals import NoAuthenticationError, StaleTokenError
from corepilot_etcd.single import Single

REFUSED_S = 5.0
"""How long a refused password is not shown again: etcd takes a tenth of a second of processor time to look at one."""

_IMPATIENT_S = 1.0
"""A caller that gave up after so long had to do with a member that hangs."""

_Answer = TypeVar("_Answer")


class Transport:
    """The one connection of a backend: a pool for each member.

    Args:
        options: What the configuration says.
    """

    def __init__(self, options: Cluster) -> None:
        tls = TlsOptions.of(options.tls)
        self._members = [Member(origin, tls) for origin in options.origins]
        self._current = 0
        self._timeout_s = options.timeout
        self._user, self._password = options.user, options.password
        self._token = Single(self._authenticate)
        self._refused_at, self._refusal = -REFUSED_S, ""

    @property
    def origin(self) -> str:
        """Where the cluster is, for people."""
        return ",".join(member.origin for member in self._members)

    @property
    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._members)

    def call(
        self, path: str, message: Mapping[str, Any], *, repeatable: bool = True, patience_s: float = math.inf
    ) -> Message:
        """Ask the cluster.

        Args:
            path: Such as /v3/kv/range.
            message: The request.
            repeatable: Whether it does no harm if two members act on it.
            patience_s: The most that one member gets, in seconds, where that is less than the option `timeout`.

        Raises:
            BackendUnavailableError, BackendTimeoutError: no member answered; one may have acted on it.
            BackendRefusedError: the answer is no.
        """

        def ask(member: Member) -> Message:
            return self.call_member(member, path, message, repeatable=repeatable, patience_s=patience_s)

        return self._from_any(ask, repeatable)

    def call_member(
        self,
        member: Member,
        path: str,
        message: Mapping[str, Any],
        *,
        repeatable: bool = True,
        patience_s: float = math.inf,
    ) -> Message:
        """Ask one member, and no other."""

        def ask(token: str) -> Message:
            return member.ask(
                path,
                message,
                _headers(token),
                deadline_s=min(self._timeout_s, patience_s),
                repeatable=repeatable,
                secret=token,
            )

        return self._with_token(ask)

    def open(self, path: str, message: Mapping[str, Any]) -> MessageStream:
        """Ask for a stream; which member it comes from is the stream's."""

        def ask(member: Member, token: str) -> MessageStream:
            return member.open(path, message, _headers(token), deadline_s=self._timeout_s, secret=token)

        return self._from_any(lambda member: self._with_token(lambda token: ask(member, token)), repeatable=True)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While an answer is read: a ValueError becomes the BackendUnavailableError of an answer that is not etcd's."""
        try:
            yield
        except ValueError as error:
            raise BackendUnavailableError(
                f"cannot read the answer of {self.origin}: {error}; check that an etcd listens there"
            ) from None

    def leave(self, member: Member) -> None:
        """A member does not answer: ask the next one from now on."""
        if self._members[self._current] is member:
            self._current = (self._current + 1) % len(self._members)

    def close(self) -> None:
        """Close every connection and stream. Idempotent, does not wait."""
        for member in self._members:
            member.close()

    def _from_any(self, ask: Callable[[Member], _Answer], repeatable: bool) -> _Answer:  # noqa: FBT001
        failure: BackendError | None = None
        for _ in self._members:
            member, begun = self._members[self._current], monotonic()
            try:
                return ask(member)
            except (BackendUnavailableError, BackendTimeoutError) as error:
                if not isinstance(error, NotSentError) and not _blames_the_member(error):
                    raise
                self.leave(member)
                failure = error
                if not repeatable and not isinstance(error, NotSentError):
                    break
            except BackendError:
                raise
            except BaseException:
                if monotonic() - begun > _IMPATIENT_S:
                    self.leave(member)
                raise
        assert failure is not None  # noqa: S101  - there is at least one member
        raise failure

    def _with_token(self, ask: Callable[[str], _Answer]) -> _Answer:
        if not self._user:
            return ask("")
        token = self._token.get()
        try:
            return ask(token)
        except StaleTokenError:
            self._token.drop(token)
            return ask(self._token.get())

    def _authenticate(self) -> str:
        message = {"name": self._user, "password": self._password}
        if monotonic() < self._refused_at + REFUSED_S:
            raise BackendRefusedError(self._refusal)

        def ask(member: Member) -> Message:
            return member.ask(
                "/v3/auth/authenticate",
                message,
                (),
                deadline_s=self._timeout_s,
                repeatable=True,
                secret=self._password,
            )

        try:
            token = self._from_any(ask, repeatable=True).get("token")
        except NoAuthenticationError:
            return ""  # nobody is asked for a password (yet)
        except BackendRefusedError as error:
            self._refused_at, self._refusal = monotonic(), str(error)
            raise
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise BackendUnavailableError(f"cannot log in at {self.origin}: the answer holds no token")
        return token


def _blames_the_member(error: BackendError) -> bool:
    """Whether another member may do better: not where the answer is about the request itself."""
    return type(error) in {BackendUnavailableError, BackendTimeoutError}


def _headers(token: str) -> list[tuple[str, str]]:
    # A member without a leader then says so at once, instead of waiting for one, and ends its streams.
    fields = [("Content-Type", "application/json"), ("Grpc-Metadata-hasleader", "true")]
    if token:
        fields.append(("Authorization", token))
    return fields
