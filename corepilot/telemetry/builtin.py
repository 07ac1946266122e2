"""The families that corepilot records about itself: every one, with its help. docs/reference/metrics.md shows them.

The names follow Prometheus' rules (https://prometheus.io/docs/practices/naming/), without the `_total` of counters,
which is Prometheus' own: its sink adds it. What is read and not counted is refreshed when somebody collects, so none of
this wakes an idle process.
"""

from typing import NamedTuple

from corepilot.telemetry.metrics import SERIES_MAX, Family, Kind, Labels, Metrics

PER_JOB_MAX = 10 * SERIES_MAX
"""Series of a family that has several for each job: how many jobs there are is up to the configuration."""


class BuiltIn(NamedTuple):
    """The description of one family: what `Family` takes."""

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    series_max: int = SERIES_MAX

    def family(self, metrics: Metrics) -> Family:
        """The family of this description among these metrics: made by the first who asks."""
        return metrics.add(Family(*self))


BUILD_INFO = BuiltIn(
    "corepilot_build_info", "gauge", "always 1; the labels say which corepilot this is", ("version", "python")
)
EVENTS = BuiltIn("corepilot_events", "counter", "events on the bus", ("code", "source"))
CONTROL_REQUESTS = BuiltIn("corepilot_control_requests", "counter", "requests on the control socket", ("code", "path"))
JOB_STATE = BuiltIn(
    "corepilot_job_state",
    "gauge",
    "1 for the state that the job is in, 0 for those that it was seen in before",
    ("job", "state"),
    PER_JOB_MAX,
)
JOB_HEALTH = BuiltIn(
    "corepilot_job_health",
    "gauge",
    "1 for the job's health, 0 for what it was seen with before",
    ("job", "health"),
    PER_JOB_MAX,
)
JOB_STARTS = BuiltIn("corepilot_job_starts", "counter", "starts of the job's command", ("job",), PER_JOB_MAX)
JOB_EXITS = BuiltIn(
    "corepilot_job_exits",
    "counter",
    "ends of the job's main process, by reason: success, failure, signal, oom, unstarted, stopped",
    ("job", "reason"),
    PER_JOB_MAX,
)
JOB_RESTART_DELAY = BuiltIn(
    "corepilot_job_restart_delay_seconds",
    "gauge",
    "the delay that the job's restart waits for; 0 when it waits for none",
    ("job",),
    PER_JOB_MAX,
)
CHECK_DURATION = BuiltIn(
    "corepilot_check_duration_seconds", "histogram", "how long the job's health checks took", ("job",)
)
WATCH_INSTANCES = BuiltIn("corepilot_watch_instances", "gauge", "passing instances of a watched service", ("service",))
WATCH_LAG = BuiltIn(
    "corepilot_watch_lag_seconds",
    "gauge",
    "how old what is known of a watched service may be: 0 while the catalog pushes changes",
    ("service",),
)
LOCK_HELD = BuiltIn("corepilot_lock_held", "gauge", "1 while the lock is held, else 0", ("lock",))
LOCK_ACQUISITIONS = BuiltIn("corepilot_lock_acquisitions", "counter", "times the lock was acquired", ("lock",))
LOCK_LOSSES = BuiltIn(
    "corepilot_lock_losses", "counter", "times the lock was lost while it was needed; giving it back is none", ("lock",)
)
RENDER_WRITES = BuiltIn(
    "corepilot_render_writes", "counter", "times the file was written, because its content had changed", ("render",)
)
RENDER_FAILURES = BuiltIn(
    "corepilot_render_failures", "counter", "tries to make the file that failed; what was there stays", ("render",)
)
CATALOG_REQUESTS = BuiltIn(
    "corepilot_catalog_requests",
    "counter",
    "calls to the catalog, by what came of them; of watches, the answers",
    ("operation", "result"),
)
HUB_LAG = BuiltIn(
    "corepilot_hub_lag_seconds", "histogram", "how long the event loop's turns took, which everything else waits for"
)
RELOADS = BuiltIn("corepilot_reloads", "counter", "reloads, by result: applied, refused", ("result",))
PLUGIN_FAULTS = BuiltIn(
    "corepilot_plugin_faults", "counter", "what a plugin did against its contract", ("kind", "plugin")
)
PLUGIN_OFF = BuiltIn("corepilot_plugin_off", "gauge", "instances that are switched off", ("kind", "plugin"))
SINK_FLUSHES = BuiltIn(
    "corepilot_sink_flushes", "counter", "flushes of telemetry, by result: sent, failed", ("sink", "result")
)
SINK_DROPPED = BuiltIn("corepilot_sink_dropped", "counter", "what a sink could neither send nor keep", ("sink",))
OBSERVER_DROPPED = BuiltIn(
    "corepilot_observer_dropped", "counter", "facts that did not fit into the observer's queue", ("observer",)
)
OUTPUT_DROPPED = BuiltIn(
    "corepilot_output_dropped_bytes", "counter", "output of jobs and log that could not be written"
)

BUILT_IN = tuple(one for one in list(vars().values()) if isinstance(one, BuiltIn))
"""All of them."""
