"""A plugin's instance behind the watchdog: each call is measured, and what it raises is compared with the contract."""

from collections.abc import Collection, Mapping
from typing import Any

import gevent

from corepilot.testing.process_state import outside_contract
from corepilot.testing.watchdog import HubBlockedError, Watchdog

Allowed = Mapping[str, tuple[type[BaseException], ...]]
"""The exceptions that a contract allows, by method, of a part as `keys.get`; for those left out there are none."""

_PASSING = (gevent.Timeout, gevent.GreenletExit, HubBlockedError, StopIteration, AssertionError, GeneratorExit)


class Watched:
    """Stands for an instance: has its attributes, and calls them through a watchdog.

    Args:
        plugin: The instance.
        watchdog: Who watches.
        allowed: What may come out of which method.
        parts: Attributes that are watched as well: a backend's facets.
        prefix: Of the names of methods, for a part.
    """

    def __init__(
        self, plugin: Any, watchdog: Watchdog, allowed: Allowed, parts: Collection[str] = (), prefix: str = ""
    ) -> None:
        self.__dict__["_watched"] = (plugin, watchdog, allowed, parts, prefix)

    @property  # type: ignore[misc]  # isinstance(client, Backend) holds
    def __class__(self) -> type:
        return type(self.__dict__["_watched"][0])

    def __getattr__(self, name: str) -> Any:
        plugin, watchdog, allowed, parts, prefix = self.__dict__["_watched"]
        what = f"{prefix}{name}"
        if not callable(getattr(type(plugin), name, None)):
            found = _called(watchdog, allowed, what, lambda: getattr(plugin, name))
            return found if name not in parts or found is None else Watched(found, watchdog, allowed, (), f"{name}.")
        value = getattr(plugin, name)

        def call(*arguments: Any, **named: Any) -> Any:
            answer = _called(watchdog, allowed, what, lambda: value(*arguments, **named))
            return _Stream(answer, what, watchdog, allowed) if hasattr(answer, "__next__") else answer

        call.__name__ = what
        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_watched"][0], name, value)

    def __repr__(self) -> str:
        return f"watched {self.__dict__['_watched'][0]!r}"


class _Stream:
    """A plugin's generator: each step is a call."""

    def __init__(self, stream: Any, name: str, watchdog: Watchdog, allowed: Allowed) -> None:
        self._stream, self._name, self._watchdog, self._allowed = stream, name, watchdog, allowed

    def __iter__(self) -> "_Stream":
        return self

    def __next__(self) -> Any:
        return _called(self._watchdog, self._allowed, self._name, lambda: next(self._stream))

    def close(self) -> None:
        """Close the generator."""
        close = getattr(self._stream, "close", None)
        if close is None:
            raise AssertionError(f"{self._name} must return a generator: there is no way to close {self._stream!r}")
        _called(self._watchdog, {}, f"{self._name}().close", close)


def _called(watchdog: Watchdog, allowed: Allowed, what: str, function: Any) -> Any:
    try:
        return watchdog.run(what, function)
    except _PASSING:
        raise
    except BaseException as error:
        of_contract = allowed.get(what, ())
        if isinstance(error, of_contract):
            raise
        names = " or ".join(one.__name__ for one in of_contract) or "nothing"
        raise outside_contract(what, names, error) from error
