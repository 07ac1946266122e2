"""A validated configuration, as the supervisor sees it: frozen, complete, every default filled in.

The loader makes it in a process of its own and sends it as plain data (`to_plain`); the supervisor builds it again
(`Config.from_plain`). Knows nobody: no I/O, no other module of corepilot. Meanings: ContainerPilot contract, section 3.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from corepilot.discovery.model import Registration, Status
from corepilot.value import Value

_T = TypeVar("_T")

UNLIMITED = -1
"""Value of `JobConfig.restarts` for a job that is restarted for ever."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LoggingConfig(Value):
    """`logging`. `output` is "stdout", "stderr" or a file's path."""

    level: Literal["debug", "info", "warning", "error", "fatal", "panic"] = "info"
    format: Literal["default", "text", "json"] = "default"
    output: str = "stdout"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CheckConfig(Value):
    """`jobs[].health`.

    Attributes:
        interval_s: Seconds between checks, at least 1.
        ttl_s: Seconds a passing result is good for, at least 1.
        exec: The command, or None: heartbeats only.
        timeout_s: Seconds until the command is killed; None for no limit. Defaults to the interval.
        raw: The command writes to corepilot's own stdout and stderr.
    """

    interval_s: int
    ttl_s: int
    exec: tuple[str, ...] | None = None
    timeout_s: float | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ServiceConfig(Value):
    """What a job with a port advertises, and the status it is registered with before its first check, if any."""

    registration: Registration
    initial_status: Status | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class When(Value):
    """When a job starts.

    Attributes:
        kind: "once" and "each" react to the event (code, source); "interval" starts at startup and then every
            `interval_s`; "signal" starts at each signal named by `source`; "never" is a `when` that names no event.
        code: An event's code, for once and each.
        source: An event's source.
        interval_s: Seconds, for interval.
        timeout_s: Seconds after corepilot's start until, without a first start, `timerExpired` is published; or None.
    """

    kind: Literal["once", "each", "interval", "signal", "never"] = "once"
    code: str = "startup"
    source: str = "global"
    interval_s: float | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JobConfig(Value):
    """One of `jobs`.

    Attributes:
        name: Not unique: jobs of one name react to each other's events.
        exec: Program and arguments, or None for a job that only registers a service.
        when: See `When`.
        restarts: How often it is started again after an exit; UNLIMITED for ever.
        timeout_s: Seconds a run may take, or None.
        stop_timeout_s: Seconds that a `stopping` hook of this job may take, or None for the default.
        raw: The job writes to corepilot's own stdout and stderr.
        exit_on: When the job is complete, everything is stopped and the exit status is its own: "end" always, "failure"
            if it failed for good, "" never.
        stop_after: Jobs that have to be `stopped` before this one is stopped.
    """

    name: str
    exec: tuple[str, ...] | None = None
    when: When = When()
    restarts: int = 0
    timeout_s: float | None = None
    stop_timeout_s: float | None = None
    raw: bool = False
    health: CheckConfig | None = None
    service: ServiceConfig | None = None
    exit_on: Literal["", "end", "failure"] = ""
    stop_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WatchConfig(Value):
    """One of `watches`; its events have the source `watch.<name>`. `at_start`: look at once, not after an interval."""

    name: str
    interval_s: int
    tag: str = ""
    datacenter: str = ""
    at_start: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MetricConfig(Value):
    """One of `telemetry.metrics`. The public name joins the parts that are not empty with "_"."""

    name: str
    help: str
    type: Literal["counter", "gauge", "histogram", "summary"]
    namespace: str = ""
    subsystem: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TelemetryConfig(Value):
    """`telemetry`. `service` is what it registers for itself, None when the port is 0."""

    port: int
    address: str
    metrics: tuple[MetricConfig, ...] = ()
    service: ServiceConfig | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PluginConfig(Value):
    """A plugin that the configuration names: found, its options validated, not yet imported by the supervisor.

    Attributes:
        name: The entry point's name.
        module: The light module.
        attribute: Attribute of the module that is the plugin's object; "" for the module itself.
        distribution: Name of the distribution that brings it.
        version: Version of that distribution.
        options: Plain data for the plugin's `Options`; secrets included, so never log it.
    """

    name: str
    module: str
    attribute: str
    distribution: str
    version: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Config(Value):
    """A whole configuration.

    Attributes:
        stop_timeout_s: Seconds between a job's stop signal and its SIGKILL. 0 or less: no wait.
        control_socket: The path asked for, or None for the default places.
        control_strict: Whether an unsafe place for it, or a file of somebody else's there, is refused.
        exit_status: "job": the status of the first job that failed for good; "zero": always 0, as ContainerPilot.
        report_failing: Whether a failing check is reported as critical at once, or (ContainerPilot's way) only when its
            TTL runs out.
        discovery: The backend, or None.
        sinks: Telemetry sinks.
        warnings: What `check` would warn of, one sentence each.
        source: The file's name as the user gave it.
        rendered_digest: A digest of the rendered text, so that a reload can tell whether anything changed.
    """

    jobs: tuple[JobConfig, ...] = ()
    watches: tuple[WatchConfig, ...] = ()
    logging: LoggingConfig = LoggingConfig()
    stop_timeout_s: float = 5.0
    control_socket: str | None = None
    control_strict: bool = False
    exit_status: Literal["job", "zero"] = "job"
    report_failing: bool = True
    discovery: PluginConfig | None = None
    telemetry: TelemetryConfig | None = None
    sinks: tuple[PluginConfig, ...] = ()
    warnings: tuple[str, ...] = ()
    source: str = ""
    rendered_digest: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Dicts, tuples and scalars only: what `marshal` and JSON can carry."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Config":
        """The inverse of `to_plain`. Does not validate: only the loader's output goes in."""
        return cls(
            **{
                **plain,
                "jobs": tuple(_job(job) for job in plain["jobs"]),
                "watches": tuple(WatchConfig(**watch) for watch in plain["watches"]),
                "logging": LoggingConfig(**plain["logging"]),
                "discovery": _optional(PluginConfig, plain["discovery"]),
                "telemetry": _telemetry(plain["telemetry"]),
                "sinks": tuple(PluginConfig(**sink) for sink in plain["sinks"]),
            }
        )


def _optional(kind: type[_T], plain: dict[str, Any] | None) -> _T | None:
    return None if plain is None else kind(**plain)


def _service(plain: dict[str, Any] | None) -> ServiceConfig | None:
    if plain is None:
        return None
    return ServiceConfig(Registration(**plain["registration"]), plain["initial_status"])


def _telemetry(plain: dict[str, Any] | None) -> TelemetryConfig | None:
    if plain is None:
        return None
    return TelemetryConfig(
        **{
            **plain,
            "metrics": tuple(MetricConfig(**metric) for metric in plain["metrics"]),
            "service": _service(plain["service"]),
        }
    )


def _job(plain: dict[str, Any]) -> JobConfig:
    return JobConfig(
        **{
            **plain,
            "when": When(**plain["when"]),
            "health": _optional(CheckConfig, plain["health"]),
            "service": _service(plain["service"]),
        }
    )
