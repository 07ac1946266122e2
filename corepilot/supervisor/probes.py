"""The answers to probes: whether the container is live and ready, in one line, for engines and orchestrators.

Live: corepilot answers, so its event loop turns. Ready: no job is in trouble, and nothing stops.
"""

from collections.abc import Sequence
from typing import Protocol

from corepilot.control.operations import checked_patterns
from corepilot.control.payload import PayloadError
from corepilot.control.query import parse_query
from corepilot.errors import UnknownJobError
from corepilot.jobs.runner import Runner
from corepilot.jobs.soundness import not_live, not_ready
from corepilot.supervisor.by_hand import JobsByHand
from corepilot.wording.escaping import escaped

LEVELS = {"/livez": "live", "/readyz": "ready"}
"""What each path asks for."""

_NAMED_MAX = 3
_SAID_MAX = 200
_OK, _NOT_FOUND, _UNUSABLE, _UNAVAILABLE = 200, 404, 422, 503


class Ending(Protocol):
    """Whether everything stops: what is used of `Shutdown`."""

    @property
    def ending(self) -> str:
        """Why; "" as long as it does not."""
        ...


class Probes:
    """What probes ask.

    Args:
        jobs: The jobs.
        shutdown: Whether everything stops.
    """

    def __init__(self, jobs: JobsByHand, shutdown: Ending) -> None:
        self._jobs, self._shutdown = jobs, shutdown

    def trouble(self, level: str, patterns: Sequence[str], *, told: bool = True) -> str:
        """Why the container, or some of its jobs, is not live or not ready; "" if it is.

        Args:
            level: "live" or "ready". Live without names is true.
            patterns: Jobs; none for all that have been started.
            told: Whether to tell what a failing check said, which only our own user may see.

        Raises:
            UnknownJobError: One pattern matches nothing.
        """
        runners = self._jobs.named(patterns)
        if level == "live":
            return self._of(runners, level, told=told) if patterns else ""
        if self._shutdown.ending:
            return f"corepilot is stopping ({self._shutdown.ending})"
        return self._of(runners, level, told=told, named=bool(patterns))

    def answer(self, path: str, query: str) -> tuple[int, str] | None:
        """The answer to a request that came over the network, where anybody may ask: None for another path.

        Args:
            path: Decoded.
            query: As it came; `job` is a name or a pattern, and may be repeated.

        Returns:
            The HTTP status and one line of text: 200, or 503 with the reason.
        """
        level = LEVELS.get(path)
        if level is None:
            return None
        try:
            jobs = checked_patterns(parse_query(query, ("job",)).get("job", []))
            trouble = self.trouble(level, jobs, told=False)
        except PayloadError as error:
            return _UNUSABLE, str(error)
        except UnknownJobError as error:
            return _NOT_FOUND, str(error)
        return (_UNAVAILABLE, f"not {level}: {trouble}") if trouble else (_OK, "ok")

    def _of(self, runners: Sequence[Runner], level: str, *, told: bool, named: bool = True) -> str:
        ask = not_live if level == "live" else not_ready
        found = []
        for runner in runners:
            trouble = ask(runner.plan, runner.state, named=named)
            if trouble is not None:
                said = _first_line(trouble.said) if told else ""
                found.append(f"job {runner.key} {trouble.what}{f': {said}' if said else ''}")
        more = len(found) - _NAMED_MAX
        return "; ".join(found[:_NAMED_MAX]) + (f"; and {more} more" if more > 0 else "")


def _first_line(said: str) -> str:
    line = next(filter(None, map(str.strip, said.splitlines())), "")
    return escaped(line if len(line) <= _SAID_MAX else f"{line[:_SAID_MAX]}…")
