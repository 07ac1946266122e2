"""What is wrong with a configuration: one `Problem` each, with its place, for people and for programs.

Imports nothing heavy: the supervisor reads problems too, when a reload is refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from corepilot.wording.escaping import escaped

Severity = Literal["error", "warning"]

CODES = {
    "source": "the source of the configuration cannot be read",
    "source-open": "others can write the configuration file, and it is read as root",
    "source-warning": "the source of the configuration warns of something",
    "limit": "loading took more time or memory than it may, or made more text than it may",
    "loader": "the process that loads the configuration ended without an answer",
    "template": "the template cannot be parsed or executed",
    "json5": "the rendered text is not JSON5",
    "not-an-object": "the configuration is not an object",
    "version-2": "the file is a configuration of ContainerPilot 2",
    "duplicate-key": "duplicate key; the last value is used",
    "name-twice": "a name is twice in one document, and another document has it too, so it cannot be merged",
    "same-id": "two jobs register the same instance id",
    "same-name": "two jobs, watches, locks or files have the same name, so their events cannot be told apart",
    "unknown-job": "no job has a name that a stopAfter or a dependsOn names",
    "depends-circle": "jobs depend on each other, so none of them starts",
    "depends-never": "a job depends on what another one never is",
    "stop-circle": "jobs would wait for each other at a stop",
    "null-element": "an element is null and is skipped",
    "unknown-key": "there is no such key at this place",
    "key-ignored": "a key is taken and has no effect, as in ContainerPilot",
    "missing-key": "a required key is not there",
    "wrong-type": "the value has a type that cannot be used here",
    "wrong-value": "the value is out of its range, or is none of those that are allowed",
    "bad-duration": "the value is not a duration",
    "bad-name": "a name cannot be used",
    "bad-restarts": "restarts is no number of times, nor never, nor unlimited, or its settings do not go together",
    "bad-exec": "a command is empty, or is neither a text nor an array",
    "exec-literal": "a command has quotes, shell operators or double blanks, which are taken literally",
    "exec-missing": "a program is not on PATH, or cannot be executed",
    "bad-variable": "a variable has a name or a value that no environment can hold",
    "unknown-user": "there is no such user or group here",
    "no-right": "corepilot has not the rights on this machine that a setting needs",
    "limit-too-high": "a resource limit is above the hard limit of this machine, which corepilot may not raise",
    "stop-timeout": "a job has a stopTimeout, which bounds its hook, and no hook",
    "ttl-short": "the result of a check is not good until the next one comes, so its service turns critical in between",
    "health-missing": "a job has a port and no health",
    "port-range": "a port is not between 1 and 65535",
    "drain-useless": "drain belongs to a job without a port",
    "json-useless": "output is to be passed through as JSON, and the log is not one of JSON",
    "exit-never": "exitOn belongs to a job that never ends by itself",
    "stdin-event": "a job reads what a watch has found, and no watch starts it",
    "when-conflict": "a when has more than one of interval, once, each, all and any",
    "bad-condition": "a condition in all or any of a when cannot be used",
    "when-never": "a when that never comes true",
    "when-circle": "jobs wait for each other's events, so none of them starts",
    "unknown-event": "there is no event of that name",
    "unknown-source": "no job, watch or signal has the name that a when waits for",
    "bad-interface": "an interface specification cannot be parsed",
    "no-address": "no address of this machine matches the interface specifications; or it has no network",
    "log-file": "the log file cannot be written here",
    "bad-address": "an address of telemetry cannot be used, or is missing",
    "metric-clash": "a metric has the name of a built-in one",
    "metric-twice": "duplicate metric; the last definition is used",
    "two-catalogs": "consul and discovery are both given",
    "no-catalog": "a watch or a lock needs a catalog and there is none",
    "no-directory": "the directory of a file that a job writes does not exist here",
    "unknown-catalog": "there is no catalog of that name",
    "which-catalog": "several catalogs could be meant",
    "no-capability": "a setting needs more than the backend of its catalog can do",
    "watch-conflict": "a watch has more than one of service, key and prefix",
    "bad-key": "a key cannot be used",
    "unknown-lock": "there is no lock of that name",
    "render-conflict": "a file that is made has two templates, or two of render make it",
    "unknown-watch": "a template looks at a watch that there is not",
    "template-file": "the file of a template cannot be read",
    "lock-too-short": "a lock could be lost before what needs it has ended",
    "not-advertised": "jobs have ports and there is no catalog to advertise them in",
    "no-jobs": "the configuration has nothing to run",
    "bad-discovery": "the catalog is not named in a form that can be read",
    "two-checks": "a check asks more than one thing",
    "ready-conflict": "what is to show that a job is ready cannot show it",
    "check-options": "options are given that belong to no check",
    "no-host": "the address of the Consul agent has no host; this machine is taken",
    "plugin-missing": "a plugin is named that is not installed",
    "plugin-broken": "a plugin is installed that cannot be used",
    "bad-option": "a plugin refuses the combination of its options",
    "env-ignored": "a variable holds a value that is not understood and is ignored",
    "option-unused": "an option of a plugin has no effect beside the others",
    "env-missing": "a variable that an option refers to is not set",
    "file-missing": "a file or directory that is named is not there or cannot be read",
}
"""Every code of a problem, and what it means. Codes do not change between releases."""


@dataclass(slots=True)
class Problem:
    """One thing that is wrong, or that deserves a warning.

    Attributes:
        severity: A configuration with an error is not used; one with warnings is.
        code: One of CODES.
        message: What cannot be done, and the rule that is broken. Lower case, one sentence, no secret.
        hint: What to do next, or "".
        file: The document as the user named it; "" for a problem that no file caused, such as one of `--discovery`.
        line: In the file as it was written, from 1; 0 for a problem of the whole file.
        column: In that line, in characters, from 1; 0 as for `line`.
        path: The key: "jobs[0].health.ttl"; "" for the whole file.
        job: The name of the job it is in, or "".
        source_line: The line of the file, or a part of it when it is very long. Secrets are masked.
        caret: The column within `source_line`, from 1; 0 without one.
        rendered_line: What the template made of that line, where that matters; else "". Secrets are masked.
        rendered_number: The number of the line in what `corepilot render` prints, where that matters; else 0.
        unset: The variables that the template read here and that were not set.
        machine: Whether it depends on the machine that looks: an interface, a file, a program, a plugin.
    """

    severity: Severity
    code: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    job: str = ""
    source_line: str = ""
    caret: int = 0
    rendered_line: str = ""
    rendered_number: int = 0
    unset: tuple[str, ...] = ()
    machine: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the configuration cannot be used because of it."""
        return self.severity == "error"

    @property
    def where(self) -> str:
        """`FILE:LINE:COLUMN`, as much of it as is known."""
        place = f":{self.line}:{self.column}" if self.line else ""
        return self.file + place

    def sentence(self) -> str:
        """All of it that fits on one line, as a log shows it, escaped."""
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.unset:
            parts.append("not set: " + ", ".join(self.unset))
        if self.hint:
            parts.append(self.hint)
        return escaped("; ".join(parts))

    def text(self) -> str:
        """Several lines in the style of a compiler: the place, the message, the line with a caret, what to do.

        Each is escaped: whatever names the file has, no line of it looks like one of ours.
        """
        kind = f"{self.severity} (depends on this machine)" if self.machine else self.severity
        lines = [f"{self.where}: {kind}: {self.message}" if self.where else f"{kind}: {self.message}"]
        margin = " " * len(str(self.line))
        if self.source_line:
            lines.append(f"  {self.line} | {self.source_line}")
            lines.append(f"  {margin} | {' ' * (self.caret - 1)}^")
        if self.rendered_number:
            rendered = f": {self.rendered_line}" if self.rendered_line else ""
            lines.append(f"  {margin} = rendered, line {self.rendered_number}{rendered}")
        if self.unset:
            lines.append(f"  {margin} = not set: {', '.join(self.unset)}")
        if self.hint:
            lines.append(f"  {margin} = {self.hint}")
        return "\n".join(map(escaped, lines))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, for JSON and `marshal`. What is empty is there, so that programs need not guess."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Problem":
        """The inverse of `to_json`."""
        return cls(**{**plain, "unset": tuple(plain.get("unset", ()))})


def in_order(problems: Iterable[Problem], documents: Sequence[str] = ()) -> list[Problem]:
    """Sorted by place: those of the whole first, then by line and column, errors before warnings of one place.

    Args:
        problems: The problems.
        documents: The names of the documents, where there are several: the first ones come first.
    """
    order = {name: index for index, name in enumerate(documents)} if len(documents) > 1 else {}
    return sorted(problems, key=lambda one: (order.get(one.file, -1), one.line, one.column, one.severity, one.path))
