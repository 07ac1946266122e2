"""What a reload would do, and why: two configurations compared. Pure; what `corepilot plan` prints.

Compared is what is configured, not the environment that jobs inherit, nor addresses that resolve otherwise now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from corepilot.jobs.compare import CONSEQUENCES, JobChange, compare_jobs, differences
from corepilot.model.command import Command, ProcessSettings
from corepilot.model.configuration import Configuration, Render, Watch
from corepilot.model.job import JobKey
from corepilot.model.plugin import Options, PluginReference
from corepilot.model.trigger import AllOf, AnyOf
from corepilot.model.value import Value, names_of
from corepilot.supervisor.continuity import continued, renamed, under_new_names
from corepilot.supervisor.desired import TELEMETRY_JOB, jobs_of

_TELEMETRY = JobKey(TELEMETRY_JOB)

_A_VALUE, _ANOTHER = "a value", "another value"
"""What is shown of a plugin's options: any may be a secret."""


class Change(Value):
    """One line of a plan.

    Attributes:
        what: "job", "watch", "lock", "file", "catalog", "logging", "control", "telemetry" or "settings".
        name: Of a job, a watch, a lock, a file or a catalog; "" else.
        kind: "unchanged", "updated", "restarted", "renewed", "added", "removed"; "changed" for what is no job.
        settings: What differs: name, old and new value as texts, secrets masked.
        consequence: What follows, in words.
    """

    what: str
    name: str
    kind: str
    settings: tuple[tuple[str, str, str], ...] = ()
    consequence: str = ""


class Difference(Value):
    """Everything that two configurations differ in, and what follows.

    Attributes:
        jobs: See `compare_jobs`.
        changes: All, for people.
    """

    jobs: tuple[JobChange, ...]
    changes: tuple[Change, ...]

    @property
    def nothing(self) -> bool:
        """Whether a reload has nothing to do."""
        return all(change.kind == "unchanged" for change in self.changes)


def compare(old: Configuration, new: Configuration, *, restart_all: bool = False) -> Difference:
    """What becomes of everything.

    Args:
        old: What runs.
        new: What is to run.
        restart_all: Every job that stays is restarted.
    """
    jobs = compare_jobs(jobs_of(old), jobs_of(new), restart_all=restart_all)
    changes = [_job_change(change) for change in jobs if change.settings or change.old != _TELEMETRY]
    kept = continued(old.catalogs, new.catalogs)
    names = renamed(kept)
    changes += _watch_changes(under_new_names(old.watches, names), new.watches)
    locks = under_new_names(old.locks, names)
    for name in dict.fromkeys([lock.name for lock in (*locks, *new.locks)]):
        before, after = [next((one for one in side if one.name == name), None) for side in (locks, new.locks)]
        changes += _section("lock", before, after, "is given back, and competed for anew", name)
    for name in dict.fromkeys([render.name for render in (*old.render, *new.render)]):
        one, other = [next((one for one in side.render if one.name == name), None) for side in (old, new)]
        changes += _section("file", _measured(one), _measured(other), "is made anew", name)
    changes += _catalog_changes(old, new, kept)
    changes += _section("logging", old.logging, new.logging, "the log changes at once")
    changes += _section("control", old.control, new.control, "the control socket moves")
    changes += _section(
        "telemetry", old.telemetry, new.telemetry, "telemetry changes, metrics that stay keep their values"
    )
    whole = [
        (name, str(getattr(old, name)), str(getattr(new, name)))
        for name in ("stop_timeout_s", "stop_signals", "exit_status", "report_failing")
        if getattr(old, name) != getattr(new, name)
    ]
    if whole:
        changes.append(Change("settings", "", "changed", tuple(whole), "they hold at once"))
    return Difference(jobs, tuple(changes))


def _job_change(change: JobChange) -> Change:
    key = change.new or change.old
    return Change("job", str(key), change.kind, _texts(change.settings), CONSEQUENCES[change.kind])


def _watch_changes(old: Sequence[Watch], new: Sequence[Watch]) -> list[Change]:
    left = list(old)
    found = []
    for watch in new:
        if watch in left:
            left.remove(watch)
            found.append(Change("watch", watch.name, "unchanged", (), "goes on"))
            continue
        before = next((one for one in left if one.name == watch.name and one not in new), None)
        if before is None:
            found.append(Change("watch", watch.name, "added", (), "begins"))
        else:
            left.remove(before)
            settings = _texts(differences(before, watch))
            found.append(Change("watch", watch.name, "changed", settings, "is opened anew"))
    return found + [Change("watch", watch.name, "removed", (), "ends") for watch in left]


def _catalog_changes(old: Configuration, new: Configuration, kept: Mapping[str, str]) -> list[Change]:
    found: list[Change] = []
    for name in dict.fromkeys([name for name, _ in (*old.catalogs, *new.catalogs)]):
        before = kept.get(name, "")
        if before and before != name:
            settings = _texts([("name", before, name)])
            found.append(Change("catalog", name, "changed", settings, "goes on under this name"))
        old_one = None if name in kept.values() else old.catalog(name)
        new_one = None if before else new.catalog(name)
        found += _section("catalog", old_one, new_one, "services are registered there anew", name)
    return found


def _measured(render: Render | None) -> Render | None:
    """With what tells one template from another in the place of its text, which may be long and hold anything."""
    if render is None:
        return None
    from zlib import crc32  # a start compares nothing

    return render.changed(template=f"{len(render.template)} characters, checksum {crc32(render.template.encode()):08x}")


def _section(what: str, old: Value | None, new: Value | None, consequence: str, name: str = "") -> list[Change]:
    if old == new:
        return []
    if old is None or new is None:
        return [Change(what, name, "added" if old is None else "removed", (), consequence if new else "ends")]
    return [Change(what, name, "changed", _texts(differences(old, new)), consequence)]


def _texts(settings: Sequence[tuple[str, object, object]]) -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    for name, old, new in settings:
        if isinstance(old, Options) and isinstance(new, Options):
            found += [(option, _A_VALUE, _ANOTHER) for option in _differing(name, old, new)]
        else:
            found.append((name, shown(old), shown(new)))
    return tuple(found)


def _differing(name: str, old: Options, new: Options) -> Iterator[str]:
    """The names of the options that differ, which is all that may be shown of them."""
    before, after = dict(old.items), dict(new.items)
    for option in dict.fromkeys([*before, *after]):
        one, other = before.get(option), after.get(option)
        if isinstance(one, Options) and isinstance(other, Options):
            yield from _differing(f"{name}.{option}", one, other)
        elif one != other:
            yield f"{name}.{option}"


def shown(value: object) -> str:
    """A configured value in words: secrets masked, plugins' options by name only, since any may be a secret."""
    from corepilot.config.diagnostics.excerpts import masked  # a start has nothing to show

    return masked(_shown(value), ())


def _settings(settings: ProcessSettings) -> list[str]:
    """Those that are set, in words; variables as assignments, which shows what is secret in them."""
    import json

    if settings == ProcessSettings():
        return []
    parts = []
    for name, value, default in zip(names_of(ProcessSettings), settings, ProcessSettings(), strict=True):
        if name in {"environment", "defaults"}:
            parts += [f"{one}={json.dumps(text, ensure_ascii=False)}" for one, text in value]
        elif value != default:
            parts.append(f"{name} {_shown(value)}")
    return parts


def _shown(value: object) -> str:
    if isinstance(value, PluginReference):
        return f"{value.name} {value.version}"
    if isinstance(value, Options):
        return "options " + ", ".join(name for name, _ in value.items)
    if isinstance(value, Command):
        parts = [_shown(value.argv), *(["raw"] if value.raw else []), *_settings(value.settings)]
        return ", ".join(parts)
    if isinstance(value, AnyOf | AllOf):
        return ("any of " if isinstance(value, AnyOf) else "all of ") + _shown(value.triggers)
    if isinstance(value, Value):
        names: tuple[str, ...] = type(value).__match_args__
        parts = [f"{name} {_shown(one)}" for name, one in zip(names, value, strict=True) if name not in value.ignored]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join([_shown(one) for one in value]) + "]"
    if isinstance(value, str | bool | None):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)
