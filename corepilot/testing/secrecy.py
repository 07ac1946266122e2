"""Secrets in what is shown to people: instances are made with marked secrets, and looked at."""

import dataclasses
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from corepilot.plugin.options import info_of

MARK = "s3cr3t-of-the-suite"

_SHOWN_PASSWORD = re.compile(r"://[^/@\s]*:(?!\*+@)[^/@\s]+@|(?i:token|password|secret)=(?!\*+)[^&\s]+")


def leaked_secrets(new: Callable[[], Any]) -> list[str]:
    """Which of `address` and `repr` show a secret; empty if neither does.

    Args:
        new: Makes an instance with the options of the test.
    """
    found: set[str] = set()
    with closing(new()) as plugin:
        found.update(what for what, text in _shown(plugin) if _SHOWN_PASSWORD.search(text))
        options, context = getattr(plugin, "options", None), getattr(plugin, "context", None)
        kind = type(plugin)
    for marked in _marked(options):
        with closing(kind(marked, context)) as plugin:
            found.update(what for what, text in _shown(plugin) if MARK in text)
    return sorted(found)


class closing:  # noqa: N801  - as contextlib's
    """Closes a plugin's instance at the end of a block."""

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin

    def __enter__(self) -> Any:
        return self._plugin

    def __exit__(self, *_error: object) -> None:
        self._plugin.close()


def _shown(plugin: Any) -> list[tuple[str, str]]:
    return [("address", str(getattr(plugin, "address", ""))), ("repr", repr(plugin))]


def _marked(options: Any) -> list[Any]:
    """The options with the mark in one secret each: in fields that are secret, and as the password of a URL."""
    if not dataclasses.is_dataclass(options) or isinstance(options, type):
        return []
    found: list[Any] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        changed: list[Any] = []
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            changed = _marked(value)
        elif info_of(field).secret:
            changed = [MARK]
        elif isinstance(value, str) and "://" in value:
            scheme, _, rest = value.partition("://")
            changed = [f"{scheme}://user:{MARK}@{rest.rpartition('@')[2]}"]
        for one in changed:
            with suppress(Exception):  # the plugin's own rules refuse the mark: then nobody can have it as a secret
                found.append(dataclasses.replace(options, **{field.name: one}))
    return found
