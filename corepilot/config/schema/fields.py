"""The kinds of settings: marshmallow fields that read values as ContainerPilot does (contract, section 3.2).

A field refuses with a `Complaint`, which becomes a problem once its place is known. No complaint quotes a secret.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, missing

from corepilot.config.diagnostics.complaints import REQUIRED, Complaint, did_you_mean, refusal, shown
from corepilot.config.text import commands
from corepilot.config.text.units import DurationError, parse_duration, weak_bool, weak_int, weak_str

_UNITS = {"s": "seconds", "bytes": "bytes"}
_DURATION_HINT = "write a whole number of seconds, or a duration with its unit, such as 500ms, 10s or 1m30s"


class Setting(fields.Field[Any]):
    """The base of all fields: what there is to be said of a setting stands where the setting is defined.

    Args:
        help: One line for the reference page.
        key: The key, where it is not the attribute's name.
        unit: What a number counts.
        default: The value without the key; without a default the key has no entry in the result.
        default_text: The default in words, where the value would not say it.
        required: Whether there must be such a key.
        example: A value for the reference page.
        secret: The value is never shown.
        allowed: More on what is allowed, for the reference page.
        fills: The field of the model that has its value, such as `stop.after` below a job; without it, the field of the
            setting's own name, or of that name and `_s`. See `corepilot.config.schema.filling`.
        derives: The fields that the rules make of it instead, in a form of their own.
    """

    kind = "any value"

    def __init__(
        self,
        help: str,  # noqa: A002  - as in corepilot.plugin.option
        *,
        key: str | None = None,
        unit: str = "",
        default: Any = missing,
        default_text: str = "",
        required: bool = False,
        example: str = "",
        secret: bool = False,
        allowed: str = "",
        fills: str = "",
        derives: tuple[str, ...] = (),
    ) -> None:
        metadata = {
            "help": help,
            "unit": unit,
            "default_text": default_text,
            "example": example,
            "secret": secret,
            "allowed": allowed,
        }
        super().__init__(
            data_key=key,
            load_default=default,
            required=required,
            metadata=metadata,
            error_messages={"required": REQUIRED, "null": REQUIRED},
        )
        self.secret = secret
        self.fills = fills
        self.derives = derives

    def shown(self, value: Any) -> str:
        """The value as a message may show it."""
        return "the value" if self.secret else shown(value)


class Text(Setting):
    """A text; numbers and booleans become text."""

    kind = "text"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        del attr, data, kwargs
        try:
            return weak_str(value)
        except ValueError:
            raise refusal("wrong-type", f"{self.shown(value)} is not a text", "write a text in quotes") from None


class Choice(Text):
    """One of some words.

    Args:
        help: As for Setting.
        words: What is allowed, each with the value it stands for.
        folded: Whether upper and lower case are the same.
        empty: Whether an empty text stands for the default.
        settings: As for Setting.
    """

    def __init__(
        self,
        help: str,  # noqa: A002  - as in Setting
        words: Mapping[str, str],
        *,
        folded: bool = False,
        empty: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(help, **settings)
        self.words = words
        self._folded = folded
        self._empty = empty
        self.kind = "one of " + ", ".join(f"`{word}`" for word in words)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text and self._empty:
            return str(self.load_default)
        word = text.lower() if self._folded else text
        if word in self.words:
            return self.words[word]
        hint = did_you_mean(text, self.words)
        rule = f"{self.shown(text)} is none of {', '.join(self.words)}"
        raise refusal("wrong-value", rule, hint)


class Whole(Setting):
    """A whole number; what stands behind a point is cut off, numeric texts and booleans become numbers."""

    kind = "whole number"

    def __init__(
        self,
        help: str,  # noqa: A002  - as in Setting
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(help, **settings)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        del attr, data, kwargs
        unit = _UNITS.get(self.metadata["unit"], "")
        try:
            number = weak_int(value)
        except ValueError:
            rule = f"{self.shown(value)} is not a whole number{' of ' + unit if unit else ''}"
            raise refusal("wrong-type", rule, _number_hint(value, unit)) from None
        in_range(number, self, self.shown(value))
        return number


class Number(Whole):
    """A number that may have a fraction."""

    kind = "number"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        try:
            number = float(value) if isinstance(value, int | float | str) else float("nan")
        except (ValueError, OverflowError):
            number = float("nan")
        if not abs(number) < float("inf"):
            raise refusal("wrong-type", f"{self.shown(value)} is not a number", "write a number")
        in_range(number, self, self.shown(value))
        return number


class Flag(Setting):
    """True or false; 1, 0 and the texts that Go takes for booleans become one."""

    kind = "true or false"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        del attr, data, kwargs
        try:
            return weak_bool(value)
        except ValueError:
            raise refusal(
                "wrong-type", f"{self.shown(value)} is neither true nor false", "write true or false"
            ) from None


class Duration(Setting):
    """A Go duration, or a whole number of seconds. The result is in seconds; an empty text is like no key at all.

    Args:
        help: As for Setting.
        minimum: The least allowed number of seconds.
        maximum: The greatest.
        settings: As for Setting.
    """

    kind = "duration"

    def __init__(
        self,
        help: str,  # noqa: A002  - as in Setting
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(help, unit=settings.pop("unit", "s"), **settings)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        try:
            text = weak_str(value)
        except ValueError:
            raise refusal("bad-duration", f"{self.shown(value)} is not a duration", _DURATION_HINT) from None
        if not text:
            default = self.load_default
            return default() if callable(default) else default
        try:
            seconds = parse_duration(text)
        except DurationError as error:
            raise ValidationError([bad_duration(error)]) from None
        in_range(seconds, self, self.shown(value))
        return seconds


class Texts(Setting):
    """An array of texts.

    Args:
        help: As for Setting.
        braces: Whether `{}` is an empty array, as for ContainerPilot.
        settings: As for Setting.
    """

    kind = "array of texts"

    def __init__(self, help: str, *, braces: bool = False, **settings: Any) -> None:  # noqa: A002  - as in Setting
        super().__init__(help, **settings)
        self._braces = braces

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if self._braces and value == {}:
            return ()
        if not isinstance(value, list):
            hint = "put it in brackets: [ ]" if isinstance(value, str) else "write an array: [ ]"
            raise refusal("wrong-type", f"{self.shown(value)} is not an array", hint)
        texts: list[str] = []
        errors: dict[int, Any] = {}
        for index, one in enumerate(value):
            try:
                texts.append("" if one is None else weak_str(one))
            except ValueError:
                errors[index] = [Complaint("wrong-type", f"{self.shown(one)} is not a text", "write a text in quotes")]
        if errors:
            raise ValidationError(errors)
        return tuple(texts)


_ONE = '["eth0"]'


class Several(Setting):
    """One text or an array of them, such as interface specifications in the order in which they are tried.

    Args:
        help: As for Setting.
        single: Whether one may stand without brackets; if not, `{}` is an empty array, as for ContainerPilot.
        settings: As for Setting.
    """

    kind = "text or array of texts"

    def __init__(self, help: str, *, single: bool = True, **settings: Any) -> None:  # noqa: A002  - as in Setting
        super().__init__(help, **settings)
        self._single = single
        if not single:
            self.kind = "array of texts"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if isinstance(value, str) and self._single:
            return (value,)
        if value == {} and not self._single:
            return ()
        if not isinstance(value, list):
            hint = f"write an array: {self.metadata['example'] or _ONE}"
            raise refusal("wrong-type", f"{self.shown(value)} is not an array of texts", hint)
        return tuple(commands.formatted(one) for one in value)


class Command(Setting):
    """A command: a text that is split at single spaces, or an array of the program and its arguments."""

    kind = "text or array"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        if isinstance(value, str) and value:
            return commands.split(value)
        if isinstance(value, list) and value:
            return tuple(commands.formatted(one) for one in value)
        if value in ("", []):
            raise refusal("bad-exec", "the command is empty", "name a program, or leave the key out")
        rule = f"{shown(value)} is not a command"
        raise refusal("bad-exec", rule, 'write a text, or an array such as ["/bin/app", "--flag"]')


class Raw(Setting):
    """A value that is judged elsewhere."""

    def __init__(self, help: str, *, kind: str = "", **settings: Any) -> None:  # noqa: A002  - as in Setting
        super().__init__(help, **settings)
        self.kind = kind or self.kind

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        del attr, data, kwargs
        return value


def bad_duration(error: DurationError) -> Complaint:
    """The complaint about a text that is no duration."""
    return Complaint("bad-duration", error.rule, error.hint)


def in_range(number: float, field: Any, text: str) -> None:
    """Refuse a number that is less than the field's minimum or more than its maximum."""
    unit = f" {field.metadata['unit']}" if field.metadata["unit"] else ""
    if field.minimum is not None and number < field.minimum:
        least = commands.formatted(field.minimum)
        raise refusal("wrong-value", f"{text} is less than {least}{unit}", f"write {least} or more")
    if field.maximum is not None and number > field.maximum:
        most = commands.formatted(field.maximum)
        raise refusal("wrong-value", f"{text} is more than {most}{unit}", f"write {most} or less")


def _number_hint(value: Any, unit: str) -> str:
    """What to write in the place of a value that is no number; `"5s"` is the usual one."""
    if isinstance(value, str) and unit == "seconds" and value[:-1].isdigit() and value.endswith("s"):
        return f"write {value[:-1]}: the number counts seconds"
    if isinstance(value, str) and unit == "seconds" and value[:1].isdigit():
        return "write the number of seconds, without a unit"
    return "write a whole number"
