"""One of `jobs[].listen`: an address, or an object with one."""

import ipaddress
from typing import Any

from marshmallow import ValidationError

from corepilot.config.diagnostics.complaints import Complaint, did_you_mean, refusal, shown
from corepilot.config.text.units import weak_int
from corepilot.model.command import Listener

_KEYS = ("address", "name", "backlog", "mode", "owner")
_ADDRESS_HINT = 'write "127.0.0.1:8080", "[::1]:8080", "*:8080" for every address, or a path such as "/run/app.sock"'
_BACKLOG_MAX = 65535
_PATH_MAX = 107
"""Bytes of a path in a socket's address (unix(7))."""


def listener_of(value: Any) -> Listener:
    """The socket that a value means.

    Raises:
        ValidationError: It means none.
    """
    if not isinstance(value, dict):
        return _of_address(value, "")
    known = {key.lower(): one for key, one in value.items()}
    errors: dict[str, list[Complaint]] = {}
    for key in value:
        if key.lower() not in _KEYS:
            hint = did_you_mean(key, _KEYS) or "known here: " + ", ".join(_KEYS)
            errors[key] = [Complaint("unknown-key", "there is no such key here", hint, key=True)]
    if "address" not in known:
        errors["address"] = [Complaint("missing-key", "required", "add address")]
    name, backlog, mode = known.get("name", ""), known.get("backlog"), known.get("mode")
    if not isinstance(name, str) or ":" in name or not name.isprintable():
        errors["name"] = [Complaint("bad-name", f"{shown(name)} is no name", "write a text without colons")]
    if backlog is not None and not 1 <= _whole(backlog) <= _BACKLOG_MAX:
        rule = f"{shown(backlog)} is no number from 1 to {_BACKLOG_MAX}"
        errors["backlog"] = [Complaint("wrong-value", rule, "write one, or leave it out")]
    if mode is not None and not (isinstance(mode, str) and mode and not mode.strip("01234567") and len(mode) <= 4):
        rule = f"{shown(mode)} is not a mode"
        errors["mode"] = [Complaint("wrong-value", rule, 'write an octal number in quotes, such as "0660"')]
    owner = known.get("owner")
    if owner is not None and not _is_owner(str(owner)):
        hint = 'write a user, or "user:group": names or numbers'
        errors["owner"] = [Complaint("wrong-value", f"{shown(owner)} is no user", hint)]
    if errors:
        raise ValidationError(errors)
    made = _of_address(known["address"], "address")
    if mode is not None and not made.path:
        raise refusal("wrong-value", "a port has no mode", "leave it out", name="mode")
    if owner is not None and not made.path:
        raise refusal("wrong-value", "a port has no owner", "leave it out", name="owner")
    return made.changed(
        name=name,
        backlog=made.backlog if backlog is None else _whole(backlog),
        mode=None if mode is None else int(mode, 8),
        owner="" if owner is None else str(owner),
    )


def _is_owner(text: str) -> bool:
    user, colon, group = text.partition(":")
    return bool(user) and bool(group) == bool(colon) and ":" not in group and text.isprintable()


def _of_address(value: Any, key: str) -> Listener:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text or "\0" in text:
        raise refusal("wrong-value", f"{shown(value)} is no address", _ADDRESS_HINT, name=key)
    if "/" in text:
        if len(text.encode("utf-8", "surrogateescape")) > _PATH_MAX:
            raise refusal("wrong-value", f"a path has at most {_PATH_MAX} bytes", "choose a shorter one", name=key)
        return Listener(path=text)
    host, _, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    if not 1 <= number <= 65535:
        raise refusal("wrong-value", f"{shown(text)} has no port from 1 to 65535", _ADDRESS_HINT, name=key)
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if host in {"", "*"}:
        return Listener(port=number)
    try:
        return Listener(str(ipaddress.ip_address(host)), number)
    except ValueError:
        rule = f"{shown(host)} is no IP address"
        raise refusal("wrong-value", rule, _ADDRESS_HINT, name=key) from None


def _whole(value: Any) -> int:
    try:
        return weak_int(value)
    except ValueError:
        return 0
