"""What a failed exchange means to people who gave an address: what cannot be reached, why, and what to do about it."""

from corepilot.http.errors import HttpConnectError, HttpError, HttpProtocolError
from corepilot.wording.escaping import escaped

_HINTS = (
    ("self-signed", "name its authority in tls.cafile"),
    ("self signed", "name its authority in tls.cafile"),
    ("unable to get local issuer", "name its authority in tls.cafile"),
    ("mismatch", "name the host as the certificate does, or set tls.servername"),
    ("is not valid for", "name the host as the certificate does, or set tls.servername"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS there: write http://"),
    ("HTTP_REQUEST", "it does not speak TLS there: write http://"),
    ("wrong version number", "it does not speak TLS there: write http://"),
    ("record layer failure", "it does not speak TLS there: write http://"),
    ("refused", "check that it is running there"),
)


def unreachable(error: HttpError, server: str) -> str:
    """The message for a failed exchange; what was sent stands at its end, in brackets, for whoever looks into it.

    Args:
        error: The failure.
        server: What is asked, for people: "etcd".
    """
    sent = f" [{error.method} {error.path}]"
    hint = ""
    if isinstance(error, HttpConnectError):
        hint = next((hint for words, hint in _HINTS if words in error.reason), "")
    elif (
        isinstance(error, HttpProtocolError)
        and error.reason.endswith("closed without an answer")
        and error.origin.startswith("http://")
    ):
        hint = "if it speaks TLS there, write https://"
    return escaped(f"cannot reach {server} at {error.origin}: {error.reason}" + (f"; {hint}" if hint else "") + sent)
