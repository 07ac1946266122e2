"""The settings of `jobs[].consul`: what a registration says that only Consul knows."""

from typing import Any

from marshmallow import ValidationError

from corepilot.config.diagnostics.complaints import Complaint, refusal, shown
from corepilot.config.schema.fields import Flag, Setting, Text, Whole
from corepilot.config.schema.sections import Object, Section
from corepilot.config.text.units import weak_str

_KEY_LONGEST, _VALUE_LONGEST, _MOST = 128, 512, 64
"""What Consul takes (developer.hashicorp.com/consul/docs/services/configuration/services-configuration-reference)."""

_MOST_WEIGHT = 65535


class Meta(Setting):
    """An object of texts, as `name=value` in the order of the configuration."""

    kind = "object of texts"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        del attr, data, kwargs
        if not isinstance(value, dict):
            raise refusal("wrong-type", f"{shown(value)} is not an object", 'write { version: "1.4" }')
        if len(value) > _MOST:
            raise refusal("wrong-value", f"there are {len(value)} names, and Consul takes {_MOST}", "leave some out")
        errors: dict[str, Any] = {}
        pairs = []
        for name, one in value.items():
            complaint = _wrong_name(name)
            try:
                text = weak_str(one)
            except ValueError:
                text, complaint = "", Complaint("wrong-type", f"{shown(one)} is not a text", "write a text in quotes")
            if len(text) > _VALUE_LONGEST:
                complaint = Complaint("wrong-value", f"it is longer than {_VALUE_LONGEST} characters", "shorten it")
            if complaint is not None:
                errors[name] = [complaint]
            pairs.append(f"{name}={text}")
        if errors:
            raise ValidationError(errors)
        return tuple(pairs)


def _wrong_name(name: str) -> Complaint | None:
    plain = name.replace("-", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and len(name) <= _KEY_LONGEST and not name.startswith("consul-"):
        return None
    hint = f'up to {_KEY_LONGEST} letters, digits, "-" and "_"; "consul-" at the beginning is Consul\'s own'
    return Complaint("bad-name", f"{shown(name)} cannot be a name in Consul's meta", hint, key=True)


class WeightsSection(Section):
    """`jobs[].consul.weights`."""

    passing = Whole("share of the DNS answers while it passes", minimum=1, maximum=_MOST_WEIGHT, default=1)
    warning = Whole("share while it warns", minimum=0, maximum=_MOST_WEIGHT, default=1)


class ConsulExtrasSection(Section):
    """`jobs[].consul`."""

    enable_tag_override = Flag(
        "let others change the tags of the service in Consul's catalog", key="enableTagOverride", default=False
    )
    deregister_after = Text(
        "how long the service may be critical until Consul removes it",
        key="deregisterCriticalServiceAfter",
        default="",
        default_text="never",
        example="90m",
        allowed="a Go duration with its unit; Consul takes at least 1m",
    )
    meta = Meta(
        "names and values that the catalog shows with the instance",
        default=(),
        default_text="none",
        example='{ version: "1.4" }',
    )
    weights = Object("how often Consul's DNS names the instance, beside others", WeightsSection)
