"""Every setting of the configuration, once: key, kind, unit, default, rule, help (ContainerPilot contract, section 3).

The root and its small sections are here; `jobs`, `health`, `watches` and `telemetry` beside this module have
theirs. docs/reference/configuration.md is made from all of them. What needs more than one section, a machine or a
plugin is judged in `corepilot.config.rules`.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint
from corepilot.config.schema.fields import Choice, Flag, Raw, Text, Texts, Whole
from corepilot.config.schema.jobs import JobSection
from corepilot.config.schema.process_fields import Variables
from corepilot.config.schema.renders import RenderSection
from corepilot.config.schema.sections import Array, Object, OrFalse, Section
from corepilot.config.schema.sizes import Size
from corepilot.config.schema.telemetry import TelemetrySection
from corepilot.config.schema.watches import LockSection, WatchSection


class LoggingSection(Section):
    """`logging`."""

    level = Choice(
        "lowest level that is logged",
        {
            **{word: word for word in ("debug", "info", "warn", "warning", "error", "fatal", "panic")},
            "warn": "warning",
        },
        folded=True,
        empty=True,
        default="info",
    )
    format = Choice(
        "how lines are written",
        {"default": "default", "text": "text", "json": "json"},
        folded=True,
        empty=True,
        default="default",
    )
    output = Text("`stdout`, `stderr`, or a file to append to", default="stdout", example="/var/log/app.log")
    keep = Size(
        "how much of the jobs' output is kept in memory for `corepilot logs`; a quarter of it for one job at most",
        default=1024 * 1024,
        default_text="1MiB",
        allowed="0: none",
        fills="keep_bytes",
        most=1024**3,
    )


class ControlSection(Section):
    """`control`."""

    socket = Text(
        "path of the control socket; a reload with another path moves it (ask for it at the old one: `--socket`)",
        default_text="the first of the default places that can be used",
        example="/run/app/control.socket",
    )
    strict = Flag(
        "refuse a place that other users can tamper with, or where there is a file that is no socket, and give the "
        "socket the mode 0600; if not, such a file is deleted, with a warning, as in ContainerPilot",
        default=False,
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """The path must not be empty."""
        if data.get("socket") == "":
            complaint = Complaint("wrong-value", "the path is empty", "name a path, or leave the key out")
            raise ValidationError({"socket": [complaint]})


class RootSection(Section):
    """The whole configuration."""

    exact = True

    consul = Raw(
        "the catalog, short form: the address of a Consul agent, or the options of the backend `consul`; `false`: none",
        kind="text, object or `false`",
        example="localhost:8500",
        derives=("catalogs",),
    )
    discovery = Raw(
        "the catalog: a backend's name, or its name as `backend` and its options; or several, each under a name of its "
        "own; `false`: none",
        kind="text, object or `false`",
        default_text="none",
        example='{ backend: "embedded", path: "/srv/catalog" }',
        derives=("catalogs",),
    )
    env = Variables(
        'variables of the environment of all jobs; `null` removes one, and `"*": null` all that corepilot was started '
        "with",
        default_text="none",
        example='{ TZ: "UTC", CONSUL_HTTP_TOKEN: null }',
        derives=(
            "jobs.command.settings.environment",
            "jobs.command.settings.inherit",
            "jobs.command.settings.defaults",
        ),
    )
    logging = Object("the log", LoggingSection)
    stop_timeout = Whole(
        "time between a job's stop signal and SIGKILL",
        key="stopTimeout",
        unit="s",
        default=5,
        allowed="0: 5; negative: no wait",
        derives=("stop_timeout_s", "jobs.stop.timeout_s"),
    )
    stop_signals = Texts(
        "signals that ask for a stop beside SIGTERM and SIGINT (as PID 1 beside SIGQUIT, SIGWINCH and SIGRTMIN+3 too), "
        "in the place of what else they mean",
        key="stopSignals",
        default=(),
        example='["SIGUSR1"]',
        derives=("stop_signals",),
    )
    control = OrFalse(
        "the control socket; `false`: none, for file systems that cannot be written: only signals reach corepilot then",
        ControlSection,
    )
    exit_status = Choice(
        "`job`: the status of the first job that failed for good; `zero`: always 0, as in ContainerPilot",
        {"job": "job", "zero": "zero"},
        key="exitStatus",
        default="job",
    )
    report_failing = Flag(
        "report a failing check as critical at once; if not, the TTL runs out, as in ContainerPilot",
        key="reportFailing",
        default=True,
    )
    jobs = Array("what is run", Object("a job", JobSection), default=())
    watches = Array("services and keys that are watched", Object("a watch", WatchSection), default=())
    locks = Array("locks that jobs may need", Object("a lock", LockSection), default=())
    render = Array("files that are made from what is watched", Object("a file", RenderSection), default=())
    telemetry = Object("metrics and status: an endpoint, and where else they go", TelemetrySection, default_text="off")
    observers = Array(
        "plugins that are told of every event, run and reload: each a name, or its name as `observer` and its options",
        Raw("an observer", kind="text or object"),
        default=(),
        derives=("observers",),
    )
