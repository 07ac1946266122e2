"""Files that are made from what is watched."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.schema.fields import Text
from corepilot.config.schema.names import CATALOG_HINT, is_catalog_name
from corepilot.config.schema.sections import Object, Section
from corepilot.model.event import CODES

MODE_MAX = 0o777


class RenderWhenSection(Section):
    """`render[].when`."""

    meant: ClassVar = {"once": "write each", "event": "write each", "interval": "name an event: source and each"}

    source = Text("whose event, as in `jobs[].when`", required=True, example="watch.app")
    each = Text("the event at which the file is made", required=True, example="changed")

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """It is one of the events."""
        each = data.get("each")
        if each is not None and each not in CODES:
            hint = "events: " + ", ".join(sorted(CODES))
            raise ValidationError({"each": [Complaint("unknown-event", f"{shown(each)} is not an event", hint)]})


class RenderSection(Section):
    """One of `render`; its events `changed`, `healthy` and `unhealthy` have the source `render.<name>`."""

    meant: ClassVar = {
        "source": "write templateFile",
        "contents": "write template",
        "destination": "write to",
        "path": "write to",
        "perms": "write mode",
        "command": 'add to the job that reads it reload, and reloadOn: "render.<name>"',
    }

    name = Text(
        "the name of its events",
        default="",
        default_text="of the file's name what is in front of the first dot: `upstreams` for `upstreams.conf`",
        allowed=CATALOG_HINT,
        derives=("name",),
    )
    template = Text(
        "the template; the configuration's own template is carried out first, so `{{` is written as ``{{`{{`}}``",
        default_text="none",
        derives=("template",),
    )
    template_file = Text(
        "the file that the template is in; it is read when the configuration is loaded",
        key="templateFile",
        default_text="none",
        allowed="at most 1 MiB; relative to corepilot's working directory",
        example="/etc/nginx/upstreams.conf.tmpl",
        derives=("template",),
    )
    to = Text("the file that is made", required=True, allowed="an absolute path", example="/etc/nginx/upstreams.conf")
    mode = Text(
        "mode of the file where there is none yet; one that is there keeps its mode and its owner",
        default_text='`"0644"`',
        allowed="an octal number in quotes",
        example='"0600"',
        derives=("mode",),
    )
    when = Object(
        "when it is made again",
        RenderWhenSection,
        default_text="whenever a watch changes that its template looks at",
        derives=("when",),
    )

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """One template, a name for its events, a path and a mode."""
        errors: dict[str, Any] = {}
        given = [key for key in ("template", "template_file") if data.get(key) is not None]
        if len(given) > 1:
            rule = "template is given as well, and a file has one template"
            errors["templateFile"] = [Complaint("render-conflict", rule, "leave one of them out", key=True)]
        elif not given:
            errors["template"] = [Complaint("missing-key", "there is no template", "add templateFile, or template")]
        if data.get("name") and not is_catalog_name(data["name"]):
            rule = f"{shown(data['name'])} cannot be a file's name in events"
            errors["name"] = [Complaint("bad-name", rule, CATALOG_HINT)]
        to = data.get("to")
        if to is not None and (not to.startswith("/") or to.endswith("/") or "\0" in to):
            errors["to"] = [Complaint("wrong-value", f"{shown(to)} is no absolute path of a file", "write one")]
        if data.get("mode") is not None and _mode(data["mode"]) is None:
            rule = f"{shown(data['mode'])} is not a mode"
            errors["mode"] = [Complaint("wrong-value", rule, 'write an octal number in quotes, such as "0640"')]
        if errors:
            raise ValidationError(errors)


def mode_of(text: str | None) -> int:
    """The mode that a valid `mode` says; 0644 without one."""
    return 0o644 if text is None else _mode(text) or 0


def _mode(text: str) -> int | None:
    if not text or text.strip("01234567") or len(text) > 4:
        return None
    number = int(text, 8)
    return number if number <= MODE_MAX else None
