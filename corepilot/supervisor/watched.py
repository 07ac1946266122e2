"""What a job that a watch has started can be told of it: how much there is, and all of it as JSON."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corepilot.discovery.watcher import Watcher
    from corepilot.model.catalog import Entry
    from corepilot.model.service import Instance

CONTENT_MAX_BYTES = 64 * 1024 * 1024
"""More than any catalog gives for one watch; without a bound a job's input would be all that memory has."""


class Watched:
    """The watches, for the runs of jobs.

    Args:
        watchers: As they are now.
    """

    def __init__(self, watchers: "Callable[[], Sequence[Watcher]]") -> None:
        self._watchers = watchers
        self._last: tuple[object, bytes] = ((), b"[]")

    def passing(self, source: str) -> int | None:
        """How many passing instances, or keys, there are behind a source of events; None if it is no watch."""
        watcher = self._watcher(source)
        return None if watcher is None else watcher.passing

    def content(self, source: str) -> bytes:
        """What is known behind a source of events, as one line of JSON: `null` for what is no watch.

        A list of the passing instances, sorted by id, or of the keys behind a prefix; of a single key an object, or
        `null` if it does not exist.
        """
        watcher = self._watcher(source)
        if watcher is None:
            return b"null\n"
        known: tuple[Any, ...] = watcher.passing_instances if watcher.watch.kind == "service" else watcher.entries
        seen = (watcher.watch.kind, known)
        if self._last[0] != seen:  # of several jobs that one change starts, the first one pays
            self._last = (seen, _as_json(watcher.watch.kind, known))
        return self._last[1]

    def _watcher(self, source: str) -> "Watcher | None":
        if not source.startswith("watch."):
            return None
        name = source.removeprefix("watch.")
        return next((one for one in self._watchers() if one.watch.name == name), None)


def _as_json(kind: str, known: tuple[Any, ...]) -> bytes:
    """One line. Its parts are put together here: `json.dumps` takes three times as long, in the event loop."""
    if kind == "key" and not known:
        return b"null\n"
    parts = _instances(known) if kind == "service" else [_entry(one) for one in known]
    text = parts[0] if kind == "key" else f"[{', '.join(parts)}]"
    data = text.encode("utf-8", "replace") + b"\n"
    return data if len(data) <= CONTENT_MAX_BYTES else b"null\n"


def _instances(known: "tuple[Instance, ...]") -> list[str]:
    from json.encoder import encode_basestring as quoted  # few jobs read anything

    parts = []
    for identity, service, address, port, _, tags in known:
        inside = ", ".join([quoted(tag) for tag in tags]) if tags else ""
        parts.append(
            f'{{"id": {quoted(identity)}, "service": {quoted(service)}, "address": {quoted(address)}, '
            f'"port": {port}, "tags": [{inside}]}}'
        )
    return parts


def _entry(one: "Entry") -> str:
    from json.encoder import encode_basestring as quoted

    try:
        return f'{{"key": {quoted(one.key)}, "value": {quoted(one.value.decode())}}}'
    except UnicodeDecodeError:
        import base64

        return f'{{"key": {quoted(one.key)}, "base64": "{base64.b64encode(one.value).decode()}"}}'
