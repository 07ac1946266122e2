"""TLS for the client. gevent's ssl module (4 MB, 8 ms) is imported when the first TLS connection is made."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gevent.ssl import SSLContext


class TlsSettings(Protocol):
    """What people say of TLS: see `corepilot.plugin.network.TlsGroup`."""

    @property
    def cafile(self) -> str:
        """Authorities to trust, in PEM."""

    @property
    def clientcert(self) -> str:
        """Our certificate."""

    @property
    def clientkey(self) -> str:
        """Its key."""

    @property
    def servername(self) -> str:
        """The name in the server's certificate."""

    @property
    def verify(self) -> bool:
        """Whether to check the server's certificate."""

    def warning(self) -> str:
        """What to write into the log; "" for nothing."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How to prove who the server is, and who we are. The defaults verify against the system's certificates.

    Those are where OpenSSL, or SSL_CERT_FILE and SSL_CERT_DIR, say; else where other systems keep them.

    Attributes:
        ca_file: A PEM file with the authorities to trust instead of the system's; empty for none.
        ca_path: A directory of such, hashed as by `openssl rehash`; empty for none.
        cert_file: Our certificate in PEM; empty for none.
        key_file: Its key in PEM; empty if it stands in `cert_file`.
        server_name: The name the certificate has to be made out to; empty for the host of the origin.
        verify: False takes any certificate. The connection is then open to whoever sits in between.
    """

    ca_file: str = ""
    ca_path: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    verify: bool = True

    @classmethod
    def of(cls, settings: TlsSettings, *, ca_path: str = "") -> "TlsOptions":
        """From a plugin's options. Half of certificate and key is none: the two are used only together.

        Args:
            settings: A group of options: `corepilot.plugin.network.TlsGroup`.
            ca_path: For a plugin that has an option for it.
        """
        both = bool(settings.clientcert and settings.clientkey)
        return cls(
            ca_file=settings.cafile,
            ca_path=ca_path,
            cert_file=settings.clientcert if both else "",
            key_file=settings.clientkey if both else "",
            server_name=settings.servername,
            verify=settings.verify,
        )


class TlsContexts:
    """Makes the context for new connections, and makes a new one when a file of it has changed.

    Certificates live for hours in some clusters: a client that reads its own once stops working one night.

    Args:
        options: What people say.
        protocol: What is spoken inside (ALPN, RFC 7301).
    """

    def __init__(self, options: TlsOptions, protocol: str = "http/1.1") -> None:
        self.options, self._protocol = options, protocol
        self._context: SSLContext | None = None
        self._made_from: tuple[object, ...] = ()

    def current(self) -> "SSLContext":
        """The context to use now.

        Reads files, so it blocks for as long as the disk does.

        Raises:
            OSError: A file cannot be read, or does not hold what it should (`ssl.SSLError`).
        """
        files = (self.options.ca_file, self.options.ca_path, self.options.cert_file, self.options.key_file)
        stamps = tuple(_stamp(file) for file in files if file)
        if self._context is None or stamps != self._made_from:
            self._context = self._make()
            self._made_from = stamps
        return self._context

    def _make(self) -> "SSLContext":
        from gevent import ssl

        from corepilot.system.authorities import elsewhere

        options = self.options
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols([self._protocol])
        if not options.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif options.ca_file or options.ca_path:
            context.load_verify_locations(options.ca_file or None, options.ca_path or None)
        else:
            context.load_default_certs()
            if file := elsewhere(ssl.get_default_verify_paths()):
                context.load_verify_locations(file)
        if options.cert_file:
            context.load_cert_chain(options.cert_file, options.key_file or None, password=_no_password)
        return context


def _no_password() -> str:
    # Without this OpenSSL asks at the terminal, which blocks the whole process.
    return ""


def _stamp(file: str) -> tuple[int, int, int]:
    found = os.stat(file)
    return found.st_mtime_ns, found.st_ino, found.st_size
