"""The settings of `jobs` (ContainerPilot contract, section 3); those of their `health` are in `health`.

`rules.jobs` and `rules.references` judge what needs a machine, a plugin or another job.
"""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.schema.conditions import Dependencies
from corepilot.config.schema.consul_extras import ConsulExtrasSection
from corepilot.config.schema.fields import Choice, Command, Duration, Several, Text, Texts
from corepilot.config.schema.health import HealthSection
from corepilot.config.schema.names import NAME_HINT, is_service_name
from corepilot.config.schema.output import OutputSection
from corepilot.config.schema.ports import Port
from corepilot.config.schema.process_settings import ProcessSection
from corepilot.config.schema.ready import ReadySection
from corepilot.config.schema.restarts import Restarts, RestartsSection, Statuses
from corepilot.config.schema.sections import Object, Objects
from corepilot.config.schema.when import WhenSection
from corepilot.config.text.addresses import DEFAULT_SPECS
from corepilot.model.job import UNLIMITED


class JobSection(ProcessSection):
    """One of `jobs`.

    ContainerPilot takes the names of variables of its own for keys, to no effect. Files use some: `restartLimit`.
    """

    meant: ClassVar = {
        "poll": "write interval in health",
        "heartbeat": "write interval in health",
        "frequency": "write interval in when",
        "restart": "write restarts",
        "stdout_logfile": "write logging: { file: … }",
        "log_location": "write logging: { file: … }",
        "stderr_logfile": "write logging: { errorFile: … }",
        "redirect_stderr": "both streams are one; logging: { separate: true } tells them apart",
    }
    ignored = frozenset(
        (
            *("exectimeout", "freqinterval", "healthcheckexec", "heartbeatinterval", "restartlimit", "ttl"),
            *("servicedefinition", "stoppingtimeout", "stoppingwaitevent"),
            *("whenevent", "whenstartslimit", "whentimeout"),
        )
    )

    name = Text(
        "the job's name; jobs with the same name receive each other's events",
        required=True,
        allowed=f"with a port, {NAME_HINT}",
        example="app",
    )
    exec = Command(
        "program and arguments; without them the job only registers its service",
        example="/bin/app --port 80",
        fills="command.argv",
    )
    port = Port(
        "port that the service is advertised with; with `replicas` it may hold `%i`, and each has its own",
        default=0,
        default_text="not advertised",
        fills="service.registration.port",
    )
    initial_status = Text(
        "status that the service is registered with before its first check",
        default="",
        default_text="registered at the first passing check",
        allowed="`passing`, `warning` or `critical`",
        derives=("service.initial_status",),
    )
    interfaces = Several(
        "where the address of the service is taken from; without it and without a network it is 127.0.0.1",
        default=DEFAULT_SPECS,
        derives=("service.registration.address",),
    )
    tags = Texts("tags of the service", braces=True, default=(), fills="service.registration.tags")
    instance = Text(
        "distinguishes this instance from others of the same service: its id is `<name>-<instance>`",
        default="",
        default_text="`$COREPILOT_INSTANCE`, else the host name",
        derives=("service.registration.id",),
    )
    consul = Object("what only Consul knows", ConsulExtrasSection, derives=("service.registration.extras",))
    catalogs = Several(
        "catalogs that the service is advertised in",
        default=(),
        default_text="all that take registrations",
        example='["consul"]',
        fills="service.registration.catalogs",
    )
    health = Objects(
        "how the job's health is found out: a check, or several, all of which have to pass; required with a port",
        HealthSection,
        fills="checks",
    )
    ready = Object("what shows that a run of the job is ready: one of these", ReadySection, default_text="nothing")
    ready_timeout = Duration(
        "time that a run may take to get ready: then it is ended, and has failed",
        key="readyTimeout",
        minimum=0.001,
        default_text="no limit",
        example="1m",
    )
    timeout = Duration(
        "time that a run may take until it is killed",
        minimum=0.001,
        default_text="none; with `when.interval` the interval",
        example="5m",
    )
    stop_timeout = Duration(
        "time that a `stopping` hook of this job may take; for the time until SIGKILL see `killTimeout`",
        key="stopTimeout",
        default_text="30s",
        fills="stop.hook_timeout_s",
    )
    restarts = Restarts(
        "how often the job is started again after it has ended",
        RestartsSection,
        default_text="`never`; with `when.interval` `unlimited`",
        example="3",
    )
    success_statuses = Statuses(
        "exit statuses, 128 plus its number for a signal, of a run that has succeeded",
        key="successStatuses",
        default=(0,),
        example="[0, 143]",
    )
    when = Object("what starts the job", WhenSection, default_text="it starts once, at startup")
    depends_on = Dependencies(
        "jobs that have to be `started`, `ready`, `healthy`, `completed` or `ended` whenever this one is started; they "
        "are stopped after it",
        key="dependsOn",
        default=(),
        example='{ db: "healthy", migrate: "completed" }',
        allowed="an array stands for `started`",
        derives=("depends_on.job", "depends_on.condition"),
    )
    binds_to = Several(
        "jobs that this one depends on and is stopped with when that holds no more: it begins again when it does; "
        "those that are not in `dependsOn` have to be `started`",
        key="bindsTo",
        default=(),
        default_text="a loss stops nobody",
        example='["db"]',
    )
    stop_after = Several(
        "jobs that have to be `stopped` before this one is stopped; until then it goes on",
        key="stopAfter",
        default=(),
        default_text="stopped with all others",
        example='["app"]',
        fills="stop.after",
    )
    drain = Duration(
        "at a stop, time from when the service has left the catalog, and is seen to have, to the stop signal",
        minimum=0.001,
        default_text="none: the signal comes at once",
        example="5s",
        fills="stop.drain_s",
    )
    exit_on = Choice(
        "when the job has ended for good, or failed for good, everything is stopped, and the exit status is the job's",
        {"end": "end", "failure": "failure"},
        key="exitOn",
        default="",
        default_text="never",
        example="end",
    )
    lock = Text(
        "lock that the job has to hold to run: it waits for it, and is ended when it is lost",
        default="",
        default_text="none",
        example="primary",
    )
    logging = Object("output of the job", OutputSection, fills="command")

    @validates_schema(skip_on_field_errors=False)
    def judge_name(self, data: dict[str, Any], **_: Any) -> None:
        """A job has a name, and a service one that DNS and catalogs can carry."""
        name = data.get("name")
        if name == "":
            complaint = Complaint("bad-name", "the name is empty", "give the job a name")
        elif name is not None and data.get("port") and not is_service_name(name):
            complaint = Complaint("bad-name", f"{shown(name)} cannot be the name of a service", NAME_HINT)
        else:
            return
        raise ValidationError({"name": [complaint]})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def judge_service(self, data: dict[str, Any], original: Any, **_: Any) -> None:
        """What a port makes necessary."""
        if not data.get("port"):
            return
        errors: dict[str, Any] = {}
        folded = self.fold(original) if isinstance(original, dict) else {}
        if folded.get("health", []) == [] and data.get("name") != "containerpilot":
            hint = "add health: { interval: 10, ttl: 30 }, or leave the port out"
            complaint = Complaint("health-missing", "a job with a port needs health", hint, key=True)
            errors["port"] = [complaint]
        status = data.get("initial_status")
        if status and status not in {"passing", "warning", "critical"}:
            rule = f"{shown(status)} is none of passing, warning, critical"
            hint = did_you_mean(status, ("passing", "warning", "critical"))
            errors["initial_status"] = [Complaint("wrong-value", rule, hint)]
        if errors:
            raise ValidationError(errors)

    @validates_schema(skip_on_field_errors=False)
    def judge_restarts(self, data: dict[str, Any], **_: Any) -> None:
        """No endless processes."""
        restarts, when = data.get("restarts"), data.get("when") or {}
        if restarts is None:
            return
        on = restarts.get("on", "always")
        unlimited = restarts.get("limit", UNLIMITED) == UNLIMITED and on in {"always", "success"}
        rule, hint = "", "write a number, and no more: a job with an interval is run again by the clock"
        if unlimited and when.get("each"):
            rule = "unlimited restarts with when.each would make more and more processes"
            hint = "leave restarts out, or write a number"
        elif when.get("interval") is not None and restarts.keys() - {"limit"}:
            rule = "with when.interval there is only a limit"
            if on == "always" and not restarts.keys() - {"limit", "on"}:
                return
        if rule:
            raise ValidationError({"restarts": [Complaint("bad-restarts", rule, hint)]})

    def not_used(self, data: dict[str, Any]) -> dict[str, str]:
        """ContainerPilot does not look at `interfaces` without a port."""
        return {} if data.get("port") else {"interfaces": "it has no effect without a port: leave it out"}
