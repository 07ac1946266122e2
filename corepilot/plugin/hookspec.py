"""The hooks: every way in which a plugin takes part. One hook for each kind, and the table of the kinds.

A hook only registers. It returns a class (a command: a function), and the class does the work: its contract, named
below, is where behaviour is described. The hook stands in the light module that the plugin's entry point names:

    from corepilot.plugin import hookimpl

    @hookimpl
    def corepilot_register_backend():
        from corepilot_notebook.backend import NotebookBackend
        return NotebookBackend

The rules that hold for every hook:

- **Names.** A function whose name begins with `corepilot_` must carry the mark `hookimpl`, and must be one of the
  functions below. Anything else is refused by the plugin's name: a hook that is misspelt or not marked would otherwise
  just never be called.
- **Arguments.** An implementation takes none.
- **When.** Only what a configuration or a command line names is loaded. Being installed does nothing: no module of the
  plugin is imported.
- **How often.** Once for each start, reload or command that names the plugin anew; a plugin that stays as it is over a
  reload is not asked again. Two entries that name one plugin make two instances of what the one call returned.
- **What it may do.** Import, and nothing else. It must not block, start threads or processes, change signal handlers,
  the working directory, the umask or the environment, or monkey-patch anything. A plugin that does so while it is
  loaded is refused, with what it changed.
- **What it returns.** As said below. None is an error: a hook that has nothing to register should not be there.
- **What it raises.** Anything, SystemExit included, is an error that names the plugin, its distribution and the line.
  The jobs go on; what was to use the plugin says what it goes without.
- **How long.** A hook that holds the supervisor up for two seconds is interrupted; see `corepilot.plugin.boundary`.
- **Printing.** What a hook prints is no part of any protocol. Use `log` of the context that the class is given.
- **Deprecation.** A hook that is to go is first marked as deprecated here, with what to use instead and the version in
  which it goes; using it is then a warning at load time, for two minor releases at least.
"""

from collections.abc import Callable, Sequence
from typing import Any

from corepilot.plugin.kinds import table

API_VERSION = "1.0"
"""The version of the plugin interface, MAJOR.MINOR. A plugin made for another MAJOR, or a later MINOR, is refused."""

KINDS, _kind = table()
"""Every kind of plugin, by its name."""

_AFTER_START = "in the supervisor, after the first jobs have been started"


@_kind(
    "backend",
    contract="corepilot.discovery.backend:Backend",
    named_in="`discovery` (and `consul`), `--discovery`",
    loaded=_AFTER_START,
    suite="corepilot.testing.backends:BackendSuite",
    shipped={"consul": "corepilot-consul", "etcd": "corepilot-etcd", "zookeeper": "corepilot-zookeeper"},
    capabilities=frozenset({"services", "register", "watch", "expiry", "datacenters", "keys", "locks"}),
)
def corepilot_register_backend() -> type[Any]:  # type: ignore[empty-body]
    """Return the backend: a subclass of `corepilot.discovery.backend.Backend` without abstract methods left.

    Where: in the supervisor, after the first jobs have been started; on a reload before anything is changed. Never
    called by the loader or by `plugins list` and `info`; `corepilot check` calls it in a process of its own.

    Afterwards: corepilot makes one instance, with the plugin's `Options` and a `BackendContext`.

    On an error: at a start the jobs run on without a catalog; a reload is refused.
    """


@_kind(
    "sink",
    contract="corepilot.telemetry.sink:Sink",
    named_in="`telemetry.sinks`",
    loaded=_AFTER_START,
    suite="corepilot.testing.sinks:SinkSuite",
    shipped={"otlp": "corepilot-otlp", "prometheus": "corepilot-prometheus", "statsd": "corepilot-statsd"},
    capabilities=frozenset({"pull"}),
)
def corepilot_register_sink() -> type[Any]:  # type: ignore[empty-body]
    """Return the telemetry sink: a subclass of `corepilot.telemetry.sink.Sink` without abstract methods left.

    Where: as `corepilot_register_backend`.

    Afterwards: corepilot makes one instance for each entry of `telemetry.sinks` that names it, with a `SinkContext`.

    On an error: at a start the jobs and the other sinks run on; a reload is refused.
    """


@_kind(
    "source",
    contract="corepilot.sources.source:Source",
    named_in="the scheme of `-c` and `$COREPILOT`",
    loaded="in the loader, at each start and reload, before there is a configuration",
    suite="corepilot.testing.sources:SourceSuite",
)
def corepilot_register_source() -> type[Any]:  # type: ignore[empty-body]
    """Return the configuration source: a class with the methods of `corepilot.sources.source.Source`, a protocol.

    Where: in the loader, a process that lives for one load: no gevent is loaded there, blocking is fine, and the
    loader's limits on time and memory bound it. The entry point's name is the scheme that names the source: letters,
    digits, `+`, `-` and `.`, in lower case.

    Afterwards: corepilot makes one instance without arguments for each location with that scheme, and asks it once.

    On an error: there is no configuration, so a start ends with 1, and a reload is refused.
    """


@_kind(
    "check",
    contract="corepilot.checks.check:Check",
    named_in="`jobs[].health`",
    loaded=_AFTER_START,
    suite="corepilot.testing.checks:CheckSuite",
)
def corepilot_register_check() -> type[Any]:  # type: ignore[empty-body]
    """Return the check: a subclass of `corepilot.checks.check.Check` without abstract methods left.

    Where: as `corepilot_register_backend`.

    Afterwards: corepilot makes one instance for each job that names it, with a `CheckContext`.

    On an error: at a start the job runs, and its check fails with the reason; a reload is refused.
    """


@_kind(
    "observer",
    contract="corepilot.observers.observer:Observer",
    named_in="`observers`",
    loaded=_AFTER_START,
    suite="corepilot.testing.observers:ObserverSuite",
)
def corepilot_register_observer() -> type[Any]:  # type: ignore[empty-body]
    """Return the observer: a subclass of `corepilot.observers.observer.Observer` without abstract methods left.

    Where: as `corepilot_register_backend`. What has happened before is kept for it.

    Afterwards: corepilot makes one instance for each entry of `observers` that names it, with an `ObserverContext`.

    On an error: at a start the jobs and the other observers run on; a reload is refused.
    """


@_kind(
    "command",
    contract="collections.abc:Callable",
    named_in="the first word of `corepilot COMMAND …`",
    loaded="in the process of the command, when it is called",
    suite="corepilot.testing.commands:CommandSuite",
)
def corepilot_register_command() -> Callable[[Sequence[str]], int]:  # type: ignore[empty-body]
    """Return the command: a function that takes the words after its name and returns the exit status, 0 to 255.

    Where: in a process of its own, started by a person; corepilot's own commands win over a plugin of the same name.
    `corepilot plugins info` shows the first line of the light module's docstring; `corepilot --help` imports nothing,
    and shows the distribution.

    Afterwards: the function is called once. It writes to the standard streams, and may block. A `CorepilotError` that
    it raises becomes one line on stderr and the status 1; any other exception is a bug, with its traceback.
    """


def hooks() -> dict[str, Callable[..., Any]]:
    """Every hook's specification, by its name."""
    return {kind.hook: globals()[kind.hook] for kind in KINDS.values()}


def kind_of(group: str) -> str:
    """The kind that a group of entry points holds, such as "backend" for "corepilot.backends"."""
    return next(kind.name for kind in KINDS.values() if kind.group == group)
