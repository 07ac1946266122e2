"""Whether the settings of a configuration and the model's typed fields agree: run right after mypy.

    python tools/settings_agree.py

A setting is written twice, in its section and as a field of the model, and mypy sees only the second. This compares the
two: each setting fills fields that exist, with values of their type and their default, and each field is filled by a
setting, or is named here with the reason. One line for each fault; the status is 1 if there is one.
"""

import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from marshmallow import missing

from corepilot.config.schema import fields
from corepilot.config.schema.filling import SECTIONS, target
from corepilot.config.schema.process_fields import Mask
from corepilot.config.schema.restarts import RestartLimit, Statuses
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.config.schema.sizes import Size
from corepilot.model import trigger
from corepilot.model.configuration import Configuration
from corepilot.model.origin import Origins
from corepilot.model.plugin import PluginReference
from corepilot.model.value import Value, defaults_of, names_of

UNSET: Mapping[str, str] = {
    "Configuration.location": "no setting",
    "Configuration.origins": "no setting",
    "Configuration.warnings": "no setting",
    "Job.path": "no setting",
    "Job.reloads": "no setting: a job that is made of another one's reload",
    "Registration.notes": "ContainerPilot's words",
    "Registration.service": "the job's name",
    "Registration.ttl_s": "the ttl of the job's health",
    "Service.port_of_replica": "the job's port, where that is a text",
}
"""Fields that no setting fills, each with the reason."""

NO_SETTINGS: frozenset[type[Value]] = frozenset((Origins, PluginReference, *get_args(trigger.Trigger)))
"""Values that the rules make as a whole."""

_STRINGS = tuple[str, ...]
_TYPES: Mapping[type[fields.Setting], tuple[object, ...]] = {
    fields.Text: (str,),
    fields.Flag: (bool,),
    fields.Whole: (int, float),
    fields.Number: (float,),
    Size: (int,),
    fields.Duration: (float,),
    fields.Texts: (_STRINGS,),
    fields.Several: (_STRINGS,),
    fields.Command: (_STRINGS,),
    Mask: (int,),
    RestartLimit: (int,),
    Statuses: (tuple[int, ...],),
}
"""What a field may be that has the value of such a setting; None beside it counts for nothing."""


class _Place(NamedTuple):
    owner: type[Value]
    field: str

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.field}"


def faults(
    sections: Mapping[type[Value], type[Section]] = SECTIONS,
    root: type[Value] = Configuration,
    unset: Mapping[str, str] = UNSET,
) -> list[str]:
    """One sentence for each disagreement.

    Args:
        sections: The section that each value is made from.
        root: The value that holds all others.
        unset: Fields that no setting fills.
    """
    found: list[str] = []
    filled: set[str] = set()
    for model, section in sections.items():
        for name, setting in section().fields.items():
            assert isinstance(setting, fields.Setting)  # noqa: S101  - sections have no others
            what = f"{section.__name__}.{name}"
            for path in target(model, name, setting):
                places = _places(model, path)
                filled.update(map(str, places))
                if len(places) < len(path.split(".")):
                    found.append(f"{what} fills {model.__name__}.{path}, which does not exist")
                elif not setting.derives:
                    found += [f"{what} {fault}" for fault in _judge(setting, places, sections)]
    every = {str(_Place(model, field)) for model in _models(root) for field in names_of(model)}
    found += [f"no setting fills {one}: add one, or name it in UNSET" for one in sorted(every - filled - unset.keys())]
    found += [f"UNSET names {one}, which does not exist" for one in sorted(unset.keys() - every)]
    found += [f"UNSET names {one}, which a setting fills" for one in sorted(unset.keys() & filled)]
    return found


def _judge(
    setting: fields.Setting, places: list[_Place], sections: Mapping[type[Value], type[Section]]
) -> Iterator[str]:
    """What is wrong with a setting whose value is a field's as it is."""
    place = places[-1]
    hint = _hint(place)
    inner: fields.Setting = setting
    while isinstance(inner, Array):
        inner = inner.element
    if isinstance(inner, Object):
        made = [model for model, section in sections.items() if section is type(inner.section)]
        if not set(made) & set(_models_in(hint)):
            yield f"holds {type(inner.section).__name__}, from which no value in {place} is made"
        return
    if isinstance(inner, fields.Choice):
        words = set(inner.words.values()) | ({inner.load_default} if inner.load_default is not missing else set())
        if get_origin(hint) is not Literal or set(get_args(hint)) != words:
            yield f"takes {', '.join(sorted(map(repr, words)))}, and {place} is {hint}"
    else:
        kind = next((one for one in type(inner).__mro__ if one in _TYPES), None)
        if kind is None:
            yield f"is of a kind that this check does not know: {type(inner).__name__}"
        elif hint not in _TYPES[kind]:
            yield f"is a {type(inner).__name__}, and {place} is {hint}"
    if len(places) == 1:  # of the others the defaults are the rules' affair
        yield from _judge_default(setting, place)


def _judge_default(setting: fields.Setting, place: _Place) -> Iterator[str]:
    default, defaults = setting.load_default, defaults_of(place.owner)
    if default is missing and not setting.required and place.field not in defaults:
        yield f"may be left out, and {place} has no default"
    if default is not missing and place.field in defaults and default != defaults[place.field]:
        yield f"is {default!r} by default, and {place} is {defaults[place.field]!r}"


def _places(model: type[Value], path: str) -> list[_Place]:
    """The fields on the way along a path, as far as there are any."""
    places: list[_Place] = []
    owners = [model]
    for field in path.split("."):
        owner = next((one for one in owners if field in names_of(one)), None)
        if owner is None:
            break
        places.append(_Place(owner, field))
        owners = list(_models_in(_hint(places[-1])))
    return places


def _models(root: type[Value]) -> list[type[Value]]:
    """A value's class, and those of all that it holds."""
    found = [root]
    for model in found:  # it grows
        for field in names_of(model):
            found += [one for one in _models_in(_hint(_Place(model, field))) if one not in found]
    return found


def _models_in(hint: Any) -> Iterator[type[Value]]:
    if isinstance(hint, type) and not get_args(hint):
        if issubclass(hint, Value) and hint not in NO_SETTINGS:
            yield hint
        return
    for part in get_args(hint):
        yield from _models_in(part)


def _hint(place: _Place) -> Any:
    """A field's type, without None beside it."""
    hint = get_type_hints(place.owner)[place.field]
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else hint
    return hint


def main() -> int:
    """Print the faults; returns 1 if there are any."""
    found = faults()
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
