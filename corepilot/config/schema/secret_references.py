"""References in the place of a plugin's texts: `{file: "/run/secrets/token"}` and `{env: "TOKEN"}`.

Any text of a plugin's options can be referred to, not only those that are marked secret: which of them is one is for
the user to say, too. So whatever comes by reference is a secret from then on, and is shown to nobody.

What is referred to is read in the loader, at each load: a secret that has been replaced is taken into use by a reload.
One line end at the end of a file is cut off, because editors and `echo` write one.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown

MAX_BYTES = 64 * 1024
"""The longest secret."""

KEYS = ("file", "env")
FORM = '{ file: "/run/secrets/NAME" } or { env: "NAME" }'

Path = tuple[str | int, ...]


class References:
    """Takes the place of references with what they refer to.

    Attributes:
        values: What was found, by the path of the option.
        missing: What cannot be had here.
        malformed: What is no reference, and no text either.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.values: dict[Path, str] = {}
        self.missing: list[tuple[Path, Complaint]] = []
        self.malformed: list[tuple[Path, Complaint]] = []

    def resolve(self, texts: Mapping[str, Any], raw: Any, path: Path = ()) -> Any:
        """The options at `path` with texts in the place of references; anything but an object as it is.

        Args:
            texts: Of each option that may hold one: None for a text, else the same of what is in an object.
            raw: What the configuration gives.
            path: Names from the top of the plugin's options.
        """
        if not isinstance(raw, Mapping):
            return raw
        resolved = dict(raw)
        for key, value in raw.items():
            name = key if key in texts else next((one for one in texts if one.lower() == key.lower()), None)
            if name is None or not isinstance(value, Mapping):
                continue
            where = (*path, name)
            below = texts[name]
            resolved[key] = self._value(value, where) if below is None else self.resolve(below, value, where)
        return resolved

    def _value(self, reference: Mapping[str, Any], path: Path) -> str:
        """What a reference refers to; where that cannot be had, an empty text and a complaint."""
        kind, name = next(((str(key).lower(), one) for key, one in reference.items()), ("", ""))
        if len(reference) != 1 or kind not in KEYS or not isinstance(name, str) or not name:
            complaint = Complaint("wrong-type", "an object is not a text, nor a reference to one", f"write {FORM}")
            self.malformed.append((path, complaint))
            return ""
        value, fault = _file(name) if kind == "file" else _variable(name, self._environment)
        if fault:
            code = "file-missing" if kind == "file" else "env-missing"
            what = f"file {shown(name)}" if kind == "file" else f"variable {shown(name)}"
            hint = "put the secret there, or name another" if kind == "file" else "set it, or name another"
            self.missing.append((path, Complaint(code, f"cannot read the {what}: {fault}", hint)))
            return ""
        self.values[path] = value
        return value


def _file(path: str) -> tuple[str, str]:
    """The text of a file, or why there is none."""
    try:
        # Not blocking: it may be a FIFO that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "", "it is not a regular file"
            data = b"".join(_chunks(descriptor))
        finally:
            os.close(descriptor)
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "", "it is not UTF-8"
    except (OSError, ValueError) as error:
        return "", (getattr(error, "strerror", None) or "it is no path").lower()
    if len(data) > MAX_BYTES:
        return "", f"it has more than {MAX_BYTES} bytes"
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    return (text, "") if text else ("", "it is empty")


def _chunks(descriptor: int) -> Iterator[bytes]:
    size = 0
    while size <= MAX_BYTES and (chunk := os.read(descriptor, MAX_BYTES + 1)):
        size += len(chunk)
        yield chunk


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    value = environment.get(name)
    if value is None:
        return "", "it is not set"
    return (value, "") if value else ("", "it is empty")
