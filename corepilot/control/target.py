"""What the control server asks of the supervisor. Types only: nothing here is imported at run time."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

Action = Literal["start", "stop", "restart"]
Condition = Literal["running", "ready", "healthy", "complete", "stopped"]
ReloadMode = Literal["changed", "all", "everything"]
"""What a reload restarts: jobs that changed; every job; everything, begun anew as `/v3/reload` does."""


class Operation(Protocol):
    """Something under way that a client asked for; it goes on whether or not the client waits."""

    @property
    def id(self) -> int:
        """Names it in `/v1/requests/ID`. Counts up from 1 over the life of the process."""
        ...

    def lines(self, timeout_s: float | None) -> Iterator[dict[str, object]]:
        """What happens, from the operation's beginning on. Switches greenlets between two lines.

        Closing the iterator, or ending the greenlet that reads it, leaves the operation alone.

        Args:
            timeout_s: How long to wait for the end of it; None for as long as it takes.

        Yields:
            One object per change, as it happens: `what` ("job", "watch", "catalog", "logging", "control", "telemetry",
            "settings" or "problem"), `name`, `kind` (of a reload: "unchanged", "updated", "restarted", "renewed",
            "added", "removed" or "changed"; else "started", "stopped", "restarted" or "already"), `state` and `pid` of
            a job, `message`. Then one last object: `result` and `message`. "done"; "refused", and nothing was changed;
            "incomplete": applied, but not everything came up; "late": the timeout is over, the operation goes on.
        """
        ...

    def state(self) -> dict[str, object]:
        """What has happened by now: `id`, `kind`, `finished`, `result` ("" before its end), `changes` so far."""
        ...


class Entries(Iterator[dict[str, object]], Protocol):
    """What has happened, one JSON object each, the oldest first; it switches greenlets until there is one.

    To be closed, read or not.
    """

    def close(self) -> None:
        """No more is wanted. Idempotent."""
        ...


class ReloadOutcome(NamedTuple):
    """How a new configuration was judged.

    Attributes:
        ok: It has been validated and prepared, and is being taken into use. Otherwise the old one goes on.
        text: If it is not: the error report as `corepilot check` prints it, every error with its place.
    """

    ok: bool
    text: str


class PlanOutcome(NamedTuple):
    """What a reload would do.

    Attributes:
        ok: The configuration is valid: a reload would not be refused for it.
        text: If it is not: the error report as `corepilot check` prints it.
        changes: One object for each job, watch and section: `what`, `name` and `kind` as in an operation's lines;
            `settings`, a list of name, old and new value in words with secrets masked; and `consequence`, in words.
    """

    ok: bool
    text: str
    changes: list[dict[str, object]]


class ControlTarget(Protocol):
    """The supervisor as the control socket sees it.

    Called from a greenlet per request, possibly several at a time; each may switch. A call that outlasts the server's
    `handler_s`, or the server's stop, is ended by an exception at whatever switch it is in: what must not be cut in
    two runs in a greenlet of the supervisor's own, and the call only waits for it.

    A `ControlError` says that a request cannot be carried out now (409), in words for whoever asked. An
    `UnknownJobError` says that it names something that is not there (404). Every other exception is taken for a bug
    (500).

    Both are in `corepilot.errors`.

    Jobs are named by patterns: a name, `NAME@2` where several share one, or a glob. An exact name wins. One that
    matches nothing is an `UnknownJobError` for the whole request, and nothing is done.
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

    def jobs(self, patterns: Sequence[str]) -> list[dict[str, object]]:
        """The status of some jobs, in the order of the configuration, each once; of all for no patterns.

        Raises:
            UnknownJobError: One pattern matches nothing.
        """
        ...

    def trouble(self, level: str, jobs: Sequence[str]) -> str:
        """Why the container is not "live" or not "ready", in one line that names the job; "" if it is.

        Args:
            level: Which of the two.
            jobs: Patterns: only these count. For none, all that have been started.

        Raises:
            UnknownJobError: One pattern matches nothing.
        """
        ...

    def act(self, action: Action, jobs: Sequence[str], client_pid: int | None) -> Operation:
        """Begin to start, stop or restart jobs. Already so is success.

        Args:
            action: What to do.
            jobs: Patterns, at least one.
            client_pid: Who asks, if it is in our PID namespace: a client does not wait for the end of its own job.

        Raises:
            UnknownJobError: One pattern matches nothing. Nothing is done.
            ControlError: corepilot is stopping.
        """
        ...

    def reload_jobs(self, jobs: Sequence[str]) -> Operation:
        """Have jobs read their own configuration again: the operation is done when their `reload` commands are.

        Raises:
            UnknownJobError: One pattern matches nothing. Nothing is done.
            ControlError: One of them does not run, and nothing is done; or corepilot is stopping.
        """
        ...

    def signal(self, number: int, jobs: Sequence[str], *, group: bool) -> list[dict[str, object]]:
        """Send a signal to the main process of each job, or to its process group.

        Args:
            number: Of the signal, at least 1.
            jobs: Patterns, at least one.
            group: Signal the whole process group.

        Returns:
            For each job `job`, `pid` (None if it does not run) and `signalled`.

        Raises:
            UnknownJobError: One pattern matches nothing. Nothing is done.
        """
        ...

    def wait_for(self, condition: Condition, jobs: Sequence[str]) -> Operation:
        """An operation that is done when all the jobs are in a state; one that can never be is "incomplete".

        Raises:
            UnknownJobError: One pattern matches nothing.
        """
        ...

    def reload(self, mode: ReloadMode, client_pid: int | None) -> Operation:
        """Begin a reload. Those that wait for another one to end are merged into the strongest.

        Raises:
            ControlError: corepilot is stopping.
        """
        ...

    def reload_judged(self, mode: ReloadMode, client_pid: int | None) -> ReloadOutcome:
        """Begin a reload; returns when it has been prepared or refused, before anything is changed.

        Raises:
            ControlError: corepilot is stopping.
        """
        ...

    def plan(self, locations: Sequence[str]) -> PlanOutcome:
        """What a reload would do. Changes nothing.

        Args:
            locations: The configuration to compare with: absolute paths and URLs; none for the one that runs, as it is
                now.

        Raises:
            ControlError: It cannot be read now, for another reason than what is in it.
        """
        ...

    def operation(self, id: int) -> Operation | None:  # noqa: A002  - that is what the API calls it
        """One under way, or ended lately; None if there is no such one, or not any more."""
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

    def logs(self, jobs: Sequence[str], *, since_s: float, last: int | None, follow: bool) -> Entries:
        """Return the last lines of jobs and their checks, and those that follow.

        Args:
            jobs: Patterns; none for all jobs.
            since_s: Only what was read at this Unix time or later.
            last: The last so many lines only; None for all that are kept.
            follow: Go on with the lines that come.

        Returns:
            Objects with `time`, `job` or `check`, `pid`, `stream` where it is known, and `lines`, a list. `{"lost": N}`
            where N lines came too fast for this client. First `{"raw": [NAME…]}` if jobs write past the log.

        Raises:
            UnknownJobError: One pattern matches nothing.
            ControlError: Too many clients follow already.
        """
        ...

    def events(self, *, since_s: float, last: int | None, follow: bool) -> Entries:
        """Return the last events, and those that follow: `time`, `code`, `source`, `detail`, `status`, `origin`.

        Raises:
            ControlError: Too many clients follow already.
        """
        ...

    def stacks(self) -> str:
        """What every greenlet and thread is doing, for whoever looks for a fault."""
        ...

    def shutdown(self) -> None:
        """Begin a graceful stop of everything, as SIGTERM does. Returns at once."""
        ...
