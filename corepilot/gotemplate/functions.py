"""The functions that a template can call: Go's, ContainerPilot's seven, ours, and those that look at watches.

Each function is listed with the types of its parameters, because Go checks them before it calls. Those few that a
configuration hardly uses are imported at their first call.
"""

from __future__ import annotations

from corepilot.gotemplate import compare, containerpilot, elements, watched
from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.values import Value, type_name

TYPE_CHECKING = False  # see values.py
if TYPE_CHECKING:
    from collections.abc import Callable

ANY = "any value"
STRING = "string"
STRINGS = "[]string"

ENVIRONMENT = "environment"
METER = "meter"


class Function:
    """A function and what Go knows of its arguments.

    Attributes:
        parameters: types of the arguments that must be there.
        rest: type of any number of arguments behind them; None where there can be none.
        call: takes the arguments in order, raises FunctionFailure.
        also: what call takes before the arguments: ENVIRONMENT, METER or nothing.
    """

    __slots__ = ("also", "call", "parameters", "rest")

    def __init__(
        self,
        call: Callable[..., Value],
        *parameters: str,
        rest: str | None = None,
        also: str = "",
    ) -> None:
        self.call = call
        self.parameters = parameters
        self.rest = rest
        self.also = also


def _evaluated_by_the_caller(*_: Value) -> Value:
    raise AssertionError


def _call(function: Value, *_: Value) -> Value:
    raise FunctionFailure(f"a {type_name(function)} is no function; no value of a template is")


def _print(*values: Value) -> str:
    from corepilot.gotemplate.printing import sprint

    return sprint(values)


def _println(*values: Value) -> str:
    from corepilot.gotemplate.printing import sprintln

    return sprintln(values)


def _printf(layout: str, *values: Value) -> str:
    from corepilot.gotemplate.printf import sprintf

    return sprintf(layout, values)


def _html(*values: Value) -> str:
    from corepilot.gotemplate.escaping import escape_html

    return escape_html(values)


def _js(*values: Value) -> str:
    from corepilot.gotemplate.escaping import escape_js

    return escape_js(values)


def _urlquery(*values: Value) -> str:
    from corepilot.gotemplate.escaping import escape_query

    return escape_query(values)


def _memory(percent: Value) -> int:
    from corepilot.gotemplate.machine import memory

    return memory(percent)


def _cpus() -> int:
    from corepilot.gotemplate.machine import cpus

    return cpus()


def _not(value: Value) -> bool:
    return not value


EXTRA = ("default", "env", "join", "loop", "regexReplaceAll", "replaceAll", "split")
"""ContainerPilot's: what Go's text/template does not have (ContainerPilot contract, section 2)."""

MACHINE = ("cpus", "memory")
"""Ours: what the container may use."""

WATCHED = ("contains", "key", "keyExists", "keyOrDefault", "ls", "service", "tree")
"""consul-template's, for the templates of files: most look at watches, which a configuration's own template cannot."""

FUNCTIONS: dict[str, Function] = {
    "and": Function(_evaluated_by_the_caller, ANY, rest=ANY),
    "call": Function(_call, ANY, rest=ANY),
    "html": Function(_html, rest=ANY),
    "index": Function(elements.index, ANY, rest=ANY),
    "js": Function(_js, rest=ANY),
    "len": Function(elements.length, ANY),
    "not": Function(_not, ANY),
    "or": Function(_evaluated_by_the_caller, ANY, rest=ANY),
    "print": Function(_print, rest=ANY),
    "printf": Function(_printf, STRING, rest=ANY),
    "println": Function(_println, rest=ANY),
    "slice": Function(elements.cut, ANY, rest=ANY),
    "urlquery": Function(_urlquery, rest=ANY),
    "eq": Function(compare.eq, ANY, rest=ANY),
    "ge": Function(compare.ge, ANY, ANY),
    "gt": Function(compare.gt, ANY, ANY),
    "le": Function(compare.le, ANY, ANY),
    "lt": Function(compare.lt, ANY, ANY),
    "ne": Function(compare.ne, ANY, ANY),
    "default": Function(containerpilot.default, ANY, ANY),
    "env": Function(containerpilot.env, STRING, also=ENVIRONMENT),
    "join": Function(containerpilot.join, STRING, STRINGS),
    "loop": Function(containerpilot.loop, rest=ANY),
    "regexReplaceAll": Function(containerpilot.regex_replace_all, STRING, STRING, STRING, also=METER),
    "replaceAll": Function(containerpilot.replace_all, STRING, STRING, STRING),
    "split": Function(containerpilot.split, STRING, STRING),
    "cpus": Function(_cpus),
    "memory": Function(_memory, ANY),
    "contains": Function(watched.contains, ANY, ANY),
    "key": Function(watched.key, STRING, also=ENVIRONMENT),
    "keyExists": Function(watched.key_exists, STRING, also=ENVIRONMENT),
    "keyOrDefault": Function(watched.key_or_default, STRING, STRING, also=ENVIRONMENT),
    "ls": Function(watched.ls, STRING, also=ENVIRONMENT),
    "service": Function(watched.service, STRING, also=ENVIRONMENT),
    "tree": Function(watched.tree, STRING, also=ENVIRONMENT),
}
