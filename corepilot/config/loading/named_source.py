"""Reads a location with the source plugin that its scheme names, and says whose fault it is if that does not work."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from corepilot.config.loading.exchange import importing, reading
from corepilot.errors import PluginError
from corepilot.plugin.footprint import Footprint
from corepilot.plugin.foreign import cause, class_name, said
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.installed import InstalledPlugin, find, scan
from corepilot.plugin.light import import_light
from corepilot.sources.locations import shown
from corepilot.sources.values import MAX_BYTES, SourceContext, SourceError, SourceText
from corepilot.system.interruption import Interruption
from corepilot.wording.nearest import nearest

_KIND = KINDS["source"]
_ENDING_S = 0.5  # threads and children that are about to end get so long


class SourcePluginError(SourceError):
    """There is no plugin for a scheme, or it cannot be used."""

    def __init__(self, message: str, code: str = "plugin-broken") -> None:
        super().__init__(message)
        self.code = code


def read(scheme: str, location: str, context: SourceContext, reached: Callable[[bytes], None]) -> list[SourceText]:
    """Find, judge and ask a source.

    Args:
        scheme: The name of the plugin.
        location: What to read.
        context: See `Source.read`.
        reached: Told of each step before it begins.

    Raises:
        SourceError: the source says that there is no text.
        SourcePluginError: the source is missing, or broken.
    """
    about = f"cannot read configuration {shown(location)!r}"
    catalog = _catalog(scheme)
    if catalog is not None:
        from corepilot.config.loading import key_source

        reached(reading(shown(location)))
        try:
            return key_source.read(catalog, location, context)
        except PluginError as error:
            raise SourcePluginError(str(error)) from error
    plugin = _found(scheme, about)
    title = f"source {plugin.name!r} ({plugin.distribution} {plugin.version}".rstrip() + ")"
    reached(importing(title))
    where = f"{about}: {title}"
    try:
        source = _class(plugin, where)
    except PluginError as error:
        raise SourcePluginError(f"{error}; tell its author") from error
    reached(reading(shown(location)))
    before = Footprint.take()
    try:
        texts = _texts(source().read(location, context), f"{where}: {plugin.file}")
    except SourcePluginError:
        raise
    except SourceError as error:
        raise SourceError(said(error) or class_name(type(error))) from None  # its class may be the plugin's
    except (Interruption, MemoryError):
        raise
    except BaseException as error:
        why = cause(error, plugin.module)
        raise SourcePluginError(f"{where}: {plugin.file}: {why}; tell its author") from error
    finally:
        changed = _changes(before)
    if changed:
        raise SourcePluginError(f"{where}: {plugin.file}: read changed {' and '.join(changed)}; tell its author")
    return texts


def _catalog(scheme: str) -> InstalledPlugin | None:
    """The backend that a scheme names, where it names no source."""
    if any(one.name == scheme for one in scan(_KIND.group)):
        return None
    from corepilot.config.loading.key_source import backend_of

    return backend_of(scheme)


def _found(scheme: str, about: str) -> InstalledPlugin:
    try:
        return find(_KIND.group, scheme)
    except PluginError as error:
        names = sorted({one.name for one in scan(_KIND.group)})
        if scheme in names:
            raise SourcePluginError(f"{about}: {str(error).partition(': ')[2]}; uninstall one of them") from error
        from corepilot.config.loading.key_source import BACKENDS, keeping_configurations

        catalogs = keeping_configurations()
        near = scheme if scheme in BACKENDS.shipped else nearest(scheme, [*names, *catalogs, *BACKENDS.shipped])
        hint = f"if it is a path, write ./{scheme}:…" if near is None else f"did you mean {near}:?"
        if near is not None and near in BACKENDS.shipped and near not in catalogs:
            installation = f"install {BACKENDS.shipped[near]}, which reads from {near}"
            hint = installation if near == scheme else f"{hint} {installation}"
        known = f"no source called {scheme!r} is installed; installed: {', '.join(names)}"
        if catalogs:
            known += f", and the catalogs {', '.join(catalogs)}"
        raise SourcePluginError(f"{about}: {known}; {hint}", "plugin-missing") from error


def _class(plugin: InstalledPlugin, where: str) -> Any:
    light = import_light(plugin.module, plugin.attribute, _KIND.name, where, plugin.distribution)
    from corepilot.plugin.manager import Plugins  # it brings pluggy, which no file needs

    return Plugins().implementation(light, _KIND.name, plugin.name, where)


def _changes(before: Footprint) -> list[str]:
    """What `read` has changed of the process. Put back where it can be: other locations are read after this one."""
    end = time.monotonic() + _ENDING_S
    while (changed := before.changes_to(Footprint.take())) and time.monotonic() < end:
        time.sleep(0.01)
    if changed:
        before.restore()
    return changed


def _texts(found: Any, where: str) -> list[SourceText]:
    """What a source returned, as a list, if it is what the contract says."""
    texts = [found] if isinstance(found, SourceText) else found
    if not isinstance(texts, Sequence) or not all(isinstance(one, SourceText) for one in texts):
        rule = f"read must return a SourceText, or a sequence of them, and returned {type(found).__name__}"
        raise SourcePluginError(f"{where}: {rule}; tell its author")
    for one in texts:
        wrong = _misfit(one)
        if wrong:
            raise SourcePluginError(f"{where}: the {wrong}; tell its author")
        if len(one.text) > MAX_BYTES:
            raise SourcePluginError(f"{where}: {one.name!r} is longer than {MAX_BYTES} bytes; make it smaller")
    return list(texts)


def _misfit(text: SourceText) -> str:
    """Which attribute is not what it may be: they are sent through a pipe, and the path is read again."""
    for name in ("text", "name", "version"):
        if type(getattr(text, name)) is not str:
            return f"{name} of a SourceText must be a text, and is {type(getattr(text, name)).__name__}"
    if text.path is not None and not (type(text.path) is str and text.path.startswith("/")):
        return f"path of a SourceText must be an absolute path or None, and is {text.path!r:.80}"
    if type(text.warnings) is not tuple or not all(type(one) is str for one in text.warnings):
        return f"warnings of a SourceText must be a tuple of texts, and are {text.warnings!r:.80}"
    return ""
