"""Reads a location such as `consul://HOST/KEY`: a configuration that a catalog keeps under a key.

One implementation for every backend with the capability "keys" whose light module says, with `location_options`, which
options the place in a location stands for. The key is the same as in a watch; one that ends with a slash means all keys
below it, each a document. This is the only location for which the loader imports gevent.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote

from corepilot.config.diagnostics.complaints import REQUIRED
from corepilot.config.schema.names import KEY_HINT, key_fault
from corepilot.config.schema.options import judge
from corepilot.config.text.option_texts import put_option
from corepilot.discovery.keys import Keys
from corepilot.errors import BackendError, PluginError
from corepilot.model.catalog import Entry
from corepilot.model.plugin import PluginReference
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.installed import InstalledPlugin, find, scan
from corepilot.plugin.light import import_light
from corepilot.plugin.options import fields_of
from corepilot.sources.locations import shown
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText
from corepilot.wording.counting import counted

BACKENDS = KINDS["backend"]
_PUT = "put the configuration there, or correct the location"


def backend_of(scheme: str) -> InstalledPlugin | None:
    """The backend that a scheme names, or None."""
    try:
        return find(BACKENDS.group, scheme)
    except PluginError:
        return None


def keeping_configurations() -> list[str]:
    """The names of the installed backends that can be named in a location. Imports the light module of each."""
    found = []
    for one in scan(BACKENDS.group):
        with suppress(PluginError):
            light = import_light(one.module, one.attribute, BACKENDS.name, one.name, one.distribution)
            if "keys" in light.capabilities and hasattr(light.module, "location_options"):
                found.append(one.name)
    return sorted(set(found))


def read(plugin: InstalledPlugin, location: str, context: SourceContext) -> list[SourceText]:
    """The documents at a location.

    Args:
        plugin: The backend.
        location: `NAME://PLACE/KEY`, or `NAME:https://PLACE/KEY` where the place has a scheme, with options of the
            backend behind a question mark.
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
    base = location.partition("?")[0]
    texts = []
    for entry in entries:
        name = base if len(entries) == 1 and not key.endswith("/") else base + entry.key.removeprefix(key)
        texts.append(_text(entry, shown(name), about))
    return texts


def _parts(
    plugin: InstalledPlugin, location: str, environment: Mapping[str, str], about: str
) -> tuple[PluginReference, str]:
    rest, _, query = location.partition("#")[0].partition("?")
    rest = rest.partition(":")[2]
    scheme, found, behind = rest.partition("://")
    if not (found and scheme.isalnum()):
        scheme, behind = "", rest.removeprefix("//")
    place, _, key = behind.partition("/")
    if place in {"http:", "https:"}:
        raise SourceError(f"{about}: there are two schemes in it; write {plugin.name}:{place}//…")
    place = unquote(place)
    if "@" in place:
        raise SourceError(f"{about}: credentials do not belong in a location; set the backend's variables instead")
    if scheme:
        place = f"{scheme}://{place}"
    title = f"backend {plugin.name!r} ({plugin.distribution} {plugin.version})"
    light = import_light(plugin.module, plugin.attribute, BACKENDS.name, f"{about}: {title}", plugin.distribution)
    located: Callable[[str], Mapping[str, object]] | None = getattr(light.module, "location_options", None)
    if located is None or "keys" not in light.capabilities or light.options is None:
        raise SourceError(f"{about}: {title} does not keep configurations; name another source")
    given: dict[str, Any] = {**(located(place) if place else {})}
    for name, value in parse_qsl(query, keep_blank_values=True):
        _refuse_secret(light.options, name, about)
        put_option(given, name, value)
    judged = judge(light.options, given, environment, texts=True)
    for path, complaint in (*judged.complaints, *judged.missing):
        name, rule, hint = ".".join(map(str, path)), complaint.rule, complaint.hint
        if rule == REQUIRED:
            rule, hint = "it is required", f"add ?{name}=… to the location"
        raise SourceError(f"{about}: cannot use {name}: {rule}" + (f"; {hint}" if hint else ""))
    if judged.options is None:
        raise SourceError(f"{about}: its options cannot be used; see corepilot plugins info {plugin.name}")
    reference = PluginReference(
        plugin.name, plugin.module, plugin.attribute, plugin.distribution, plugin.version, judged.options
    )
    return reference, unquote(key)


def _refuse_secret(options: Any, name: str, about: str) -> None:
    """Refuse an option that is a secret: other users see a command line, and `status` shows locations.

    Raises:
        SourceError: it is one. The message does not repeat its value.
    """
    known = next((one for one in fields_of(options) if one.name.lower() == name.lower()), None)
    if known is not None and known.info.secret:
        way_out = f"set ${known.info.env} instead" if known.info.env else "keep the configuration elsewhere"
        raise SourceError(f"{about}: {known.name} does not belong in a location, which others can see; {way_out}")


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
                found = keys.list(key)
                if not found:
                    raise SourceError(f"{about}: there are no keys below {_name_of(keys, key)!r}; {_PUT}")
                return found
            entry = keys.get(key)
            if entry is not None:
                return (entry,)
            below = len(keys.list(key))
            hint = f"for the {counted(below, 'key')} below it, write {key}/" if below else _PUT
            raise SourceError(f"{about}: there is no key {_name_of(keys, key)!r}; {hint}")
    except gevent.Timeout as over:
        if over is not late:
            raise
        why = f"no answer from the catalog {backend.address} within {context.deadline_s:.0f} s"
        raise SourceError(f"{about}: {why}; see that it can be reached from here") from None
    except BackendError as error:
        raise SourceError(f"{about}: {error}") from error
    finally:
        backend.close()


def _name_of(keys: Keys, key: str) -> str:
    """What a key is called in the store, or a prefix that ends with a slash."""
    name = key.removesuffix("/")
    return keys.place(name) + key[len(name) :] if name else key


def _text(entry: Entry, name: str, about: str) -> SourceText:
    if len(entry.value) > MAX_BYTES:
        raise SourceError(f"{about}: the key {entry.key} holds more than {MAX_BYTES} bytes; make it smaller")
    try:
        return SourceText(entry.value.decode(), name, version=entry.version)
    except UnicodeDecodeError as error:
        raise SourceError(f"{about}: the key {entry.key} is not UTF-8 (byte {error.start}); mend it") from error
