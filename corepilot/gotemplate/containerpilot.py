"""The seven functions that ContainerPilot adds to the language (ContainerPilot contract, section 2)."""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.limits import MAX_LIST, MAX_OUTPUT_BYTES, Meter
from corepilot.gotemplate.values import (
    Environment,
    GoList,
    Value,
    bounded,
    decoded,
    encoded,
    has_stray_bytes,
    too_long,
    type_name,
)

GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's strings.TrimSpace takes away: less than Python's strip()."""


def default(instead: Value, value: Value) -> str:
    """Return the value where it is a string that is not empty, else the other one, printed."""
    if isinstance(value, str) and value:
        return value
    if isinstance(instead, str):
        return instead
    from corepilot.gotemplate.printing import sprint

    return sprint((instead,))


def env(environment: Environment, name: str) -> str:
    """Return an environment variable, empty where it is not set."""
    return environment.lookup(name)


def split(separator: str, text: str) -> GoList:
    """Cut a text, white space around it taken away, at a separator; an empty separator cuts between all characters."""
    text = text.strip(GO_SPACE)
    if not text:
        return GoList([], "string")
    size = text.count(separator) + 1 if separator else len(text)
    if size > MAX_LIST:
        raise FunctionFailure(f"the list would have {size} elements; a template may make {MAX_LIST}")
    if not separator:
        return GoList(list(text), "string")
    if has_stray_bytes(separator) or has_stray_bytes(text):
        return GoList([decoded(part) for part in encoded(text).split(encoded(separator))], "string")
    return GoList(text.split(separator), "string")


def join(separator: str, elements: GoList | None) -> str:
    """Put strings together with a separator between them."""
    texts = [str(element) for element in elements or ()]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_OUTPUT_BYTES:
        raise too_long()
    return bounded(separator.join(texts))


def replace_all(old: str, new: str, text: str) -> str:
    """Replace every occurrence of a text; an empty one occurs before, between and behind all characters."""
    if len(text) + text.count(old) * len(new) > MAX_OUTPUT_BYTES:
        raise too_long()
    if has_stray_bytes(old) or has_stray_bytes(text):
        if not old:
            return bounded(text.replace(old, new))
        return bounded(decoded(encoded(text).replace(encoded(old), encoded(new))))
    return bounded(text.replace(old, new))


def regex_replace_all(meter: Meter, pattern: str, replacement: str, text: str) -> str:
    """Replace every match of a regular expression in RE2's syntax; $1 and ${name} stand for its groups."""
    from corepilot.gotemplate.regex import replace

    return replace(meter, pattern, replacement, text)


def loop(*bounds: Value) -> GoList:
    """Count from 0, or from the first of two bounds, up or down to the last bound, which is not in the list."""
    if not 1 <= len(bounds) <= 2:
        raise FunctionFailure(f"it takes one or two bounds, not {len(bounds)}")
    start, stop = (0, _bound(bounds[0])) if len(bounds) == 1 else (_bound(bounds[0]), _bound(bounds[1]))
    size = abs(stop - start)
    if size > MAX_LIST:
        raise FunctionFailure(f"the list would have {size} elements; a template may make {MAX_LIST}")
    return GoList(range(start, stop, -1 if stop < start else 1), "int")


def _bound(value: Value) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str):
        digits = value[1:] if value[:1] in ("+", "-") else value
        if digits.isascii() and digits.isdigit() and len(digits) < 100 and -(1 << 63) <= int(value) < 1 << 63:
            return int(value)
        raise FunctionFailure("a bound is a string that is no integer")  # not shown: it may be a secret
    raise FunctionFailure(f"a bound must be an integer or a string of digits, not a {type_name(value)}")
