"""A whole configuration, as the loader hands it over: validated, complete, every default filled in.

Meanings: ContainerPilot contract, section 3.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from corepilot.model.job import Job
from corepilot.model.origin import Origins
from corepilot.model.plugin import PluginReference
from corepilot.model.service import Service
from corepilot.model.trigger import OnEvent
from corepilot.model.value import Value


class Logging(Value):
    """`logging`.

    Attributes:
        level: Of corepilot's own lines.
        format: Of all lines.
        output: "stdout", "stderr" or a file's path.
        keep_bytes: Of jobs' lines, how much is kept for `corepilot logs`, at most.
    """

    level: Literal["debug", "info", "warning", "error", "fatal", "panic"] = "info"
    format: Literal["default", "text", "json"] = "default"
    output: str = "stdout"
    keep_bytes: int = 1024 * 1024


class Control(Value):
    """`control`.

    Attributes:
        socket: The path asked for, or None for the default places.
        strict: Whether an unsafe place, or a file of somebody else's there, is refused.
    """

    socket: str | None = None
    strict: bool = False


class Watch(Value):
    """One of `watches`; its events have the source `watch.<name>`.

    Attributes:
        name: Its own.
        interval_s: How long to wait before the first lookup, and the maximum age of what is known.
        kind: What the subject is.
        subject: What is watched: a service, a key, or what keys begin with; "" for the service of the watch's name.
        tag: Only instances with this tag; "" for all.
        datacenter: Consul's; "" for the agent's own.
        at_start: Whether to look at once instead.
        debounce_s: Seconds without a further change until a change is told; 0: at once.
        catalog: The catalog's name; "" for all that know services.
    """

    name: str
    interval_s: int = 10
    kind: Literal["service", "key", "prefix"] = "service"
    subject: str = ""
    tag: str = ""
    datacenter: str = ""
    at_start: bool = False
    debounce_s: float = 0.0
    catalog: str = ""

    @property
    def target(self) -> str:
        """What is asked for in the catalog."""
        return self.subject or self.name


class Lock(Value):
    """A lock in a catalog, held by one instance at a time; its events have the source `lock.<name>`.

    Attributes:
        name: Its name, the same for all who compete for it.
        ttl_s: Seconds after which it is free if its holder says nothing.
        catalog: The catalog's name.
    """

    name: str
    ttl_s: float
    catalog: str = ""


class Render(Value):
    """A file that is made from what is watched; its events have the source `render.<name>`.

    Attributes:
        name: Its name.
        template: The text of its template, which is one that can be parsed.
        to: The file's path, absolute.
        when: The event at which it is made again; None: whenever a watch changes that the template looks at.
        mode: The file's mode where there is none yet.
    """

    name: str
    template: str
    to: str
    when: OnEvent | None = None
    mode: int = 0o644


class Metric(Value):
    """One of `telemetry.metrics`. The public name joins the parts that are not empty with "_"."""

    name: str
    help: str
    type: Literal["counter", "gauge", "histogram", "summary"]
    namespace: str = ""
    subsystem: str = ""


class Telemetry(Value):
    """`telemetry`.

    Attributes:
        port: Of the endpoint; 0: any free one, not advertised.
        address: Of the endpoint; "" where there is none.
        metrics: The user's own.
        service: What it registers for itself, None when the port is 0.
        sinks: Where telemetry goes, each with its options.
        listen: Every address and port of the endpoint; empty where there is none.
    """

    port: int
    address: str
    metrics: tuple[Metric, ...] = ()
    service: Service | None = None
    sinks: tuple[PluginReference, ...] = ()
    listen: tuple[tuple[str, int], ...] = ()


class Configuration(Value):
    """Everything.

    Attributes:
        jobs: In the order of the file.
        watches: In the order of the file.
        locks: In the order of the file.
        render: In the order of the file.
        logging: See `Logging`.
        stop_timeout_s: The default of `StopPolicy.timeout_s`; also what processes get that their jobs left behind.
        stop_signals: Numbers of signals that ask for a stop, beside those that always do.
        control: See `Control`; None: no control socket.
        exit_status: "job": the status of the first job that failed for good; "zero": always 0, as ContainerPilot.
        report_failing: Whether a failing check is reported as critical at once, or (ContainerPilot's way) only when its
            TTL runs out.
        catalogs: Name and backend of each. The only one that a file names is called as its backend.
        telemetry: None: off.
        observers: Who is told of everything, each with its options.
        warnings: What `check` would warn of, one sentence each. Not compared, nor are the following.
        location: The configuration as the user named it.
        origins: Where each value was written.
    """

    ignored: ClassVar[tuple[str, ...]] = ("warnings", "location", "origins")

    jobs: tuple[Job, ...] = ()
    watches: tuple[Watch, ...] = ()
    locks: tuple[Lock, ...] = ()
    render: tuple[Render, ...] = ()
    logging: Logging = Logging()
    stop_timeout_s: float = 5.0
    stop_signals: tuple[int, ...] = ()
    control: Control | None = Control()
    exit_status: Literal["job", "zero"] = "job"
    report_failing: bool = True
    catalogs: tuple[tuple[str, PluginReference], ...] = ()
    telemetry: Telemetry | None = None
    observers: tuple[PluginReference, ...] = ()
    warnings: tuple[str, ...] = ()
    location: str = ""
    origins: Origins = Origins()

    def catalog(self, name: str) -> PluginReference | None:
        """The backend of a catalog, or None if there is no such catalog."""
        return dict(self.catalogs).get(name)
