"""What etcd's errors mean: the one place where they become backend errors. Pure.

The gateway turns gRPC's codes (grpc.io/docs/guides/status-codes) into statuses of HTTP, and not always into the same
ones; the code itself stands in the body. Where the code is not enough, etcd's own texts decide (its
api/v3rpc/rpctypes/error.go).
"""

from typing import Any

from corepilot.errors import (
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    BackendUnavailableError,
)

_LONGEST_QUOTE = 200

_CANCELLED, _UNKNOWN, _INVALID, _DEADLINE, _NOT_FOUND, _DENIED = 1, 2, 3, 4, 5, 7
_EXHAUSTED, _PRECONDITION, _ABORTED, _OUT_OF_RANGE, _INTERNAL, _UNAVAILABLE, _UNAUTHENTICATED = 8, 9, 10, 11, 13, 14, 16
_BY_STATUS = {401: _UNAUTHENTICATED, 403: _DENIED, 408: _DEADLINE, 429: _UNAVAILABLE, 504: _DEADLINE}
_PASSING = frozenset((_CANCELLED, _ABORTED, _INTERNAL, _UNAVAILABLE))


class LeaseGoneError(BackendUnavailableError):
    """The store does not know the lease: it has expired, was revoked, or the store was wiped."""


class LeaseTakenError(BackendRefusedError):
    """There is a lease with this number."""


class CompactedError(BackendUnavailableError):
    """The revision that was asked for has been compacted away."""


class StaleTokenError(BackendRefusedError):
    """The token is none any more, or one is needed: name and password have to be shown again."""


class NoAuthenticationError(BackendRefusedError):
    """The store asks nobody for a password."""


def error_of(where: str, status: int, body: Any, secret: str = "", *, path: str = "") -> BackendError:
    """The error for an answer that is one.

    Args:
        where: What cannot be done, to follow "cannot".
        status: Of HTTP.
        body: As it was parsed; anything else than etcd's error is shown as the status only.
        secret: A text that must not be repeated.
        path: What was asked for, to stand at the end.
    """
    code, said = _code_and_text(status, body, secret)
    what = f"cannot {where}: {f'{said} (status {status})' if said else f'status {status}'}"
    kind, advice = _meaning(code, said, status)
    sent = f" [POST {path}]" if path else ""
    return kind(f"{what}; {advice}{sent}" if advice else f"{what}{sent}")


def _meaning(code: int, said: str, status: int) -> tuple[type[BackendError], str]:
    """The error, and what to do about it, or ""."""
    if "requested lease not found" in said:
        return LeaseGoneError, ""
    if "lease already exists" in said:
        return LeaseTakenError, ""
    if "has been compacted" in said:
        return CompactedError, ""
    if "authentication is not enabled" in said:
        return NoAuthenticationError, ""
    if "invalid auth token" in said or "revision of auth store is old" in said or "user name is empty" in said:
        return StaleTokenError, "check the options user and password"
    if code in {_UNAUTHENTICATED, _DENIED} or "authentication failed" in said:
        return BackendRefusedError, "check the options user and password, and the user's roles"
    if "database space exceeded" in said:
        return BackendRefusedError, "compact and defragment it, then disarm the alarm with etcdctl"
    if code == _DEADLINE:
        return BackendTimeoutError, ""
    if code in _PASSING or (code == _EXHAUSTED and "too many requests" in said) or (code == _UNKNOWN and status >= 500):
        return BackendUnavailableError, ""
    if 300 <= status < 400:
        return BackendRefusedError, "redirects are not followed: name the members themselves as endpoints"
    if status == 404 and code != _NOT_FOUND:
        return BackendRefusedError, "check that an etcd of version 3.4 or later listens there"
    return BackendRefusedError, ""


def _code_and_text(status: int, body: Any, secret: str) -> tuple[int, str]:
    """The code of gRPC, 0 if it is not known, and the text in one printable line."""
    code, text = 0, ""
    if isinstance(body, dict):
        found = body.get("code", body.get("grpc_code", 0))
        code = found if type(found) is int else 0
        said = body.get("message", body.get("error", ""))
        text = said if isinstance(said, str) else ""
    if not code:
        code = _BY_STATUS.get(status, _UNAVAILABLE if status >= 500 else 0)
    text = text[: 4 * _LONGEST_QUOTE]
    if secret:
        text = text.replace(secret, "***")
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return code, text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
