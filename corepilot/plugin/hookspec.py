"""The hooks: every way in which a plugin takes part, with what each returns and when it is called.

A hook only registers. It returns a class, and the class does the work: `corepilot.discovery.backend.Backend` and its
sisters are where behaviour is described. All hooks of a plugin live in the light module that its entry point names:

    from corepilot.plugin import hookimpl

    @hookimpl
    def corepilot_register_backend():
        from corepilot_notebook.backend import NotebookBackend
        return NotebookBackend

The rules that hold for every hook:

- A function whose name begins with `corepilot_` must carry the mark `hookimpl`, and must be one of the functions below.
  Anything else is refused at load time, by the plugin's name: a hook that is misspelt or not marked would otherwise
  just never be called.
- An implementation may leave out arguments that it does not need. It may not add any.
- Hooks run in the supervisor, in the hub's thread: they must not block, start threads, change signal handlers, the
  working directory, the umask or the environment, or monkey-patch anything. A plugin that does so while it is loaded
  is refused, with what it changed.
- What a hook prints is not part of any protocol. Use `BackendContext.log` and its sisters.

Only plugins that the configuration names are loaded. Being installed does nothing.
"""

from typing import Any

import pluggy

from corepilot.model.event import Event

PROJECT = "corepilot"
"""The name under which pluggy keeps our marks."""

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def corepilot_register_backend() -> type[Any]:  # type: ignore[empty-body]
    """Return the backend: a subclass of `corepilot.discovery.backend.Backend` without abstract methods left.

    For entry points in the group `corepilot.backends`; required there. Called once per (re)load of a configuration that
    names the plugin in `discovery`, in the supervisor, after the first jobs have been started: this is the place to
    import what is heavy, and importing is all that it should do. corepilot then makes one instance, with the plugin's
    `Options` and a `BackendContext`. Never called by the loader, by `corepilot check` or by `plugins list` and `info`.

    An exception, or anything but such a class, is logged as an error that names the plugin; corepilot runs its jobs on
    without a catalog, because PID 1 does not end on a plugin's mistake.
    """


@hookspec
def corepilot_register_sink() -> type[Any]:  # type: ignore[empty-body]
    """Return the telemetry sink: a subclass of `corepilot.telemetry.sink.Sink` without abstract methods left.

    For entry points in the group `corepilot.sinks`; required there. Called when and as `corepilot_register_backend` is.
    """


@hookspec
def corepilot_register_source() -> type[Any]:  # type: ignore[empty-body]
    """Return the configuration source: a class with the methods of `corepilot.sources.source.Source`, a protocol.

    For entry points in the group `corepilot.sources`; required there. Called in the loader, before there is a
    configuration: no gevent is loaded there, blocking is fine, and the loader's deadline bounds it.
    """


@hookspec
def corepilot_event(event: Event) -> None:
    """Observe an event of the bus: every one, in the order in which the jobs see them.

    For any loaded plugin; optional. Called between two events, so it must return quickly: queue what takes longer.
    Observers are called one by one. One that raises is reported and keeps being called; the others, and the jobs, are
    not touched by it. There is no way to stop or change an event from here.

    Args:
        event: Its `key` is what users write in `when`; `str(event)` is how ContainerPilot spells it.
    """
