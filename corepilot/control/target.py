"""What the control server asks of the supervisor. No gevent here, and nothing heavy."""

from typing import Protocol


class ReloadOutcome(Protocol):
    """What became of a reload."""

    @property
    def ok(self) -> bool:
        """The new configuration has been validated and is being taken into use. Otherwise the old one goes on."""
        ...

    @property
    def text(self) -> str:
        """If it is not: the error report as `corepilot check` prints it, every error with its place."""
        ...


class ControlTarget(Protocol):
    """The supervisor as the control socket sees it.

    Called from a greenlet per request, possibly several at a time; each may switch. A call that outlasts the server's
    `handler_s`, or the server's stop, is ended by an exception at whatever switch it is in: what must not be cut in
    two runs in a greenlet of the supervisor's own, and the call only waits for it.

    A `ControlError` says that a request cannot be carried out now (409), in words for whoever asked. Every other
    exception is taken for a bug (500).
    """

    @property
    def config(self) -> str:
        """The absolute path of the configuration that runs, by which clients know which corepilot this is."""
        ...

    def status(self) -> dict[str, object]:
        """What `corepilot status` shows: plain JSON types, text keys, no secrets."""
        ...

    def instances(self, service: str) -> list[dict[str, object]] | None:
        """The instances a watch knows, in JSON types; None if there is no watch of that name."""
        ...

    def reload(self) -> ReloadOutcome:
        """Validate the configuration as it is now; take it into use if it is valid. Returns once it is validated."""
        ...

    def put_environ(self, values: dict[str, str | None]) -> None:
        """Set variables for the jobs started from now on: checked ones. None and "" set to empty."""
        ...

    def put_metric(self, values: dict[str, object]) -> list[str]:
        """Record values for declared metrics. Never raises over a value.

        Returns:
            One sentence for each value that was not recorded: which and why. The others were.
        """
        ...

    def maintenance(self, *, enable: bool) -> None:
        """Enter or leave maintenance. Idempotent."""
        ...

    def stop(self) -> None:
        """Begin a graceful stop, as SIGTERM does. Returns at once."""
        ...
