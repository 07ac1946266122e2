"""The settings of `jobs[].health` (ContainerPilot contract, section 3). `rules.jobs` makes a check of them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from corepilot.config.schema.fields import Choice, Command, Duration, Raw, Text, Whole
from corepilot.config.schema.output import OutputSection
from corepilot.config.schema.process_fields import Variables
from corepilot.config.schema.sections import Object, Section


class CheckOutputSection(OutputSection):
    """`jobs[].health.logging`."""

    results = Choice(
        "of which results the output is logged",
        {"always": "always", "failures": "failures"},
        default="always",
        derives=("logged",),
    )


class CheckLogging(Object):
    """An object of settings, or one of the words of `results`."""

    kind = "object, or one of `always`, `failures`"
    way_out = "write always, failures, or { … }"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        given = {"results": value} if isinstance(value, str) and value in {"always", "failures"} else value
        return super()._deserialize(given, attr, data, **kwargs)


class HealthSection(Section):
    """`jobs[].health`."""

    meant: ClassVar = {
        "poll": "write interval",
        "heartbeat": "write interval",
        "frequency": "write interval",
        "period": "write interval",
        "retries": "write failures",
        "threshold": "write failures",
        "failure_threshold": "write failures",
        "failurethreshold": "write failures",
        "success_threshold": "write successes",
        "successthreshold": "write successes",
        "initial_delay_seconds": "write startPeriod",
        "initialdelayseconds": "write startPeriod",
        "start_period": "write startPeriod",
        "test": "write exec",
        "environment": "write env",
        "working-dir": "write cwd",
        "user-id": "write user",
    }

    name = Text(
        "tells several checks of a job apart: the source of its events is `check.<job>.<name>`, without a name "
        "`check.<job>`",
        default="",
        allowed="required where there are several; letters, digits, - and _",
        example="http",
    )
    exec = Command(
        "command that exits with 0 when the job is healthy; without it the service is kept passing",
        fills="command.argv",
        example="/usr/bin/check --fast",
    )
    http = Raw(
        "HTTP request that is answered when the job is healthy: its URL, or the options of the check `http`",
        kind="text or object",
        example='"http://127.0.0.1:8080/health"',
        derives=("plugin",),
    )
    tcp = Raw(
        "connection that is accepted when the job is healthy: `host:port`, a port of the job's own address, or the "
        "options of the check `tcp`",
        kind="number, text or object",
        example='"127.0.0.1:6379"',
        derives=("plugin",),
    )
    grpc = Raw(
        "gRPC server whose health (grpc.health.v1) is SERVING when the job is healthy: as `tcp`, or the options of the "
        "check `grpc`",
        kind="number, text or object",
        example='{ address: "127.0.0.1:50051", service: "shop.Cart" }',
        derives=("plugin",),
    )
    check = Text("plugin that finds it out", default_text="none", example="redis", derives=("plugin",))
    options = Raw("options of `check`", kind="object", default_text="none", derives=("plugin",))
    env = Variables(
        "variables of the command, beside those of the job; `null` removes one",
        default_text="the job's",
        allowed="also an array of `NAME=value`",
        example="{ PGUSER: null }",
        derives=("command.settings.environment", "command.settings.inherit"),
    )
    cwd = Text("working directory of the command", default_text="the job's", derives=("command.settings.cwd",))
    user = Text(
        "user that the command runs as",
        default_text="the job's",
        allowed="a name or a number; also `user:group`",
        example="postgres",
        derives=("command.settings.user", "command.settings.group"),
    )
    interval = Whole("time between two checks", unit="s", required=True, minimum=1)
    ttl = Whole("how long a passing check is good for", unit="s", required=True, minimum=1)
    timeout = Duration(
        "time until the command is killed, or the answer given up",
        default_text="the interval",
        allowed="0 or less: no limit",
        example="2s",
    )
    failures = Whole("so many failing results in a row make the job unhealthy", minimum=1, default=1, example="3")
    successes = Whole("so many passing results in a row make the job healthy", minimum=1, default=1)
    start_period = Duration(
        "time from the start of a run in which failing results do not count, as long as none has passed",
        key="startPeriod",
        minimum=0,
        default=0.0,
        default_text="0",
        example="30s",
    )
    level = Choice(
        "what it asks about: whether the job works at all (`alive`), or whether others can use its service now "
        "(`ready`); only the latter decides what the catalog is told",
        {"alive": "alive", "ready": "ready"},
        default="ready",
    )
    on_unhealthy = Choice(
        "what becomes of a run when the check has failed: `restart` ends it as one that has failed",
        {"nothing": "nothing", "restart": "restart"},
        key="onUnhealthy",
        default="nothing",
    )
    logging = CheckLogging("output of the command", CheckOutputSection, derives=("command", "logged"))
