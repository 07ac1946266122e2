"""Objects and arrays of settings: keys in any case, the nearest key for an unknown one, null is like no key."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError, missing, pre_load, validates_schema

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, flattened, shown
from corepilot.config.schema.fields import Setting

_TYPE = "type"


class Section(Schema):
    """The settings of one object (ContainerPilot contract, section 3.2).

    Attributes:
        exact: Whether keys have to be in their exact case, as at the top level.
        ignored: Keys that are taken and not used, in small letters. Whoever uses the section warns of them.
        meant: Keys of other versions, or often seen, in small letters, each with what to write instead.
    """

    exact = False
    ignored: frozenset[str] = frozenset()
    meant: ClassVar[Mapping[str, str]] = {}
    _last: tuple[dict[str, Any], dict[str, Any], list[str]] | None = None

    class Meta:
        """Unknown keys are judged by `unknown_keys`, which can say more than marshmallow does."""

        unknown = EXCLUDE
        register = False

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset([field.data_key or name for name, field in self.fields.items()])

    def keys(self) -> dict[str, Setting]:
        """The fields by key: those of its own class, then those that it shares with others."""
        inherited = {name for base in type(self).__mro__[1:] for name in getattr(base, "_declared_fields", ())}
        in_order = sorted(self.fields.items(), key=lambda field: field[0] in inherited)
        return {field.data_key or name: cast(Setting, field) for name, field in in_order}

    @pre_load
    def fold(self, data: Any, **_: Any) -> Any:
        """Bring keys into the case in which they are defined; leave out nulls and unknown keys."""
        return self._folded(data)[0] if isinstance(data, dict) else data

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def unknown_keys(self, _data: Any, original: Any, **_: Any) -> None:
        """Complain of keys that are not defined, or that are duplicates in different cases."""
        strangers = self._folded(original)[1] if isinstance(original, dict) else ()
        if strangers:
            raise ValidationError({key: [self.unknown_key(key)] for key in strangers})

    def not_used(self, data: dict[str, Any]) -> dict[str, str]:
        """Keys that nobody looks at beside what is given, each with what to do about it: their faults are warnings.

        Args:
            data: What is valid, by attribute.
        """
        del data
        return {}

    def handle_error(self, error: ValidationError, data: Any, **kwargs: Any) -> None:
        """Called by marshmallow before it raises an error."""
        del data, kwargs
        valid, messages = error.valid_data, error.messages
        if not isinstance(valid, dict) or not isinstance(messages, dict):
            return
        for key, hint in self.not_used(valid).items():
            for _, complaint in flattened(messages.get(key, ())):
                complaint.warning, complaint.hint = True, hint

    def unknown_key(self, key: str) -> Complaint:
        """The complaint about a key that is not one of ours."""
        known = self.keys()
        twin = next((name for name in known if name.lower() == key.lower()), None)
        if twin is not None and not self.exact:
            return Complaint(
                "unknown-key", f"{twin} is given in another case as well", "leave one of them out", key=True
            )
        if twin is not None:
            return Complaint("unknown-key", f"at the top level the key is written {twin}", f"write {twin}", key=True)
        hint = self.meant.get(key.lower()) or did_you_mean(key, known) or "known here: " + ", ".join(known)
        return Complaint("unknown-key", "there is no such key here", hint, key=True)

    def _folded(self, data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """What `fold` makes of an object, and the keys it leaves out. Asked several times of each object."""
        if self._last is None or self._last[0] is not data:
            self._last = (data, *self._fold(data))
        return self._last[1:]

    def _fold(self, data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        known = self._known
        if not data.keys() - known:
            return {key: value for key, value in data.items() if value is not None}, []
        names = {} if self.exact else {name.lower(): name for name in known}
        folded: dict[str, Any] = {}
        strangers = []
        for key, value in data.items():
            name = key if key in known else names.get(key.lower())
            if name is None or (name != key and (name in data or name in folded)):
                if name is not None or key.lower() not in self.ignored:
                    strangers.append(key)
            elif value is not None:
                folded[name] = value
        return folded, strangers


class Object(Setting):
    """An object with settings of its own.

    Args:
        help: As for Setting.
        section: The class of its settings.
        settings: As for Setting.
    """

    kind = "object"
    way_out = "write { … }"

    def __init__(self, help: str, section: type[Section], **settings: Any) -> None:  # noqa: A002  - as in Setting
        super().__init__(help, **settings)
        self._class = section
        self._section: Section | None = None

    @property
    def section(self) -> Section:
        """The settings, made when they are first needed."""
        if self._section is None:
            self._section = self._class()
        return self._section

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if not isinstance(value, dict):
            raise ValidationError([Complaint("wrong-type", f"{self.shown(value)} is not an object", self.way_out)])
        return self.section.load(value)


class OrFalse(Object):
    """An object with settings of its own, or `false`: what it describes is not wanted, and False is its value."""

    kind = "object or `false`"
    way_out = "write { … }, or false to go without"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if value is False:
            return False
        return super()._deserialize(value, attr, data, **kwargs)


class Objects(Object):
    """Objects of one kind: one, or an array of them. Nulls in the array stay in the result, to keep the indexes."""

    kind = "object, or array of objects"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            return super()._deserialize(value, attr, data, **kwargs)
        return elements_of(value, partial(super()._deserialize, attr=attr, data=data))


class Array(Setting):
    """An array of elements of one kind. Nulls are skipped: they stay in the result as None, to keep the indexes.

    Args:
        help: As for Setting.
        element: The kind of the elements.
        braces: Whether `{}` is an empty array, as for ContainerPilot.
        settings: As for Setting.
    """

    kind = "array"

    def __init__(
        self,
        help: str,  # noqa: A002  - as in Setting
        element: Setting,
        *,
        braces: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(help, **settings)
        self.element = element
        self._braces = braces

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if self._braces and value == {}:
            return []
        if not isinstance(value, list):
            hint = "put it in brackets: [ ]" if isinstance(value, dict) else "write an array: [ ]"
            raise ValidationError([Complaint("wrong-type", f"{shown(value)} is not an array", hint)])
        return elements_of(value, self.element.deserialize)


def elements_of(elements: list[Any], deserialize: Callable[[Any], Any]) -> list[Any]:
    """What becomes of the elements of an array; nulls stay.

    Raises:
        ValidationError: some are wrong, each with its index.
    """
    result: list[Any] = []
    errors: dict[int, Any] = {}
    for index, one in enumerate(elements):
        try:
            result.append(None if one is None else deserialize(one))
        except ValidationError as error:
            errors[index] = error.messages
            valid = error.valid_data
            result.append(valid if isinstance(valid, dict) else None)
    if errors:
        raise ValidationError(errors, valid_data=result)
    return result


def load(section: Section, data: Any) -> tuple[dict[str, Any], Any]:
    """Validate data as far as possible.

    Returns:
        What is valid, by attribute, without what is not; and marshmallow's messages, empty if all is valid.
    """
    try:
        return cast(dict[str, Any], section.load(data)), {}
    except ValidationError as error:
        valid = error.valid_data
        return (valid if isinstance(valid, dict) else {}), error.messages


def default_of(field: Setting) -> Any:
    """The value without the key; None where there is none."""
    default = field.load_default
    return None if default is missing else default
