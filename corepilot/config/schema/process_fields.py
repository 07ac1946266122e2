"""The kinds of values that settings of processes have: variables, limits, masks, signals, names."""

from typing import Any

from marshmallow import ValidationError

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, refusal, shown
from corepilot.config.schema.fields import Command, Setting, Texts
from corepilot.config.text.units import weak_bool, weak_str
from corepilot.model.command import EVERY
from corepilot.system.signal_names import signal_number

_NAME_HINT = "write a name without = and NUL"
_VARIABLES_HINT = 'write { NAME: "value" }, or ["NAME=value"]'


_YES_AND_NO = frozenset(("yes", "no", "on", "off"))
"""What people write for true and false elsewhere; one of them is a program, too."""

USUAL_SHELL = ("/bin/sh", "-c")
"""What `shell: true` means."""


class Variables(Setting):
    """Variables: an object, or an array of `NAME=value`. The result is pairs, with None for one that is removed."""

    kind = "object of texts"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[tuple[str, str | None], ...]:
        del attr, data, kwargs
        if isinstance(value, list):
            return self._of_array(value)
        if not isinstance(value, dict):
            raise refusal("wrong-type", f"{shown(value)} is neither an object nor an array", _VARIABLES_HINT)
        found: list[tuple[str, str | None]] = []
        errors: dict[str, list[Complaint]] = {}
        for name, one in value.items():
            try:
                found.append((name, None if one is None else _text(one)))
            except ValueError:
                rule = f"{self.shown(one)} is not a text"
                errors[name] = [Complaint("wrong-type", rule, "write a text in quotes, or null to remove the variable")]
                continue
            if name == EVERY and one is not None:
                rule = "it stands for all that corepilot was started with, which can only be removed"
                errors[name] = [Complaint("bad-variable", rule, 'write "*": null, or leave it out')]
            elif not _is_name(name):
                errors[name] = [Complaint("bad-variable", f"{shown(name)} is no name", _NAME_HINT, key=True)]
            elif "\0" in (found[-1][1] or ""):
                errors[name] = [Complaint("bad-variable", "there is a NUL in the value", "leave it out")]
        if errors:
            raise ValidationError(errors)
        return tuple(found)

    def _of_array(self, array: list[Any]) -> tuple[tuple[str, str | None], ...]:
        found: list[tuple[str, str | None]] = []
        errors: dict[int, list[Complaint]] = {}
        for index, one in enumerate(array):
            name, equals, text = one.partition("=") if isinstance(one, str) else ("", "", "")
            if not equals or not _is_name(name) or "\0" in text:
                errors[index] = [Complaint("bad-variable", "it is not NAME=value", 'write it as "NAME=value"')]
            else:
                found.append((name, text))
        if errors:
            raise ValidationError(errors)
        return tuple(found)


class Names(Texts):
    """Names or numbers: one, or an array of them."""

    kind = "text, number or array of them"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value if isinstance(value, list) else [value], attr, data, **kwargs)


class Mask(Setting):
    """A file mode creation mask. A number is read digit by digit, too: JSON5 has no octal ones."""

    kind = "octal number in quotes"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        del attr, data, kwargs
        try:
            text = weak_str(value).removeprefix("0o")
        except ValueError:
            text = ""
        if isinstance(value, bool) or not text or text.strip("01234567") or int(text, 8) > 0o777:
            hint = 'write an octal number in quotes, such as "022"'
            raise refusal("wrong-value", f"{shown(value)} is not a umask", hint)
        return int(text, 8)


class SignalName(Setting):
    """A signal, by its name or its number."""

    kind = "text or whole number"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        del attr, data, kwargs
        try:
            return signal_number(value)
        except ValueError:
            names = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL", "WINCH", "ABRT", "ALRM")
            hint = (
                did_you_mean(str(value).upper().removeprefix("SIG"), names) or "write a name, such as QUIT or SIGQUIT"
            )
            raise refusal("wrong-value", f"{shown(value)} is not a signal", hint) from None


class Stdin(Setting):
    """What standard input is: "null", "event", "socket", or a file. The result is one of the words, and the file."""

    kind = "one of `null`, `event`, `socket` in quotes, or object"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, str]:
        del attr, data, kwargs
        if value in ("null", "event", "socket"):
            return value, ""
        if isinstance(value, dict) and set(value) == {"file"} and isinstance(value["file"], str):
            if value["file"] and "\0" not in value["file"]:
                return "null", value["file"]
            raise refusal("wrong-value", "it is no path", "name a file", name="file")
        rule = f"{shown(value)} is neither null nor event nor socket nor a file"
        raise refusal("wrong-value", rule, 'write "null", "event", "socket", or { file: "/path" }')


class Shell(Setting):
    """What runs a script: true for the usual shell, a shell's name, or a command. The result is what precedes it."""

    kind = "true or false, text or array of texts"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        del attr, data, kwargs
        try:
            return USUAL_SHELL if weak_bool(value) else ()
        except ValueError:
            words = [value, "-c"] if isinstance(value, str) and value.lower() not in _YES_AND_NO else value
        if not isinstance(words, list) or not words or not all(isinstance(one, str) and one for one in words):
            raise refusal(
                "wrong-type", f"{shown(value)} names no shell", 'write true, "bash", or ["bash", "-eu", "-c"]'
            )
        if any("\0" in one for one in words):
            raise refusal("bad-exec", "there is a NUL in it", "leave it out")
        return tuple(words)


class Reload(Setting):
    """What makes a job read its configuration again: a command, or a signal. The result is `exec`, and the signal."""

    kind = "text, array or object"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[Any, int]:
        del attr, data, kwargs
        if not isinstance(value, dict):
            Command("a command").deserialize(value)
            return value, 0
        if set(value) != {"signal"}:
            hint = 'write a command, or { signal: "HUP" }'
            raise refusal("wrong-value", "it is neither a command nor a signal", hint)
        return None, SignalName("a signal").deserialize(value["signal"]) or 0


class Listen(Setting):
    """Listening sockets: one or an array, each an address or an object. The result is made of `Listener`."""

    kind = "text, object or array of them"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        del attr, data, kwargs
        from corepilot.config.schema.listen import listener_of  # few files need it

        if not isinstance(value, list):
            return (listener_of(value),)
        found, errors = [], {}
        for index, one in enumerate(value):
            try:
                found.append(listener_of(one))
            except ValidationError as error:
                errors[index] = error.messages
        if len(found) > _SOCKETS_MAX:
            raise refusal("wrong-value", f"there are more than {_SOCKETS_MAX} sockets", "name fewer")
        if errors:
            raise ValidationError(errors)
        return tuple(found)


_SOCKETS_MAX = 64


def _is_name(text: str) -> bool:
    return bool(text) and "=" not in text and "\0" not in text


def _text(value: Any) -> str:
    """The text of a variable: `true` and `false` stay what they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return weak_str(value)
