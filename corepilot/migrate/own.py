"""Which settings of a file ContainerPilot 3 does not know, and therefore refuses (contract, sections 3.2 to 3.8)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from corepilot.config.diagnostics.source_map import Path
from corepilot.config.schema.sections import Array, Object, Objects, Section
from corepilot.config.schema.settings import RootSection
from corepilot.migrate.facts import Facts

_Keys = Mapping[str, Any]

_RAW: _Keys = {"raw": None}
_HEALTH: _Keys = {**dict.fromkeys(("exec", "interval", "ttl", "timeout")), "logging": _RAW}
_CONTAINERPILOT: _Keys = {
    **dict.fromkeys(("consul", "stopTimeout")),
    "logging": dict.fromkeys(("level", "format", "output")),
    "control": {"socket": None},
    "jobs": {
        **dict.fromkeys(("name", "exec", "port", "initial_status", "interfaces", "tags", "timeout", "stopTimeout")),
        "restarts": None,
        "consul": dict.fromkeys(("enableTagOverride", "deregisterCriticalServiceAfter")),
        "health": _HEALTH,
        "when": dict.fromkeys(("source", "once", "each", "interval", "timeout")),
        "logging": _RAW,
    },
    "watches": dict.fromkeys(("name", "interval", "tag", "dc")),
    "telemetry": {
        **dict.fromkeys(("port", "interfaces", "tags")),
        "metrics": dict.fromkeys(("namespace", "subsystem", "name", "help", "type")),
    },
}
"""What ContainerPilot knows, with what is inside of it. All other keys of the schema are ours."""

_OPTIONS = frozenset(("max_answer_mib", "token_file"))
"""Options of Consul that are ours."""


def own_settings(facts: Facts) -> Iterable[Path]:
    """The places of settings that only corepilot has; the whole file if it lacks `consul`, which is required there."""
    if not facts.written:
        return []
    consul = facts.written.get("consul")
    found = list(_inside(facts.written, RootSection(), _CONTAINERPILOT, ()))
    if isinstance(consul, dict):
        found += [("consul", key) for key in consul if key.lower() in _OPTIONS]
    return found if isinstance(consul, dict | str) else [(), *found]


def _inside(written: Any, section: Section, known: _Keys, path: Path) -> Iterator[Path]:
    if not isinstance(written, dict):
        return
    folded = {key.lower(): key for key in known}
    ours = {key.lower(): field for key, field in section.keys().items()}
    for key, value in written.items():
        field = ours.get(key.lower())
        if field is None or value is None:
            continue  # an error, or as if it were not there
        if key.lower() not in folded:
            yield (*path, key)
            continue
        inner = known[folded[key.lower()]]
        if inner is None:
            continue
        if isinstance(field, Objects) and isinstance(value, list):
            yield (*path, key)
        elif isinstance(field, Object):
            yield from _inside(value, field.section, inner, (*path, key))
        elif isinstance(field, Array) and isinstance(field.element, Object) and isinstance(value, list):
            for index, one in enumerate(value):
                yield from _inside(one, field.element.section, inner, (*path, key, index))
