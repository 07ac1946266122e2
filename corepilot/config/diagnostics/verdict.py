"""Collects what is wrong while a configuration is judged, so that all of it is reported at once."""

from typing import Any

from corepilot.config.diagnostics.complaints import REQUIRED, Complaint, flattened
from corepilot.config.diagnostics.problems import Problem, Severity
from corepilot.config.diagnostics.source_map import Path, SourceMap, path_text

MOST = 100
"""How many errors are reported, and how many warnings. A file with more has one mistake again and again."""


class Verdict:
    """The problems found so far.

    Args:
        source_map: Where things stand in the file.
        judge_machine: Whether what depends on this machine is an error, as for `run`, or a warning.
    """

    def __init__(self, source_map: SourceMap, *, judge_machine: bool) -> None:
        self.source_map = source_map
        self.judge_machine = judge_machine
        self.problems: list[Problem] = []
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}

    @property
    def refused(self) -> bool:
        """Whether there has been an error."""
        return self._counts["error"] > 0

    def refuses(self, path: Path) -> bool:
        """Whether there has been an error about the value at `path`, or about something in it."""
        text = path_text(path)
        return any(
            one.is_error and (one.path == text or one.path.startswith((f"{text}.", f"{text}[")))
            for one in self.problems
        )

    def add(self, problem: Problem) -> None:
        """Keep a problem, or only count it if there are too many."""
        if self._counted(problem.severity):
            self.problems.append(problem)

    def take(self, path: Path, messages: Any) -> None:
        """Keep all complaints of a marshmallow error about the value at `path`."""
        for below, complaint in flattened(messages, path):
            self.complain(below, complaint, severity="warning" if complaint.warning else "error")

    def complain(
        self, path: Path, complaint: Complaint, *, severity: Severity = "error", machine: bool = False, source: str = ""
    ) -> None:
        """Keep a complaint about the value at `path`.

        Args:
            path: The key.
            complaint: What is wrong.
            severity: See Problem.
            machine: See Problem.
            source: What gave the value, if not the file: "$CONSUL_HTTP_ADDR".
        """
        if not self._counted(severity):
            return  # making a problem takes time, too
        job = self.source_map.job(path)
        within = f' (job "{job}")' if job else ""
        if complaint.code == "missing-key" and complaint.rule == REQUIRED:
            what, rule = path_text(path[:-1]) or "the configuration", f"{path[-1]} is required"
            hint = f"add {path[-1]}"
        else:
            what, rule, hint = path_text(path) or "the configuration", complaint.rule, complaint.hint
        what = f"{source} for {what}" if source else what
        message = f"cannot use {what}{within}: {rule}"
        if severity == "warning":
            message = f"{what}{within}: {rule}"
        self.problems.append(
            self.source_map.on(
                path, complaint.code, message, hint, key=complaint.key, severity=severity, machine=machine
            )
        )

    def warn(
        self, path: Path, code: str, rule: str, hint: str = "", *, key: bool = False, machine: bool = False
    ) -> None:
        """Keep a warning about the value at `path`."""
        self.complain(path, Complaint(code, rule, hint, key=key), severity="warning", machine=machine)

    def depends(self, path: Path, complaint: Complaint, *, source: str = "") -> None:
        """Keep a complaint that depends on this machine: an error where the machine is judged, else a warning."""
        severity: Severity = "error" if self.judge_machine else "warning"
        self.complain(path, complaint, severity=severity, machine=True, source=source)

    def all(self) -> list[Problem]:
        """The problems, and how many more there are."""
        more = [
            self.source_map.whole(
                "limit", f"there are {count - MOST} more {severity}s", "mend these first", severity="warning"
            )
            for severity, count in self._counts.items()
            if count > MOST
        ]
        return [*self.problems, *more]

    def _counted(self, severity: Severity) -> bool:
        """Count a problem; returns whether it is to be kept."""
        self._counts[severity] += 1
        return self._counts[severity] <= MOST
