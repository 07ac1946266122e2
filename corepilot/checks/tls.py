"""TLS of the checks that have it."""

from typing import Any

from corepilot.http.tls import TlsContexts, TlsOptions


def contexts_of(tls: Any, protocol: str = "http/1.1") -> TlsContexts:
    """What makes the contexts of a check's connections.

    Args:
        tls: The check's options: see `corepilot.plugin.network.CheckTls`.
        protocol: What is spoken inside.
    """
    return TlsContexts(TlsOptions(tls.ca, "", tls.cert, tls.key, tls.name, tls.verify), protocol)


def reason_of(error: OSError) -> str:
    """Why a connection failed, for people; a certificate that cannot be verified says what is wrong with it."""
    return getattr(error, "verify_message", None) or error.strerror or str(error) or type(error).__name__
