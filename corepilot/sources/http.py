"""A configuration on a web server: an `http://` or `https://` URL (RFC 9110).

What the request needs is said in the fragment of the URL, which is sent to nobody (RFC 3986, section 3.5), or in the
environment: `#token-file=PATH`, `#token-env=NAME` and `#ca-file=PATH`, joined by `&`; or COREPILOT_HTTP_TOKEN,
COREPILOT_HTTP_TOKEN_FILE and COREPILOT_HTTP_CA_FILE. A token itself does not belong on the command line, which every
user of the machine can read. It is sent as `Authorization: Bearer` (RFC 6750).

Three decisions: redirections are not followed, because the token would go with them; proxies of the environment are
not used, because they are the jobs'; certificates are always verified.
"""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from corepilot._version import __version__
from corepilot.sources.locations import shown
from corepilot.sources.text import decoded, too_long
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText
from corepilot.system.authorities import elsewhere

TOKEN = "COREPILOT_HTTP_TOKEN"  # noqa: S105  - the name of a variable
TOKEN_FILE = "COREPILOT_HTTP_TOKEN_FILE"  # noqa: S105  - the name of a variable
CA_FILE = "COREPILOT_HTTP_CA_FILE"

OPTIONS = ("token-file", "token-env", "ca-file")
"""What the fragment may say."""

_CHUNK_BYTES = 64 * 1024
_TOKEN_BYTES = 64 * 1024
_HERE = frozenset(("localhost", "127.0.0.1", "::1"))
_HINTS = {
    401: f"give a token: ${TOKEN}, ${TOKEN_FILE}, or #token-file=PATH behind the URL",
    403: "check what the token permits",
    404: "check the URL",
    429: "reload less often: the server limits its requests",
}


class HttpSource:
    """The source for web servers."""

    def read(self, location: str, context: SourceContext) -> SourceText:
        """Return what a GET of the URL answers, or what is known if the server says that it is still the same.

        Args:
            location: The URL.
            context: Of `known`, the version is the ETag, which is sent as `If-None-Match`.

        Raises:
            SourceError: There is no answer in time, it has another status than 200 (or 304), it is too long or not
                UTF-8, or the URL, the token or the CA file cannot be used.
        """
        return _Request(location, context).text()


class _Request:
    """One GET with a deadline for all of it."""

    def __init__(self, location: str, context: SourceContext) -> None:
        self._name = shown(location)
        self._context = context
        self._end = time.monotonic() + context.deadline_s
        url, _, fragment = location.partition("#")
        try:
            self._url = urlsplit(url)
            self._port = self._url.port
        except ValueError as error:
            raise self._refusal(f"the URL cannot be read: {error}", "write https://HOST[:PORT]/PATH") from None
        if not self._url.hostname:
            raise self._refusal("the URL names no host", "write https://HOST[:PORT]/PATH")
        if self._url.username is not None:
            raise self._refusal("a password in a URL can be read by every user of this machine", _HINTS[401])
        if any(char <= " " or char > "~" for char in url):
            raise self._refusal("the URL has characters that no URL can have", "write them as %20 and the like")
        self._options = self._read_options(fragment)

    def text(self) -> SourceText:
        """Send the request and take the answer."""
        connection = self._connection()
        try:
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request("GET", target, headers=self._headers())
            sock = connection.sock  # the connection lets go of it where the answer ends with it
            with connection.getresponse() as response:
                return self._answered(response, sock)
        except ssl.SSLCertVerificationError as error:
            hint = f"name the CA that signed it: ${CA_FILE}, or #ca-file=PATH behind the URL"
            raise self._refusal(f"its certificate cannot be verified: {error.verify_message}", hint) from error
        except TimeoutError as error:
            raise self._late() from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            why = f"{self._url.netloc} does not answer: {_one_line(why)}"
            raise self._refusal(why, "check the URL and the server") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, left_s = self._url.hostname or "", self._left_s()
        if self._url.scheme.lower() != "https":
            return http.client.HTTPConnection(host, self._port, timeout=left_s)
        file = self._options.get("ca-file") or self._context.environment.get(CA_FILE) or None
        file = file or elsewhere(ssl.get_default_verify_paths()) or None
        try:
            tls = ssl.create_default_context(cafile=file)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise self._refusal(f"the CA file {file!r} cannot be used: {why}", "name a PEM file") from error
        return http.client.HTTPSConnection(host, self._port, timeout=left_s, context=tls)

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json5, application/json, text/plain;q=0.9, */*;q=0.1",
            "Accept-Encoding": "identity",
            "User-Agent": f"corepilot/{__version__}",
        }
        token = self._token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        for known in self._context.known[:1]:
            headers["If-None-Match"] = known.version
        return headers

    def _token(self) -> str:
        environment: Mapping[str, str] = self._context.environment
        file, name = self._options.get("token-file", ""), self._options.get("token-env", "")
        if name:
            token = environment.get(name, "")
            if not token:
                raise self._refusal(f"${name}, which should hold the token, is not set", "set it")
        elif not file and environment.get(TOKEN):
            token = environment[TOKEN]
        else:
            file = file or environment.get(TOKEN_FILE, "")
            token = self._file(file) if file else ""
        token = token.strip()
        if not token.isascii() or not token.isprintable():
            raise self._refusal("the token has characters that no header can have", "look at what holds it")
        return token

    def _file(self, path: str) -> str:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.read(descriptor, _TOKEN_BYTES).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise self._refusal(f"the token file {path!r} cannot be read: {why}", "check its path") from error

    def _answered(self, response: http.client.HTTPResponse, sock: socket.socket) -> SourceText:
        known = self._context.known[:1]
        if response.status == 304 and known:
            return known[0]
        if 300 <= response.status < 400:
            where = shown(response.headers.get("Location", "")) or "nowhere"
            raise self._refusal(f"the server answers {response.status} and points to {where}", "name that URL")
        if response.status != 200:
            hint = _HINTS.get(response.status, "look at the server's log")
            raise self._refusal(_one_line(f"the server answers {response.status} {response.reason}"), hint)
        length = response.length
        if length is not None and length > MAX_BYTES:
            raise too_long(self._name, f"{length} bytes")
        data = bytearray()
        while response.length != 0:  # None where the answer is in chunks, or ends with the connection
            sock.settimeout(self._left_s())
            chunk = response.read1(_CHUNK_BYTES)
            if not chunk:
                break
            data += chunk
            if len(data) > MAX_BYTES:
                raise too_long(self._name, "more bytes")
        if response.length:  # read1 does not tell an answer that was cut off from one that has ended
            raise self._refusal(f"the answer ended {response.length} bytes too early", "look at the server's log")
        version = response.headers.get("ETag", "")
        return SourceText(decoded(bytes(data), self._name), self._name, None, self._warnings(), version)

    def _warnings(self) -> tuple[str, ...]:
        if self._url.scheme.lower() == "https" or self._url.hostname in _HERE:
            return ()
        return (f"{self._name!r} is not encrypted: whoever is on the way can change what runs here; use https://",)

    def _read_options(self, fragment: str) -> dict[str, str]:
        found = {}
        for part in filter(None, fragment.split("&")):
            name, _, value = part.partition("=")
            if name not in OPTIONS or not value:
                hint = f"write one of {', '.join(f'{one}=…' for one in OPTIONS)}"
                raise self._refusal("the part behind # is not understood", hint)
            found[name] = unquote(value)
        return found

    def _left_s(self) -> float:
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise self._late()
        return left_s

    def _late(self) -> SourceError:
        rule = f"{self._url.netloc} did not answer within {self._context.deadline_s:.3g} s"
        return self._refusal(rule, "check that the server can be reached from here")

    def _refusal(self, why: str, what_to_do: str) -> SourceError:
        return SourceError(f"cannot read configuration {self._name!r}: {why}; {what_to_do}")


def _one_line(text: str) -> str:
    """What a server has said, for a message."""
    return " ".join("".join([char if char.isprintable() else " " for char in text[:200]]).split())
