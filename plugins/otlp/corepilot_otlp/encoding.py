"""Requests as bytes: protobuf, or the JSON that OTLP makes of it. No I/O."""

import base64
import gzip
import json
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from google.protobuf.message import DecodeError, Message

_IDS = frozenset(("traceId", "spanId", "parentSpanId"))

_Answer = TypeVar("_Answer", bound=Message)


class Encoding:
    """How requests are written, and answers read.

    Args:
        json: JSON instead of protobuf.
        compressed: By gzip.
    """

    def __init__(self, *, json: bool, compressed: bool) -> None:
        self._json, self._compressed = json, compressed
        self.headers = [("Content-Type", "application/json" if json else "application/x-protobuf")]
        if compressed:
            self.headers.append(("Content-Encoding", "gzip"))

    def write(self, message: Message) -> bytes:
        """A request's body."""
        body = _json_of(message) if self._json else message.SerializeToString()
        return gzip.compress(body, 6, mtime=0) if self._compressed else body

    def read(self, body: bytes, answer: _Answer) -> _Answer:
        """An answer's body; `answer` as it was where the body is not one, which is no reason to send again."""
        try:
            if self._json:
                Parse(body, answer, ignore_unknown_fields=True)
            else:
                answer.ParseFromString(body)
        except (ParseError, DecodeError):
            answer.Clear()
        return answer


def _json_of(message: Message) -> bytes:
    plain = MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(_with_ids(plain), separators=(",", ":")).encode()


def _with_ids(value: Any) -> Any:
    """Ids in hexadecimal, where protobuf's own JSON has base64.

    See https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
    """
    if isinstance(value, dict):
        return {name: base64.b64decode(one).hex() if name in _IDS else _with_ids(one) for name, one in value.items()}
    return [_with_ids(one) for one in value] if isinstance(value, list) else value
