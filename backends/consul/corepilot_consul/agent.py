"""What the backend has to know of its agent. `corepilot_consul.plugin.Options` knows it from the configuration."""

from typing import Protocol


class TlsSettings(Protocol):
    """How to prove who the agent is, and who we are: see `corepilot_consul.plugin.Tls`."""

    @property
    def cafile(self) -> str:
        """Authorities to trust, in PEM."""

    @property
    def capath(self) -> str:
        """Directory of such files."""

    @property
    def clientcert(self) -> str:
        """Our certificate."""

    @property
    def clientkey(self) -> str:
        """Its key."""

    @property
    def servername(self) -> str:
        """The name in the agent's certificate."""

    @property
    def verify(self) -> bool:
        """Whether to check the agent's certificate."""


class Agent(Protocol):
    """Where the agent is, and with what to ask it. Validated."""

    @property
    def origin(self) -> str:
        """Where: "http://host:port", "https://host:port" or "unix:///path"."""

    @property
    def token(self) -> str:
        """ACL token, or ""."""

    @property
    def token_file(self) -> str:
        """File with the ACL token, or ""; used if `token` is empty."""

    @property
    def max_answer_mib(self) -> int:
        """The longest answer that is read, in MiB."""

    @property
    def tls(self) -> TlsSettings:
        """For https."""

    def accepts_token(self, text: str) -> bool:
        """Whether a text can be sent as a token."""
