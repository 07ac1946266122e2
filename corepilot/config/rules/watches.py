"""What is watched, and in which catalog; and which catalogs a job registers in."""

from collections.abc import Mapping, Sequence
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.catalog import WAY_OUT, NamedCatalogs
from corepilot.config.rules.elements import elements_of
from corepilot.config.schema.filling import made
from corepilot.model.configuration import Watch

SHIPPED_WITH: Mapping[str, tuple[str, ...]] = {
    "services": ("consul", "embedded", "etcd", "zookeeper"),
    "register": ("consul", "embedded", "etcd", "zookeeper"),
    "keys": ("consul", "embedded", "etcd", "zookeeper"),
    "locks": ("consul", "embedded", "etcd", "zookeeper"),
    "datacenters": ("consul",),
}
"""Which of the backends that we publish have a capability, for whoever has chosen another one."""

_DOES = {
    "services": "tell the instances of services",
    "register": "take registrations",
    "keys": "keep keys",
    "locks": "keep locks",
    "datacenters": "know datacenters",
}


def watches_of(entries: Any, written: Any, catalogs: NamedCatalogs, verdict: Verdict) -> list[Watch]:
    """The watches that can be used.

    Args:
        entries: The valid settings of each.
        written: As they were written.
        catalogs: What the configuration names.
        verdict: Takes what is wrong.
    """
    watches: list[Watch] = []
    names: dict[str, int] = {}
    for index, entry, raw in elements_of(entries, written, ("watches",), verdict):
        path: Path = ("watches", index)
        if not catalogs.named:
            complaint = Complaint("no-catalog", "a watch needs a catalog and there is none", WAY_OUT)
            verdict.complain(path, complaint)
        if "name" not in entry:
            continue
        if entry["name"] in names:
            rule = f"watches[{names[entry['name']]}] has the same name, so nobody can tell their events apart"
            hint = f'give it a name of its own, and say what it watches: service: "{entry["name"]}"'
            verdict.warn((*path, "name"), "same-name", rule, hint)
        names.setdefault(entry["name"], index)
        kind = next((one for one in ("key", "prefix") if entry.get(one)), "service")
        catalog = entry.get("catalog", "")
        for one in ("tag", "dc") if kind != "service" else ():
            if entry.get(one):
                verdict.warn(
                    (*path, one), "key-ignored", "keys have none, so it has no effect", "leave it out", key=True
                )
        if catalogs.named:
            catalog = catalog_for("services" if kind == "service" else "keys", catalog, path, catalogs, verdict)
            if entry.get("dc") and catalog not in {"", *catalogs.with_capability("datacenters")}:
                verdict.complain((*path, "dc"), _cannot("datacenters", (catalog,), catalogs))
            elif entry.get("dc") and not catalog:
                catalog_for("datacenters", "", (*path, "dc"), catalogs, verdict)
        watches.append(
            made(
                Watch,
                entry,
                kind=kind,
                subject=entry.get(kind) or "",
                at_start=entry.get("at_start", not _says(raw, "interval")),
                catalog=catalog,
            )
        )
    return watches


def catalog_for(capability: str, asked: str, path: Path, catalogs: NamedCatalogs, verdict: Verdict) -> str:
    """Which catalog has what is needed.

    Args:
        capability: What is needed.
        asked: The catalog that the configuration asks for; "" if it does not say.
        path: Where it is needed.
        catalogs: What there is.
        verdict: Takes what is wrong.

    Returns:
        The catalog's name; "" for services: in all that have them.
    """
    able = catalogs.with_capability(capability)
    if asked:
        if asked in able:
            return asked
        if asked in catalogs.plugins:
            verdict.complain((*path, "catalog"), _cannot(capability, (asked,), catalogs))
        else:
            verdict.complain((*path, "catalog"), unknown_catalog(asked, catalogs))
        return asked
    if not able and not catalogs.misread:
        verdict.complain(path, _cannot(capability, tuple(catalogs.plugins), catalogs))
    if capability in {"services", "datacenters"}:
        return ""
    if len(able) > 1:
        rule = f"{' and '.join(able)} can both {_DOES[capability]}, and it does not say which is meant"
        verdict.complain(path, Complaint("which-catalog", rule, f'add catalog: "{able[0]}"'))
    return able[0] if able else ""


def catalogs_of_job(names: Sequence[str], path: Path, catalogs: NamedCatalogs, verdict: Verdict) -> None:
    """Judge the catalogs that a job names: they exist, and take registrations."""
    for index, name in enumerate(names):
        if name not in catalogs.plugins:
            if not catalogs.misread:
                verdict.complain((*path, index), unknown_catalog(name, catalogs))
        elif name not in catalogs.with_capability("register"):
            verdict.complain((*path, index), _cannot("register", (name,), catalogs))


def unknown_catalog(name: str, catalogs: NamedCatalogs) -> Complaint:
    """The complaint about a catalog that there is not."""
    known = sorted(catalogs.plugins)
    hint = did_you_mean(name, known) or (f"catalogs: {', '.join(known)}" if known else WAY_OUT)
    return Complaint("unknown-catalog", f"there is no catalog {shown(name)}", hint)


def _cannot(capability: str, names: Sequence[str], catalogs: NamedCatalogs) -> Complaint:
    backends = [plugin.name for name, plugin in catalogs.usable if name in names]
    what = f"the backend {backends[0]} does" if len(backends) == 1 else f"the backends {' and '.join(backends)} do"
    rule = f"{what} not {_DOES[capability]}"
    return Complaint("no-capability", rule, f"backends that do: {', '.join(SHIPPED_WITH[capability])}")


def _says(written: Any, key: str) -> bool:
    return isinstance(written, dict) and any(one.lower() == key for one in written)
