"""Who sends: the resource and the scope of everything, by OpenTelemetry's semantic conventions."""

import os
from collections.abc import Iterable, Mapping

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Attribute = str | int | bool


def resource_of(service: str, instance: str, more: Iterable[tuple[str, str]]) -> Resource:
    """The resource. Attributes that the configuration names win, as the specification has it.

    Args:
        service: `service.name`, unless `more` has one.
        instance: `service.instance.id`, unless `more` has one.
        more: Further attributes.
    """
    values: dict[str, Attribute] = {
        "service.name": service,
        "service.instance.id": instance,
        "host.name": os.uname().nodename,
        "process.pid": os.getpid(),
        **dict(more),
    }
    return Resource(attributes=attributes(values))


def scope_of(version: str) -> InstrumentationScope:
    """What has measured."""
    return InstrumentationScope(name="corepilot", version=version)


def attributes(values: Mapping[str, Attribute]) -> list[KeyValue]:
    """Attributes in OTLP's form."""
    return [KeyValue(key=name, value=_any(value)) for name, value in values.items()]


def _any(value: Attribute) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
