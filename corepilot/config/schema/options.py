"""Validation of a plugin's options, made from the plugin's `Options` dataclass: authors never touch marshmallow.

The rules are those of the rest of the configuration: keys in any case, the nearest key for an unknown one, weak typing,
null is like no key, all that is wrong at once. See `corepilot.plugin.option` for what a field can say.
"""

import dataclasses
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from corepilot.config.diagnostics.complaints import Complaint, flattened, shown
from corepilot.config.schema.fields import Choice, Duration, Flag, Number, Setting, Text, Texts, Whole
from corepilot.config.schema.secret_references import KEYS, References
from corepilot.config.schema.sections import Object, Section, load
from corepilot.model.plugin import Options, Secret
from corepilot.plugin.options import OptionError, OptionInfo, build, info_of

OptionPath = tuple[str | int, ...]
"""Names from the top of a plugin's options."""

_REFERENCE: dict[str, Any] = {
    "type": "object",
    "properties": {key: {"type": "string"} for key in KEYS},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_TRUTH = {"1": True, "true": True, "0": False, "false": False}


class Judged(NamedTuple):
    """What became of a plugin's options.

    Attributes:
        options: Every option with its value, defaults included, for `corepilot.plugin.options.build`; None if anything
            is wrong.
        complaints: What is wrong.
        ignored: What is ignored: in the environment, and of the configuration what has no effect beside the rest.
        paths: Options that name files and directories: path, value, "file" or "directory".
        sources: Where values came from that the configuration does not hold: "$CONSUL_HTTP_ADDR".
        missing: What is referred to and cannot be had on this machine. There are no options then.
        secrets: What was referred to.
    """

    options: Options | None
    complaints: list[tuple[OptionPath, Complaint]]
    ignored: list[tuple[OptionPath, Complaint]]
    paths: list[tuple[OptionPath, str, str]]
    sources: dict[OptionPath, str]
    missing: list[tuple[OptionPath, Complaint]]
    secrets: list[str]


class _Splitting(Texts):
    """An array of texts in a text, as on a command line."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        split = value.split(",") if isinstance(value, str) and value else value
        return super()._deserialize(split, attr, data, **kwargs)


def judge(kind: type[Any], raw: Mapping[str, Any], environment: Mapping[str, str], *, texts: bool = False) -> Judged:
    """Validate options.

    Args:
        kind: The plugin's `Options`.
        raw: What the configuration gives.
        environment: Fills options in that name a variable.
        texts: The values are texts, as from a command line: an array is one text with commas.

    Raises:
        TypeError: `kind` is no frozen dataclass of supported types.
    """
    section = _section(kind, texts=texts)
    filling = _Filling(environment)
    references = References(environment)
    given = filling.fill(kind, raw, ())
    if not texts and any(isinstance(one, Mapping) for one in given.values()):
        given = references.resolve(_texts(kind), given)
    data, messages = load(section, given)
    complaints = [*flattened(messages), *references.malformed]
    options = None
    if not complaints and not references.missing:
        try:
            made = build(kind, data)
            options = _options(made, references.values)
            filling.ignored += _without_effect(made, given, filling.sources)
        except OptionError as error:
            complaints.append((tuple(error.name.split(".")), Complaint("bad-option", str(error))))
    values = data if options is None else options.plain()
    secrets = list(references.values.values())
    paths = list(_paths(kind, values, ()))
    return Judged(options, complaints, filling.ignored, paths, filling.sources, references.missing, secrets)


_sections: dict[tuple[type[Any], bool], Section] = {}
"""As many as there are plugins."""


def _section(kind: type[Any], *, texts: bool) -> Section:
    """Made once: a thousand jobs may have the same check."""
    found = _sections.get((kind, texts))
    if found is None:
        found = _sections[kind, texts] = section_for(kind, texts=texts)()
    return found


def section_for(kind: type[Any], *, texts: bool = False) -> type[Section]:
    """The settings of a dataclass.

    Raises:
        TypeError: see `judge`.
    """
    hints = get_type_hints(kind)
    fields = {
        field.name: _setting(hints[field.name], info_of(field), texts=texts, required=_is_required(field))
        for field in dataclasses.fields(kind)
    }
    # marshmallow takes fields out of the class's attributes, so an option may well be called "load" or "keys".
    return type(kind.__name__, (Section,), dict(fields))


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a plugin's options."""
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {}
    required = []
    for field in dataclasses.fields(kind):
        info = info_of(field)
        described = _json_type(hints[field.name], info)
        if info.help:
            described["description"] = info.help + (f" ({info.unit})" if info.unit else "")
        if field.default not in (dataclasses.MISSING, None) and not info.secret:
            described["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
        if info.secret:
            described["writeOnly"] = True
            described["anyOf"] = [{"type": described.pop("type", "string")}, _REFERENCE]
        if _is_required(field):
            required.append(field.name)
        properties[field.name] = described
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _texts(kind: type[Any]) -> dict[str, Any]:
    """The options that may hold a reference, for `References.resolve`."""
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        hint = _without_none(hints[field.name])
        if hint is str:
            found[field.name] = None
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
            found[field.name] = _texts(hint)
    return found


def _options(instance: Any, referred: Collection[OptionPath], path: OptionPath = ()) -> Options:
    """What an instance of a plugin's `Options` holds. What came by reference is a secret, whatever its author says."""
    items = []
    for field in dataclasses.fields(instance):
        value, where = getattr(instance, field.name), (*path, field.name)
        if dataclasses.is_dataclass(value):
            value = _options(value, referred, where)
        elif isinstance(value, str) and (info_of(field).secret or where in referred):
            value = Secret(value)
        items.append((field.name, value))
    return Options(tuple(items))


def _setting(hint: Any, info: OptionInfo, *, texts: bool, required: bool) -> Setting:
    """The field for an option.

    Raises:
        TypeError: no configuration can give such a type.
    """
    hint = _without_none(hint)
    common: dict[str, Any] = {"required": required, "secret": info.secret, "example": info.example}
    ranged = {**common, "minimum": info.minimum, "maximum": info.maximum}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Object(info.help, section_for(hint, texts=texts), **common)
    if get_origin(hint) is Literal:
        return Choice(info.help, {str(word): word for word in get_args(hint)}, **common)
    if get_origin(hint) is tuple and get_args(hint) == (str, Ellipsis):
        return (_Splitting if texts else Texts)(info.help, **common)
    if hint is float and info.unit == "s":
        return Duration(info.help, **ranged)
    if hint in (int, float):
        return (Whole if hint is int else Number)(info.help, unit=info.unit, **ranged)
    if hint is bool:
        return Flag(info.help, **common)
    if hint is str:
        return Text(info.help, **common)
    raise TypeError(f"an option cannot have the type {hint}")


def _without_none(hint: Any) -> Any:
    """`X` for `X | None`: null in a configuration is like no key."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else hint
    return hint


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


class _Filling:
    """Fills options in from the environment.

    Attributes:
        sources: What came from where.
        ignored: What is not understood.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.sources: dict[OptionPath, str] = {}
        self.ignored: list[tuple[OptionPath, Complaint]] = []

    def fill(self, kind: type[Any], raw: Any, path: OptionPath) -> Any:
        """The options at `path` with what the environment gives; anything but an object as it is."""
        if not isinstance(raw, Mapping):
            return raw
        filled = dict(raw)
        hints = get_type_hints(kind)
        for field in dataclasses.fields(kind):
            key = field.name if field.name in filled else _in_any_case(field.name, filled)
            hint, info, where = _without_none(hints[field.name]), info_of(field), (*path, field.name)
            if dataclasses.is_dataclass(hint) and isinstance(hint, type):
                given = filled.get(key)
                below = self.fill(hint, {} if given is None else given, where)
                if given is not None or below:
                    filled[key] = below
                continue
            text = self._environment.get(info.env, "") if info.env else ""
            if text and (info.env_wins or filled.get(key) in (None, "")):
                value = self._value(text, hint, info, where)
                if value is not None:
                    filled[key] = value
                    self.sources[where] = f"${info.env}"
        return filled

    def _value(self, text: str, hint: Any, info: OptionInfo, where: OptionPath) -> Any:
        """What a variable says, or None if it is not understood."""
        words: Mapping[str, Any] | None = _TRUTH if hint is bool else info.env_words
        if words is not None:
            if text.lower() in words:
                return words[text.lower()]
            # As ContainerPilot treats CONSUL_HTTP_SSL_VERIFY (contract, section 3.4), but not without a word.
            rule = f"{shown(text)} in ${info.env} is ignored"
            self.ignored.append((where, Complaint("env-ignored", rule, "write one of " + ", ".join(words))))
            return None
        return text.split(",") if get_origin(hint) is tuple else text


def _without_effect(
    made: Any, given: Any, sources: Mapping[OptionPath, str], path: OptionPath = ()
) -> Iterator[tuple[OptionPath, Complaint]]:
    """The options that the configuration gives and that have no effect, each with the reason."""
    reasons: Mapping[str, str] = getattr(made, "without_effect", dict)()
    for field in dataclasses.fields(made):
        value, where = getattr(made, field.name), (*path, field.name)
        below = given.get(_in_any_case(field.name, given)) if isinstance(given, Mapping) else None
        if field.name in reasons and _is_given(below, where, sources):
            rule, _, hint = reasons[field.name].partition("; ")
            yield where, Complaint("option-unused", rule, hint or "leave it out")
            continue
        if dataclasses.is_dataclass(value):
            yield from _without_effect(value, below, sources, where)
        other = info_of(field).together_with
        if other and value and not getattr(made, other):
            yield where, Complaint("option-unused", f"it has no effect without {other}", f"add {other}")


def _is_given(value: Any, where: OptionPath, sources: Mapping[OptionPath, str]) -> bool:
    """Whether an option, or one of its group, is in the configuration, and not in the environment only."""
    if isinstance(value, Mapping):
        return any((*where, one) not in sources for one in value)
    return value is not None and where not in sources


def _in_any_case(name: str, given: Mapping[str, Any]) -> str:
    return next((key for key in given if key.lower() == name.lower()), name)


def _paths(kind: type[Any], values: Any, path: OptionPath) -> Iterator[tuple[OptionPath, str, str]]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        value = values.get(field.name) if isinstance(values, Mapping) else None
        hint, info = _without_none(hints[field.name]), info_of(field)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _paths(hint, value, (*path, field.name))
        elif info.path and isinstance(value, str) and value and values.get(info.together_with, True):
            yield (*path, field.name), value, info.path


def _json_type(hint: Any, info: OptionInfo) -> dict[str, Any]:
    nullable = _without_none(hint) is not hint
    hint = _without_none(hint)
    described: dict[str, Any]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        described = json_schema(hint)
    elif get_origin(hint) is Literal:
        described = {"enum": list(get_args(hint))}
    elif get_origin(hint) is tuple:
        described = {"type": "array", "items": {"type": "string"}}
    elif hint is float and info.unit == "s":
        described = {"type": ["number", "string"]}
    else:
        described = {"type": {str: "string", int: "integer", float: "number", bool: "boolean"}[hint]}
    if info.minimum is not None:
        described["minimum"] = info.minimum
    if info.maximum is not None:
        described["maximum"] = info.maximum
    if info.example:
        described["examples"] = [info.example]
    return {"anyOf": [described, {"type": "null"}]} if nullable else described
