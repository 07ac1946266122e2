"""What people read when a server cannot be reached: the address, why, what to do, and what was sent last."""

import pytest

from corepilot.http.errors import HttpConnectError, HttpError, HttpProtocolError, HttpTimeoutError
from corepilot.http.failures import unreachable


@pytest.mark.parametrize(
    ("kind", "origin", "reason", "hint"),
    [
        (HttpConnectError, "http://a:1", "Connection refused", "; check that it is running there"),
        (HttpConnectError, "https://a:1", "self-signed certificate", "; name its authority in tls.cafile"),
        (
            HttpConnectError,
            "https://a:1",
            "unable to get local issuer certificate",
            "; name its authority in tls.cafile",
        ),
        (
            HttpConnectError,
            "https://a:1",
            "Hostname mismatch, certificate is not valid for 'a'.",
            "; name the host as the certificate does, or set tls.servername",
        ),
        (
            HttpConnectError,
            "https://a:1",
            "[SSL: WRONG_VERSION_NUMBER] wrong",
            "; it does not speak TLS there: write http://",
        ),
        (
            HttpProtocolError,
            "http://a:1",
            "the connection was lost: closed without an answer",
            "; if it speaks TLS there, write https://",
        ),
        (HttpProtocolError, "https://a:1", "the connection was lost: closed without an answer", ""),
        (HttpTimeoutError, "http://a:1", "no complete answer within 2 s", ""),
    ],
)
def test_a_failure_says_what_to_do(kind: type[HttpError], origin: str, reason: str, hint: str) -> None:
    error = kind(origin, "POST", "/v3/kv/range?token=secret", reason)
    assert unreachable(error, "etcd") == f"cannot reach etcd at {origin}: {reason}{hint} [POST /v3/kv/range]"
