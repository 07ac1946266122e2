"""The elements of a long JSON list, one at a time: `json.loads` of 7 MB would hold the hub for 50 to 100 ms. Pure."""

import json
import re
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]  # it is there, and typeshed does not say so
from typing import Any

_BETWEEN = re.compile(rb',\s*\{\s*"Node"\s*:\s*\{')
_decode = json.JSONDecoder().raw_decode


def pieces(body: bytes) -> Iterator[bytes]:
    """Cut a list of objects where its elements begin; nothing comes of what does not look like one.

    Consul writes the fields of all elements in one order, and with the same space between them, so all of them begin as
    the second one does. The cuts may still be wrong. But where every piece parses as one value, they are right: commas
    stand between values, and nowhere else.

    Args:
        body: The list, with "Node" as the first field of each element, as of /v1/health/service.
    """
    end = body.rfind(b"]")
    start = body.find(b"[") + 1
    # A list of checks has objects that begin in the same way, but theirs has a text: the bracket tells them apart.
    between = _BETWEEN.search(body)
    if not start or end < start or body[: start - 1].strip() or body[end + 1 :].strip():
        return
    while between is not None and (following := body.find(between[0], start)) >= 0:
        yield body[start:following]
        start = following + 1
    yield body[start:end]


def parse(text: bytes) -> Any:
    """One value.

    Raises:
        ValueError: it is not JSON, or nested too deeply. Quotes nothing.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({type(error).__name__})") from None


def each(body: bytes, pause: Callable[[], object]) -> Iterator[Any]:
    """The elements of a list, parsed one by one: what they cost together is what `json.loads` costs.

    Args:
        body: The list.
        pause: Called after every element.

    Raises:
        ValueError: it is not a list in JSON. Quotes nothing. What has been yielded by then counts for nothing.
    """
    try:
        text = body.decode()
        at, more = _first(text)
        while more:
            value, at = _decode(text, at)
            yield value
            pause()
            at, more = _next(text, at)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not a list in JSON ({type(error).__name__})") from None


def _first(text: str) -> tuple[int, bool]:
    """Where the first element begins, and whether there is one."""
    at = WHITESPACE.match(text, 0).end()
    if text[at : at + 1] != "[":
        raise ValueError
    at = WHITESPACE.match(text, at + 1).end()
    return (at, True) if text[at : at + 1] != "]" else _next(text, at)


def _next(text: str, at: int) -> tuple[int, bool]:
    """Where the element after the one that ends here begins, and whether there is one."""
    at = WHITESPACE.match(text, at).end()
    if text[at : at + 1] == ",":
        return WHITESPACE.match(text, at + 1).end(), True
    if text[at : at + 1] != "]" or text[at + 1 :].strip():
        raise ValueError
    return at, False
