"""Asks an HTTP server, in this process: no command is started."""

from dataclasses import dataclass
from typing import Any

from corepilot.plugin import OptionError, hookimpl, option
from corepilot.plugin.network import CheckTls, network_address

API = "1.0"
CAPABILITIES: frozenset[str] = frozenset()
_EXAMPLE = "http://127.0.0.1:8080/health"


@dataclass(frozen=True)
class Options:
    """What `health: { http: … }` takes."""

    url: str = option(
        help="what to ask for; a path alone is asked of the job's own address and port",
        default="/",
        example=_EXAMPLE,
    )
    method: str = option(help="the method", default="GET", example="HEAD")
    headers: tuple[str, ...] = option(help='header fields, each as "Name: value"', default=())
    status: tuple[str, ...] = option(help='statuses of a healthy job, each as "200" or "200-299"', default=("200-299",))
    body: str = option(help="text that has to be in the answer", default="")
    tls: CheckTls = option(help="for https", default=CheckTls())  # noqa: RUF009  - frozen, and a default like any other

    def __post_init__(self) -> None:
        """Refuse what can never be asked.

        Raises:
            OptionError: a text is malformed.
        """
        if not self.url.startswith(("/", "http://", "https://", "unix://")) or not self.url.isascii():
            raise OptionError("url", "must begin with http://, https:// or unix://, or be a path that begins with /")
        if not self.url.isprintable() or " " in self.url or "#" in self.url:
            raise OptionError("url", "must hold neither blanks nor a fragment; write %20 for a blank")
        if "@" in self.url.partition("://")[2].partition("/")[0]:
            raise OptionError("url", "must not hold a user name or a password; send them in a header")
        if not self.url.startswith("/"):
            schemes = {"http": 80, "https": 443}
            network_address("url", self.place[0], example=_EXAMPLE, schemes=schemes, unix="/run/app.socket")
        if not self.method.isascii() or not self.method.isalpha():
            raise OptionError("method", "must be a word such as GET")
        for field in self.headers:
            name, colon, value = field.partition(":")
            if not colon or not name.strip() or not name.isascii() or not value.isprintable():
                raise OptionError("headers", 'must each be written as "Name: value"')
        for one in self.status:
            first, _, last = one.partition("-")
            if not (
                first.isdecimal() and (last or first).isdecimal() and 100 <= int(first) <= int(last or first) < 600
            ):
                raise OptionError("status", 'must each be a status or a range, as "200" or "200-299"')

    @property
    def place(self) -> tuple[str, str]:
        """Where to ask, such as "http://127.0.0.1:8080", "" for the job's own address and port; and for what."""
        scheme, found, rest = self.url.partition("://")
        if not found or self.url.startswith("/"):
            return "", self.url
        end = rest.partition(":")[0] if scheme == "unix" else rest.partition("/")[0].partition("?")[0]
        path = rest[len(end) :].removeprefix(":") if scheme == "unix" else rest[len(end) :]
        return f"{scheme}://{end}", path if path.startswith("/") else f"/{path}"


@hookimpl
def corepilot_register_check() -> type[Any]:
    """Return the check. What it needs is imported only now."""
    from corepilot.checks.http import HttpCheck

    return HttpCheck
