"""An instance as it stands in etcd: `<prefix>/services/<service>/<id>`, a JSON object. Pure.

The layout is public: docs/reference/plugins.md, "The backend `etcd`". Other programs may read it, and may write
instances of their own: `address` and `port` are enough. In the key, "/" and "%" of names are written as %2F and %25.
"""

import json

from corepilot.model.service import Instance, Registration, Status
from corepilot_etcd.encoding import Span, span_below

_STATUSES: dict[str, Status] = {"passing": "passing", "warning": "warning", "critical": "critical"}


def all_services(prefix: str) -> Span:
    """The keys of all instances."""
    return span_below(f"{prefix}/services/")


def services_below(prefix: str, service: str) -> Span:
    """The keys of all instances of a service."""
    return span_below(f"{prefix}/services/{_segment(service)}/")


def instance_key(prefix: str, registration: Registration) -> bytes:
    """The key of an instance."""
    return f"{prefix}/services/{_segment(registration.service)}/{_segment(registration.id)}".encode()


def record_of(registration: Registration, status: Status, output: str) -> bytes:
    """What the key of an instance holds."""
    record: dict[str, object] = {
        "id": registration.id,
        "service": registration.service,
        "address": registration.address,
        "port": registration.port,
        "status": status,
    }
    if registration.tags:
        record["tags"] = registration.tags
    if registration.notes:
        record["notes"] = registration.notes
    if output:
        record["output"] = output
    return json.dumps(record, separators=(",", ":")).encode()


def instance_of(service: str, name: bytes, value: bytes) -> Instance:
    """The instance that a key holds.

    Args:
        service: Of which service.
        name: What is left of the key: the instance's id, whatever the value says.
        value: What the key holds.

    Raises:
        ValueError: it holds something else. Says how, without quoting it.
    """
    identity = name_of(name)
    if not identity:
        raise ValueError("its key is not one of an instance")
    try:
        record = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("it is not an object")  # noqa: TRY004  - what the store holds, not an argument
    address, port, status = record.get("address"), record.get("port"), record.get("status", "passing")
    tags = record.get("tags", [])
    if not isinstance(address, str) or type(port) is not int or not 0 <= port < 65536:
        raise ValueError("it has no address and port")
    if not isinstance(status, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("status or tags are of the wrong type")
    # A status that we do not know counts as critical, as with Consul.
    return Instance(identity, service, address, port, _STATUSES.get(status, "critical"), tuple(tags))


def name_of(segment: bytes) -> str:
    """What a part of a key stands for; "" for one that we would not write."""
    name = segment.decode("utf-8", "replace").replace("%2F", "/").replace("%25", "%")
    return name if _segment(name).encode() == segment else ""


def _segment(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")
