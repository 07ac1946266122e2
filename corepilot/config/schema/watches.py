"""What is watched in catalogs, and the locks that are kept there."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.schema.fields import Duration, Flag, Text, Whole
from corepilot.config.schema.names import (
    KEY_HINT,
    LOCK_HINT,
    NAME_HINT,
    is_lock_name,
    is_service_name,
    key_fault,
)
from corepilot.config.schema.sections import Section


class WatchSection(Section):
    """One of `watches`; its events have the source `watch.<name>`."""

    meant: ClassVar = {"poll": "write interval", "frequency": "write interval"}

    name = Text(
        "the watch's name, which is its own; without `key` and `prefix` also the service that is watched",
        required=True,
        allowed=f"of a service, {NAME_HINT}",
        example="database",
    )
    service = Text(
        "name of the service that is watched",
        default="",
        default_text="the watch's name",
        example="postgres",
        derives=("kind", "subject"),
    )
    key = Text(
        "key that is watched", default="", default_text="none", example="app/limits", derives=("kind", "subject")
    )
    prefix = Text(
        "what the keys that are watched have in front of a slash",
        default="",
        default_text="none",
        example="app",
        derives=("kind", "subject"),
    )
    interval = Whole(
        "how long to wait before the first lookup, and the maximum age of cached results",
        unit="s",
        minimum=1,
        default=10,
        default_text="10s, and the first lookup is at once",
    )
    at_start = Flag(
        "look it up at the start too, not only after one interval",
        key="atStart",
        default_text="`true` without `interval`, else `false`",
        derives=("at_start",),
    )
    debounce = Duration(
        "how long it has to be quiet until a change is told; at the latest it is told after five times as long",
        default=0.0,
        default_text="told at once",
        minimum=0,
        example="2s",
    )
    tag = Text("only instances with this tag", default="", default_text="all")
    dc = Text("Consul's datacenter", default="", default_text="the agent's own", fills="datacenter")
    catalog = Text(
        "catalog that is looked in",
        default="",
        default_text="of services all, as one list; of keys the one that has them",
        example="consul",
        derives=("catalog",),
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """One subject, with a name that its kind can have."""
        given = [key for key in ("service", "key", "prefix") if data.get(key)]
        if len(given) > 1:
            rule = f"{given[0]} is given as well, and a watch has one subject"
            raise ValidationError({given[1]: [Complaint("watch-conflict", rule, "make two watches", key=True)]})
        keyed = given[:1] != ["service"] and bool(given)
        where = given[0] if given else "name"
        subject = data.get(where)
        if subject is None:
            return
        if keyed:
            fault = key_fault(subject)
            if where == "key" and not fault and subject.endswith("/"):
                hint = f'write prefix: "{subject.removesuffix("/")}" for all keys below it'
                rule = f"{shown(subject)} is not a key: it ends with a slash"
                raise ValidationError({where: [Complaint("bad-key", rule, hint)]})
            if fault:
                raise ValidationError({where: [Complaint("bad-key", f"{shown(subject)} {fault}", KEY_HINT)]})
        elif not is_service_name(subject):
            rule = "the name is empty" if not subject else f"{shown(subject)} cannot be the name of a service"
            raise ValidationError({where: [Complaint("bad-name", rule, NAME_HINT)]})
        if given and not data.get("name", "x"):
            raise ValidationError({"name": [Complaint("bad-name", "the name is empty", "give the watch a name")]})

    def not_used(self, data: dict[str, Any]) -> dict[str, str]:
        """Keys have no tags and no datacenter."""
        if not (data.get("key") or data.get("prefix")):
            return {}
        return {one: "it has no effect on keys: leave it out" for one in ("tag", "dc") if data.get(one)}


class LockSection(Section):
    """One of `locks`; its events `acquired` and `lost` have the source `lock.<name>`."""

    name = Text("the lock's name, the same for all who compete for it", required=True, example="primary")
    ttl = Duration(
        "time after which the lock is free if its holder says nothing; a job that needs it is ended before",
        required=True,
        minimum=1,
        allowed="at least 3 times what the end of the jobs that need it takes and a second; with Consul at least 10s",
        example="30s",
    )
    catalog = Text(
        "catalog that keeps the lock",
        default="",
        default_text="the one that keeps locks",
        example="consul",
        derives=("catalog",),
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """A name that every store can have."""
        name = data.get("name")
        if name is not None and not is_lock_name(name):
            raise ValidationError({"name": [Complaint("bad-name", f"{shown(name)} cannot be a lock's", LOCK_HINT)]})
