"""A plugin's options: a frozen dataclass whose fields say everything that is to be said of a setting, once.

Supported types: str, int, float, bool, `X | None`, `Literal["a", "b"]`, `tuple[str, ...]`, and another such dataclass
for a nested object. A float with `unit="s"` also accepts a duration such as "500ms". What a field cannot express goes
into `__post_init__`, which raises `OptionError` with the name of the field.
"""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

_KEY = "corepilot"
_SCALARS = {str: "text", int: "integer", float: "number", bool: "true or false"}

_Options = TypeVar("_Options")


class OptionError(ValueError):
    """Raised by an `Options.__post_init__`: a value is malformed, or values that are fine each cannot go together.

    Args:
        name: The field it is about; "a.b" for a nested one.
        message: The rule that is broken and what to do, to follow "cannot use <path>: ".
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclasses.dataclass(frozen=True, slots=True)
class OptionInfo:
    """What a field's metadata say. See `option` for the meanings."""

    help: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    env: str = ""
    env_wins: bool = False
    secret: bool = False
    example: str = ""
    path: Literal["", "file", "directory"] = ""
    together_with: str = ""
    env_words: Mapping[str, str] | None = None


class OptionField(NamedTuple):
    """One option, as a reference page shows it.

    Attributes:
        name: "address", or "tls.cafile" for a field of a nested dataclass.
        type: What it takes, in words: "text", "integer", "one of a, b", "list of text", ….
        required: There is no default.
        default: The default, None when it is required. A secret's default is shown like any other: it is in the code.
        info: The rest.
    """

    name: str
    type: str
    required: bool
    default: Any
    info: OptionInfo


def option(
    *,
    help: str,  # noqa: A002  - the word every author knows from argparse
    default: Any = dataclasses.MISSING,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    env: str = "",
    env_wins: bool = False,
    secret: bool = False,
    example: str = "",
    path: Literal["", "file", "directory"] = "",
    together_with: str = "",
    env_words: Mapping[str, str] | None = None,
) -> Any:
    """A field of an `Options` dataclass.

    Args:
        help: One line for the reference page; lower case, no full stop.
        default: The value if the configuration does not give one; without it the option is required.
        unit: What a number counts: "s", "bytes", ….
        minimum: The least allowed number.
        maximum: The greatest allowed number.
        env: The environment variable that fills the option in if the configuration does not give it. An empty text in
            the configuration counts as not given, and so does a variable that is set to nothing.
        env_wins: The variable beats the configuration (ContainerPilot contract, section 3.4).
        secret: Never shown in logs, errors, status or documentation.
        example: A value for the documentation.
        path: The text names a "file" or a "directory" that must exist, and be readable, where corepilot runs. Empty
            text is not looked at. `corepilot check` only warns of one that is missing: it may run on another machine.
        together_with: The option beside it without which this one counts for nothing: its path is not looked at then.
        env_words: For a variable that has words of its own: each in small letters, with the value it stands for. Any
            other word is ignored, with a warning.
    """
    info = OptionInfo(help, unit, minimum, maximum, env, env_wins, secret, example, path, together_with, env_words)
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        # A frozen instance is a safe shared default; dataclasses refuse it when it has no __hash__, so wrap it.
        return dataclasses.field(default_factory=lambda: default, metadata={_KEY: info})
    return dataclasses.field(default=default, metadata={_KEY: info})


def option_again(kind: Any, name: str, **changes: Any) -> Any:
    """A field of another `Options` dataclass once more, with some arguments of `option` changed.

    Args:
        kind: The dataclass that has it.
        name: The field. Its default must be a plain value.
        changes: Arguments of `option`.
    """
    field = next(one for one in dataclasses.fields(kind) if one.name == name)
    return dataclasses.field(default=field.default, metadata={_KEY: dataclasses.replace(info_of(field), **changes)})


def info_of(field: "dataclasses.Field[Any]") -> OptionInfo:
    """The metadata of a field; empty for a field made without `option`."""
    metadata: Mapping[str, Any] = field.metadata
    info = metadata.get(_KEY, OptionInfo())
    assert isinstance(info, OptionInfo)  # noqa: S101  - only `option` writes this key
    return info


def build(kind: type[_Options], plain: Mapping[str, Any]) -> _Options:
    """An `Options` instance from plain data, as the loader has validated it.

    Args:
        kind: The dataclass. Mappings become its nested dataclasses, lists become tuples.
        plain: Names to values; what is left out has its default.

    Raises:
        OptionError: `__post_init__` refused the values; `name` has the path of a nested field.
        TypeError: `plain` has a name that `kind` has not, or lacks a required one.
    """
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in plain.items():
        nested = _dataclass_in(hints.get(name))
        if nested is not None and isinstance(value, Mapping):
            try:
                values[name] = build(nested, value)
            except OptionError as error:
                raise OptionError(f"{name}.{error.name}", str(error)) from error
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def fields_of(kind: Any, prefix: str = "", defaults: Any = None) -> Iterator[OptionField]:
    """The options of a plugin in the order of their definition, nested ones in the place of the object that holds them.

    Args:
        kind: The class that the plugin calls `Options`.
        prefix: For nested ones: what their names begin with.
        defaults: For nested ones: the instance that is the default of the whole object.

    Raises:
        TypeError: `kind` is no frozen dataclass, or a field has a type that cannot be configured, or a default of
            another type: no configuration would be told of it. Names the field.
    """
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise TypeError(f"{_name(kind)} must be a dataclass")
    # mypy and typeshed do not know this attribute, which dataclasses.replace and asdict rely on too.
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(f"{_name(kind)} must be frozen: @dataclass(frozen=True)")
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name = prefix + field.name
        default = _default(field) if defaults is None else getattr(defaults, field.name)
        nested = _dataclass_in(hints[field.name])
        if nested is not None:
            yield from fields_of(nested, f"{name}.", None if default is dataclasses.MISSING else default)
            continue
        text = _type_text(hints[field.name], info_of(field).unit)
        if not text:
            raise TypeError(f"{_name(kind)}.{field.name} has a type that no configuration can give: {field.type}")
        required = default is dataclasses.MISSING
        if not required and not _fits(default, hints[field.name]):
            raise TypeError(f"{_name(kind)}.{field.name} is {text}, and its default is {default!r:.80}")
        yield OptionField(name, text, required, None if required else default, info_of(field))


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _dataclass_in(hint: Any) -> Any:
    """The nested dataclass in `Nested` or `Nested | None`, else None."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint
    if get_origin(hint) in (Union, types.UnionType):
        return next((_dataclass_in(part) for part in get_args(hint) if _dataclass_in(part) is not None), None)
    return None


def _type_text(hint: Any, unit: str) -> str:
    """A supported type in words; "" for any other."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, parts))
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis and parts[0] is str:
        return "list of text"
    if origin in (Union, types.UnionType):
        rest = [part for part in parts if part is not type(None)]
        text = _type_text(rest[0], unit) if len(rest) == 1 else ""
        return text and f"{text}, or null"
    if hint is float and unit == "s":
        return "duration"
    return _SCALARS.get(hint, "") if isinstance(hint, type) else ""


def _fits(value: Any, hint: Any) -> bool:
    """Whether a default is of the type of its field."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if origin in (Union, types.UnionType):
        return any(value is None if part is type(None) else _fits(value, part) for part in parts)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _name(kind: Any) -> str:
    return getattr(kind, "__qualname__", repr(kind))
