"""Where things are below the prefix, and how an instance is written. Pure.

    <prefix>/services/<service>/<id>    an instance that passes or warns, ephemeral
    <prefix>/critical/<service>/<id>    one that is critical: nerve's readers take presence for health
    <prefix>/keys/<key>                 a key
    <prefix>/locks/<name>/<who>__lock__<number>   those who compete for a lock, ephemeral and sequential

An instance is JSON as nerve writes it (github.com/airbnb/nerve, reporter/zookeeper.rb): `host`, `port`, `name`. What we
add, nerve's readers do not look at.
"""

import json
import re
from typing import Any
from urllib.parse import quote, unquote

from corepilot.model.service import Instance, Registration, Status

# What PathUtils.validatePath of ZooKeeper refuses. Java's characters are meant: those beyond the first 65,536 are two.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff\U00010000-\U0010ffff]")
_QUOTED = re.compile(f"[%/]|{_UNUSABLE.pattern}")


def segment(text: str) -> str:
    """A text as the name of a node: "/", "%" and what ZooKeeper refuses are written as %xx of their UTF-8."""
    if text in {".", ".."}:
        return text.replace(".", "%2E")
    return _QUOTED.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)


def text_of(name: str) -> str:
    """What `segment` made a name of."""
    return unquote(name, errors="replace") if "%" in name else name


def is_usable(name: str) -> bool:
    """Whether ZooKeeper takes a text as the name of a node."""
    return name not in {"", ".", ".."} and "/" not in name and not _UNUSABLE.search(name)


class Layout:
    """The paths below a prefix.

    Args:
        prefix: An absolute path; "/" for the root (or the chroot).
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.rstrip("/")

    def services(self, service: str) -> str:
        """Where a service's instances are that pass or warn."""
        return f"{self.prefix}/services/{segment(service)}"

    def critical(self, service: str) -> str:
        """Where its critical ones are."""
        return f"{self.prefix}/critical/{segment(service)}"

    @property
    def all_services(self) -> tuple[str, str]:
        """Where the nodes of the services are: with those that pass or warn, and with critical ones."""
        return f"{self.prefix}/services", f"{self.prefix}/critical"

    def lock(self, name: str) -> str:
        """Where those are who compete for a lock."""
        return f"{self.prefix}/locks/{segment(name)}"

    @property
    def keys(self) -> str:
        """Where the keys are that are not absolute."""
        return f"{self.prefix}/keys"

    def places(self, registration: Registration, status: Status) -> tuple[str, str]:
        """The path for an instance with a status, and the one where it must not be then."""
        name = segment(registration.id)
        healthy = f"{self.services(registration.service)}/{name}"
        critical = f"{self.critical(registration.service)}/{name}"
        return (critical, healthy) if status == "critical" else (healthy, critical)


def record_of(registration: Registration, status: Status, output: str) -> bytes:
    """An instance as it is stored: JSON in UTF-8."""
    record = {
        "host": registration.address,
        "port": registration.port,
        "name": registration.id,
        "service": registration.service,
        "status": status,
        "tags": registration.tags,
        "notes": registration.notes,
        "output": output,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def instance_of(service: str, name: str, data: bytes, *, critical: bool) -> Instance | None:
    """The instance in a node; None if it holds nothing of the kind.

    nerve's own nodes have no status: those are healthy, because they are there.

    Args:
        service: What was asked for.
        name: The node's.
        data: What it holds.
        critical: Whether it is among the critical ones.
    """
    try:
        record: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    address, port, tags = record.get("host"), record.get("port"), record.get("tags") or []
    if isinstance(port, str) and port.isascii() and port.isdecimal() and len(port) <= 5:
        port = int(port)
    if not isinstance(address, str) or type(port) is not int or not 0 <= port < 65536:
        return None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    told = record.get("status")
    status: Status = "critical" if critical else "warning" if told == "warning" else "passing"
    return Instance(text_of(name), service, address, port, status, tuple(tags))
