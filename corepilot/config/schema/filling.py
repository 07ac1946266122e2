"""Which settings fill which values of the model, so that nobody has to write a setting a third time.

A setting is written in its section, and as a typed field of the model. `made` takes it from the one to the other where
it stays what it is; what changes its form on the way names its field (`Setting.fills`, `Setting.derives`) and is made
in `corepilot.config.rules`. `tools/settings_agree.py` holds sections and model together: names, types, defaults.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from corepilot.config.schema.fields import Setting
from corepilot.config.schema.health import HealthSection
from corepilot.config.schema.jobs import JobSection
from corepilot.config.schema.output import FileSection, OutputSection
from corepilot.config.schema.ready import ReadySection
from corepilot.config.schema.renders import RenderSection
from corepilot.config.schema.restarts import RestartsSection
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.config.schema.settings import ControlSection, LoggingSection, RootSection
from corepilot.config.schema.telemetry import MetricSection, TelemetrySection
from corepilot.config.schema.watches import LockSection, WatchSection
from corepilot.config.schema.when import WhenSection
from corepilot.model.command import Command, OutputFile
from corepilot.model.configuration import Configuration, Control, Lock, Logging, Metric, Render, Telemetry, Watch
from corepilot.model.job import Check, Job, Ready, RestartPolicy
from corepilot.model.trigger import When
from corepilot.model.value import Value, defaults_of, names_of

SECTIONS: dict[type[Value], type[Section]] = {
    Check: HealthSection,
    Command: OutputSection,
    Configuration: RootSection,
    Control: ControlSection,
    Job: JobSection,
    Lock: LockSection,
    Logging: LoggingSection,
    Metric: MetricSection,
    OutputFile: FileSection,
    Ready: ReadySection,
    Render: RenderSection,
    RestartPolicy: RestartsSection,
    Telemetry: TelemetrySection,
    Watch: WatchSection,
    When: WhenSection,
}
"""The section that each value is made from."""

_Made = TypeVar("_Made", bound=Value)
_REQUIRED = object()
_fields: dict[type[Value], tuple[tuple[str, str, Any], ...]] = {}
"""Of each value its fields in order: name, attribute of the section, default."""


def made(model: type[_Made], data: Mapping[str, Any], **others: Any) -> _Made:
    """A value from the valid settings of its section.

    Args:
        model: Its class, one of SECTIONS.
        data: What is valid, by attribute of the section. What it lacks has the default of the model.
        others: The fields that the rules make; they win.

    Raises:
        TypeError: a field without a default is missing: a bug of ours.
    """
    fields = _fields.get(model)
    if fields is None:
        names = {path: name for name, path in _copies(model, SECTIONS[model])}
        defaults = defaults_of(model)
        fields = _fields[model] = tuple(
            [(field, names.get(field, ""), defaults.get(field, _REQUIRED)) for field in names_of(model)]
        )
    # All fields in order are the quick way to make a value, and a file may have thousands of jobs.
    values = [others[field] if field in others else data.get(name, default) for field, name, default in fields]
    for entry, value in zip(fields, values, strict=True):
        if value is _REQUIRED:
            raise TypeError(f"{model.__name__} needs {entry[0]}")
    return model(*values)


def target(model: type[Value], name: str, setting: Setting) -> tuple[str, ...]:
    """The fields of a value that a setting fills, as paths below it."""
    if setting.derives:
        return setting.derives
    timed = f"{name}_s"
    return (setting.fills or (timed if timed in model.__annotations__ else name),)


def _copies(model: type[Value], section: type[Section]) -> Iterator[tuple[str, str]]:
    """Attribute and field of each setting whose value becomes a field as it is."""
    for name, setting in section().fields.items():
        if isinstance(setting, Setting) and not setting.derives and not isinstance(setting, Object | Array):
            (path,) = target(model, name, setting)
            if "." not in path:
                yield name, path
