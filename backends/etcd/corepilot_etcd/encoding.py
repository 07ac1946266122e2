"""How keys, values and numbers stand in the messages of etcd's JSON gateway. Pure.

Bytes are base64, 64-bit numbers are texts, and what is zero, false or empty is left out: proto3's mapping to JSON
(protobuf.dev/programming-guides/json). The messages are those of etcd.io/docs/v3.4/dev-guide/api_reference_v3.
"""

from binascii import Error, a2b_base64, b2a_base64
from typing import Any, NamedTuple

Message = dict[str, Any]
"""A message, as `json` makes and takes it."""


class Span(NamedTuple):
    """A key, or all keys from `key` up to, and without, `end`.

    Attributes:
        key: The key, or the first one.
        end: b"" for the key alone.
    """

    key: bytes
    end: bytes = b""

    def message(self) -> Message:
        """The fields of a request that says which keys."""
        return {"key": text_of(self.key), "range_end": text_of(self.end)} if self.end else {"key": text_of(self.key)}


class Found(NamedTuple):
    """A key as the store holds it.

    Attributes:
        key: The key.
        value: What it holds.
        lease: The lease that it is bound to, 0 for none.
        created: The store's revision that made it.
        modified: The store's revision that wrote it last.
    """

    key: bytes
    value: bytes
    lease: int
    created: int
    modified: int


def span_below(prefix: str) -> Span:
    """All keys that begin with a text that ends in "/"."""
    start = prefix.encode()
    return Span(start, start[:-1] + b"0")  # "0" comes after "/"


def text_of(data: bytes) -> str:
    """Bytes as they stand in a message."""
    return b2a_base64(data, newline=False).decode("ascii")


def number(message: Message, name: str) -> int:
    """A number of a message, 0 where it is left out.

    Raises:
        ValueError: it is none.
    """
    value = message.get(name, 0)
    if type(value) is int:
        return value
    if not isinstance(value, str) or len(value) > 20:
        raise ValueError(f"{name} is not a number")
    return int(value)


def part(message: Any, name: str) -> Message:
    """A message within a message, empty where it is left out.

    Raises:
        ValueError: it is none.
    """
    value = message.get(name, {}) if isinstance(message, dict) else None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")  # noqa: TRY004  - the type of the answer, not of an argument
    return value


def revision_of(message: Any) -> int:
    """The store's revision in the header of a message, which etcd puts into each but the end of a watch.

    Raises:
        ValueError: there is none, so this is not etcd's. In JSON, an answer that says nothing is also one that says
            that there is nothing: no key, no lease.
    """
    revision = number(part(message, "header"), "revision")
    if revision < 1:
        raise ValueError("it has no header with a revision")
    return revision


def parts(message: Message, name: str) -> list[Any]:
    """A list of messages, empty where it is left out.

    Raises:
        ValueError: it is none.
    """
    value = message.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")  # noqa: TRY004  - as above
    return value


def found_in(message: Any) -> Found:
    """A `KeyValue`.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(message, dict):
        raise ValueError("a key is not an object")  # noqa: TRY004  - as above
    try:
        key, value = a2b_base64(message.get("key", "")), a2b_base64(message.get("value", ""))
    except (Error, TypeError) as error:
        raise ValueError("a key or value is not base64") from error
    return Found(
        key, value, number(message, "lease"), number(message, "create_revision"), number(message, "mod_revision")
    )


def found_otherwise(answer: Message) -> Found | None:
    """What a transaction that compared in vain has found: the key of its one range request; None for nothing.

    Raises:
        ValueError: the answer is another one.
    """
    responses = parts(answer, "responses")
    if not responses:
        raise ValueError("it does not say what was found")
    for response in responses:
        for message in parts(part(response, "response_range"), "kvs"):
            return found_in(message)
    return None
