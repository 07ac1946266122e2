"""The locks, and whether the jobs that need one can be ended in its time."""

from collections.abc import Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.catalog import WAY_OUT, NamedCatalogs
from corepilot.config.rules.elements import elements_of
from corepilot.config.rules.watches import catalog_for
from corepilot.config.schema.filling import made
from corepilot.model.configuration import Lock
from corepilot.model.job import Job, stop_s

_PARTS = 3
_MARGIN_S = 1.0
"""A lock is renewed every third of its TTL, and one renewal may fail: the rest is for the end of what needs it. The
margin is that of `corepilot.discovery.lock_keeper`."""


def locks_of(entries: Any, written: Any, catalogs: NamedCatalogs, verdict: Verdict) -> list[Lock]:
    """The locks that can be used.

    Args:
        entries: The valid settings of each.
        written: As they were written.
        catalogs: What the configuration names.
        verdict: Takes what is wrong.
    """
    locks: list[Lock] = []
    places: dict[str, int] = {}
    for index, entry, _ in elements_of(entries, written, ("locks",), verdict):
        path: Path = ("locks", index)
        catalog = entry.get("catalog", "")
        if catalogs.named:
            catalog = catalog_for("locks", catalog, path, catalogs, verdict)
        else:
            verdict.complain(path, Complaint("no-catalog", "a lock needs a catalog and there is none", WAY_OUT))
        _judge_ttl(entry.get("ttl"), catalog, (*path, "ttl"), catalogs, verdict)
        if not {"name", "ttl"} <= entry.keys():
            continue
        first = places.setdefault(entry["name"], index)
        if first != index:
            rule = f"locks[{first}] is already called {shown(entry['name'])}"
            verdict.complain((*path, "name"), Complaint("same-name", rule, "give it another name, or leave it out"))
            continue
        locks.append(made(Lock, entry, catalog=catalog))
    return locks


def _judge_ttl(ttl_s: float | None, catalog: str, path: Path, catalogs: NamedCatalogs, verdict: Verdict) -> None:
    """Refuse a TTL that the catalog's backend would refuse each time it is asked."""
    plugin = catalogs.plugins.get(catalog)
    if ttl_s is None or plugin is None or not plugin.lock_ttl_s:
        return
    shortest, longest = plugin.lock_ttl_s
    if not shortest <= ttl_s <= longest:
        rule = f"the backend {plugin.name} keeps locks with a ttl of {shortest:g} to {longest:g} s, not {ttl_s:g} s"
        verdict.complain(
            path, Complaint("wrong-value", rule, f'write "{shortest if ttl_s < shortest else longest:g}s"')
        )


def judge_lock_users(jobs: Sequence[tuple[int, Job]], locks: Sequence[Lock], verdict: Verdict) -> None:
    """Refuse a job that needs a lock that there is not, or that could outlast it."""
    known = {lock.name: lock for lock in locks}
    hooked = {job.hook.source for _, job in jobs if job.hook is not None and job.hook.code == "stopping"}
    for index, job in jobs:
        path: Path = ("jobs", index, "lock")
        lock = known.get(job.lock)
        if not job.lock:
            continue
        if lock is None:
            if not verdict.refused:
                hint = did_you_mean(job.lock, sorted(known)) or f'add locks: [{{ name: "{job.lock}", ttl: "30s" }}]'
                verdict.complain(path, Complaint("unknown-lock", f"there is no lock {shown(job.lock)}", hint))
            continue
        end_s = stop_s(job, hooked=job.name in hooked)
        needed_s = _PARTS * (end_s + _MARGIN_S)
        if lock.ttl_s < needed_s:
            rule = f"the job's end may take {end_s:g} s, and the lock's ttl is {lock.ttl_s:g} s, which is less than "
            rule += f"{needed_s:g} s: three times the sum of that and one second"
            hint = "give the lock a longer ttl, or lower stopTimeout: the one at the top"
            if job.name in hooked:
                hint += ", and the job's own, which its hook may take"
            verdict.complain(path, Complaint("lock-too-short", rule, hint))
