"""Reads a location such as `consul://HOST/KEY`: a configuration that a catalog keeps under a key.

One implementation for every backend with the capability "keys" whose light module says, with `location_options`, which
options the place in a location stands for. The key is the same as in a watch; one that ends with a slash means all keys
below it, each a document. This is the only location for which the loader imports gevent.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from corepilot.config.schema.names import KEY_HINT, key_fault
from corepilot.config.schema.options import judge
from corepilot.errors import BackendError, PluginError
from corepilot.model.catalog import Entry
from corepilot.model.plugin import PluginReference
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.installed import InstalledPlugin, find
from corepilot.plugin.light import import_light
from corepilot.sources.locations import shown
from corepilot.sources.source import MAX_BYTES, SourceContext, SourceError, SourceText

_KIND = KINDS["backend"]


def backend_of(scheme: str) -> InstalledPlugin | None:
    """The backend that a scheme names, or None."""
    try:
        return find(_KIND.group, scheme)
    except PluginError:
        return None


def read(plugin: InstalledPlugin, location: str, context: SourceContext) -> list[SourceText]:
    """The documents at a location.

    Args:
        plugin: The backend.
        location: `NAME://PLACE/KEY`, with options of the backend behind a question mark.
        context: See `Source.read`.

    Raises:
        SourceError: there is no such key, the catalog does not answer in time, or the location cannot be read.
        PluginError: the backend cannot be used.
    """
    about = f"cannot read configuration {shown(location)!r}"
    reference, key = _parts(plugin, location, context.environment, about)
    fault = key_fault(key) if key else "names no key"
    if fault:
        raise SourceError(f"{about}: {key!r} {fault}; {KEY_HINT}, behind the place and a slash")
    entries = _entries(reference, key, context, about)
    if not entries:
        raise SourceError(f"{about}: there is no such key; put the configuration there, or correct the location")
    base = location.partition("?")[0]
    texts = []
    for entry in entries:
        name = base if len(entries) == 1 and not key.endswith("/") else base + entry.key.removeprefix(key)
        texts.append(_text(entry, shown(name), about))
    return texts


def _parts(
    plugin: InstalledPlugin, location: str, environment: Mapping[str, str], about: str
) -> tuple[PluginReference, str]:
    rest = location.partition("://")[2]
    rest, _, query = rest.partition("#")[0].partition("?")
    place, _, key = rest.partition("/")
    if "@" in place:
        raise SourceError(f"{about}: credentials do not belong in a location; set the backend's variables instead")
    title = f"backend {plugin.name!r} ({plugin.distribution} {plugin.version})"
    light = import_light(plugin.module, plugin.attribute, _KIND.name, f"{about}: {title}", plugin.distribution)
    located: Callable[[str], Mapping[str, object]] | None = getattr(light.module, "location_options", None)
    if located is None or "keys" not in light.capabilities or light.options is None:
        raise SourceError(f"{about}: {title} does not keep configurations; name another source")
    given = {**(located(place) if place else {}), **dict(parse_qsl(query, keep_blank_values=True))}
    judged = judge(light.options, given, environment, texts=True)
    for path, complaint in (*judged.complaints, *judged.missing):
        raise SourceError(f"{about}: {'.'.join(map(str, path))}: {complaint.rule}; {complaint.hint}")
    if judged.options is None:
        raise SourceError(f"{about}: its options cannot be used; see corepilot plugins info {plugin.name}")
    reference = PluginReference(
        plugin.name, plugin.module, plugin.attribute, plugin.distribution, plugin.version, judged.options
    )
    return reference, unquote(key)


def _entries(reference: PluginReference, key: str, context: SourceContext, about: str) -> Sequence[Entry]:
    import gevent

    from corepilot.discovery.opening import opened
    from corepilot.plugin.boundary import Boundary
    from corepilot.plugin.manager import Plugins

    loaded = Plugins().load(reference)
    backend = opened(loaded, Boundary(loaded, lambda _level, _message: None), context.environment)
    try:
        with gevent.Timeout(context.deadline_s) as late:
            keys = backend.keys
            if keys is None:
                raise SourceError(f"{about}: the catalog {backend.address} keeps no keys")
            if key.endswith("/"):
                return keys.list(key)
            entry = keys.get(key)
            return () if entry is None else (entry,)
    except gevent.Timeout as over:
        if over is not late:
            raise
        why = f"no answer from the catalog {backend.address} within {context.deadline_s:.0f} s"
        raise SourceError(f"{about}: {why}; see that it can be reached from here") from None
    except BackendError as error:
        raise SourceError(f"{about}: {error}") from error
    finally:
        backend.close()


def _text(entry: Entry, name: str, about: str) -> SourceText:
    if len(entry.value) > MAX_BYTES:
        raise SourceError(f"{about}: the key {entry.key} holds more than {MAX_BYTES} bytes; make it smaller")
    try:
        return SourceText(entry.value.decode(), name, version=entry.version)
    except UnicodeDecodeError as error:
        raise SourceError(f"{about}: the key {entry.key} is not UTF-8 (byte {error.start}); mend it") from error
