"""What the backend has to know of its agent. `corepilot_consul.plugin.Options` knows it from the configuration."""

from typing import Protocol

from corepilot.http.tls import TlsSettings


class AgentTls(TlsSettings, Protocol):
    """How to prove who the agent is, and who we are: see `corepilot_consul.plugin.Tls`."""

    @property
    def capath(self) -> str:
        """Directory of files with authorities."""


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
    def tls(self) -> AgentTls:
        """For https."""

    def accepts_token(self, text: str) -> bool:
        """Whether a text can be sent as a token."""
