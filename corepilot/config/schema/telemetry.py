"""The settings of `telemetry` (ContainerPilot contract, section 3.8). `rules.telemetry` judges what spans sections."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.schema.fields import Choice, Raw, Several, Text, Texts, Whole
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.config.text.addresses import DEFAULT_SPECS


class MetricSection(Section):
    """One of `telemetry.metrics`. Its public name is namespace, subsystem and name, joined by underscores."""

    namespace = Text("first part of the public name", default="", default_text="none")
    subsystem = Text("second part of the public name", default="", default_text="none")
    name = Text("last part of the public name", required=True, example="requests")
    help = Text("what it measures", required=True)
    type = Choice("what it is", {word: word for word in ("counter", "gauge", "histogram", "summary")}, required=True)

    @validates_schema(skip_on_field_errors=False)
    def judge(self, data: dict[str, Any], **_: Any) -> None:
        """Prometheus' rules for names and help."""
        errors: dict[str, Any] = {}
        if data.get("help") == "":
            errors["help"] = [Complaint("wrong-value", "the help is empty", "say what the metric measures")]
        if "name" in data:
            public = public_name(data)
            if not data["name"] or not _is_metric_name(public):
                rule = f"{shown(public)} is not a name that Prometheus allows"
                hint = "use letters, digits and underscores; do not start with a digit"
                errors["name"] = [Complaint("bad-name", rule, hint)]
        if errors:
            raise ValidationError(errors)


class TelemetrySection(Section):
    """`telemetry`."""

    meant: ClassVar = {
        "sensors": "write metrics, and a job for each that records it; for a version 2 file see corepilot migrate"
    }

    port = Whole(
        "port of the endpoint",
        minimum=0,
        maximum=65535,
        default_text="9090, or no endpoint where there are `sinks`",
        allowed="0: any free port, not advertised",
        derives=("port",),
    )
    listen = Texts(
        "further addresses of the endpoint, each as ADDRESS:PORT",
        default=(),
        example='["0.0.0.0:9090", "[::1]:9091"]',
        derives=("listen",),
    )
    sinks = Array(
        "where telemetry goes: each a name, or its name as `sink` and its options",
        Raw("a sink", kind="text or object"),
        default_text="the endpoint, as in ContainerPilot",
        derives=("sinks",),
    )
    interfaces = Several(
        "where the address of the endpoint is taken from", single=False, default=DEFAULT_SPECS, derives=("address",)
    )
    tags = Texts(
        "tags of the service `containerpilot`; the version is added",
        braces=True,
        default=(),
        derives=("service.registration.tags",),
    )
    metrics = Array("metrics of your own", Object("a metric", MetricSection), braces=True, default=())


def public_name(metric: dict[str, Any]) -> str:
    """The name under which a metric is published."""
    parts = (metric.get("namespace", ""), metric.get("subsystem", ""), metric.get("name", ""))
    return "_".join(part for part in parts if part)


def _is_metric_name(name: str) -> bool:
    """Whether a name is `^[a-zA-Z_:][a-zA-Z0-9_:]*$`."""
    return name.isascii() and name.replace("_", "a").replace(":", "a").isidentifier()
