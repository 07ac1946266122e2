"""Which plugins are installed, read from the metadata on disk: nothing is imported, nothing is cached.

This is the look-up on the way to the first job. `importlib.metadata` takes 36 ms to import alone; reading the
`entry_points.txt` files takes 1 or 2. It gives the same answer (a test holds the two together): the directories of
`sys.path` in their order, the first distribution of a name hides later ones, as described in
https://packaging.python.org/specifications/entry-points/ and .../recording-installed-packages/.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from corepilot.errors import PluginError
from corepilot.plugin.hookspec import KINDS
from corepilot.system.search_path import complete

GROUPS = {kind.group: kind.name for kind in KINDS.values()}
"""Each entry-point group, and the word for what it holds."""

CORE = "corepilot"
"""The distribution whose plugins are built in: they win over others of the same name."""

SHIPPED = {kind.group: kind.shipped for kind in KINDS.values()}
"""Plugins that we publish and a user may have to install, by group."""

_MOST_BYTES = 1 << 20


class InstalledPlugin(NamedTuple):
    """An entry point of one of our groups.

    Attributes:
        name: The name in the configuration.
        group: One of GROUPS.
        module: The light module.
        attribute: Attribute of the module that is the plugin's object; "" for the module itself.
        distribution: The distribution's name as its author writes it.
        version: The distribution's version; "" where the metadata have none.
        file: The module's file, also for an editable installation; "" if there is none.
    """

    name: str
    group: str
    module: str
    attribute: str
    distribution: str
    version: str
    file: str

    @property
    def kind(self) -> str:
        """What it is, such as "backend"."""
        return GROUPS[self.group]

    @property
    def built_in(self) -> bool:
        """Whether it comes with corepilot itself."""
        return normalized(self.distribution) == CORE


def scan(group: str | None = None, path: Iterable[str] | None = None) -> list[InstalledPlugin]:
    """All installed plugins, sorted by group and name; of equals, the one that comes first on the path is first.

    Args:
        group: One of GROUPS; None for all of them.
        path: The directories to look at; None for `sys.path`. Directories that cannot be read hold nothing.
    """
    complete()
    where = list(sys.path if path is None else path)
    wanted = tuple(GROUPS) if group is None else (group,)
    found: list[InstalledPlugin] = []
    for directory in distributions(where):
        text = _read(os.path.join(directory, "entry_points.txt"))
        if not any(one in text for one in wanted):
            continue
        entries = [entry for entry in _entries(text) if entry[0] in wanted]
        if entries:
            distribution, version = _name_and_version(directory)
            for in_group, name, value in entries:
                module, attribute = split_value(value)
                file = module_file(module, where)
                found.append(InstalledPlugin(name, in_group, module, attribute, distribution, version, file))
    found.sort(key=lambda plugin: (plugin.group, plugin.name))
    return found


def find(group: str, name: str, path: Iterable[str] | None = None) -> InstalledPlugin:
    """The plugin that a configuration means by a name.

    Args:
        group: One of GROUPS.
        name: The entry point's name, exactly.
        path: As for `scan`.

    Raises:
        PluginError: no such plugin is installed, or two distributions other than corepilot bring one, or its entry
            point is malformed.
    """
    kind = GROUPS[group]
    plugins = scan(group, path)
    same = [plugin for plugin in plugins if plugin.name == name]
    if not same:
        names = {plugin.name for plugin in plugins}
        raise PluginError(f"cannot use {kind} {name!r}: {explain_unknown(group, name, names)}")
    # Built-in names are ours: a distribution that takes one must not be able to replace what it names.
    chosen = next((plugin for plugin in same if plugin.built_in), same[0])
    if len(same) > 1 and not chosen.built_in:
        brought = " and ".join(f"{one.distribution} {one.version} ({one.file or one.module})" for one in same)
        raise PluginError(
            f"cannot use {kind} {name!r}: {brought} both bring a plugin of that name; uninstall all but one of them"
        )
    if not all(part.isidentifier() for part in chosen.module.split(".")):
        raise PluginError(
            f"cannot use {kind} {name!r}: the entry point of {chosen.distribution} {chosen.version} names "
            f"{chosen.module!r}, which is not a module; tell its author"
        )
    return chosen


def explain_unknown(group: str | None, name: str, names: Iterable[str]) -> str:
    """Why a name cannot be used and the way out, to follow "cannot use <where> <name>: ".

    Args:
        group: One of GROUPS; None for any of them.
        name: The name that was asked for.
        names: What is installed.
    """
    import difflib

    known = sorted(set(names))
    shipped = {one: project for of, some in SHIPPED.items() if group in {of, None} for one, project in some.items()}
    # As someone types who remembers the product, not the name.
    folded = {one.lower(): one for one in (*shipped, *known)}
    near = difflib.get_close_matches(name.lower(), folded, 1)
    nearest = folded[near[0]] if near else ""
    kind = GROUPS[group] if group else "plugin"
    said = f"no {kind} of that name is installed; installed: {', '.join(known) or 'none'}"
    if nearest and nearest != name:
        said += f"; did you mean {nearest!r}?"
    if nearest in shipped and nearest not in known:
        from corepilot.plugin.installing import advice

        said += f"; {advice(shipped[nearest])}"
    return said


def distributions(path: Iterable[str]) -> Iterator[str]:
    """The metadata directory of each distribution on the path, those that are hidden by an earlier one left out."""
    seen: set[str] = set()
    for directory in path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue  # a directory on the path need not exist; a zip file holds no metadata directories
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                project = normalized(name.rpartition(".")[0].partition("-")[0])
                if project not in seen:
                    seen.add(project)
                    yield os.path.join(directory, name)


def normalized(name: str) -> str:
    """A distribution's name in the form in which names are compared."""
    parts = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(part for part in parts if part)


def split_value(value: str) -> tuple[str, str]:
    """Module and attribute of an entry point's value `module[:attribute] [extras]`."""
    module, _, attribute = value.partition("[")[0].partition(":")
    return module.strip(), attribute.strip()


def module_file(module: str, path: Iterable[str] | None = None) -> str:
    """Where a module's source is, else its code, found without importing it or its package; "" if it is not there.

    Args:
        module: The full name.
        path: The directories to look at; None for `sys.path`. Finders of editable installations are always asked.
    """
    head, *rest = module.split(".")
    where = None if path is None else list(path)
    spec = None
    for finder in sys.meta_path:
        # Setuptools puts a finder of its own here for an editable installation; importlib.util.find_spec would ask it
        # too, but it imports the parent packages of a dotted name.
        spec = finder.find_spec(head, where) if head else None
        if spec is not None:
            break
    if spec is None:
        return ""
    places, file = list(spec.submodule_search_locations or ()), spec.origin
    for position, part in enumerate(rest):
        candidates = [os.path.join(place, part) for place in places]
        package = next(filter(os.path.isfile, _sources(os.path.join(one, "__init__") for one in candidates)), "")
        plain = next(filter(os.path.isfile, _sources(candidates)), "")
        if package:
            places, file = [os.path.dirname(package)], package
        elif plain and position == len(rest) - 1:
            file = plain
        else:
            places, file = [one for one in candidates if os.path.isdir(one)], None
    return os.path.realpath(file) if file and os.path.isfile(file) else ""


def _sources(stems: Iterable[str]) -> Iterator[str]:
    """What a module can be in: its source, or only its code, as in a bundle."""
    return (f"{stem}{suffix}" for stem in stems for suffix in (".py", ".pyc"))


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """(group, name, value) of each entry point in an `entry_points.txt`."""
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield group, name.strip(), value.strip()


def _name_and_version(directory: str) -> tuple[str, str]:
    text = _read(os.path.join(directory, "METADATA")) or _read(os.path.join(directory, "PKG-INFO"))
    name = version = ""
    for line in text.splitlines():
        if not line:
            break  # the end of the headers
        key, _, value = line.partition(":")
        if key.lower() == "name":
            name = name or value.strip()
        elif key.lower() == "version":
            version = version or value.strip()
    stem_name, _, stem_version = os.path.basename(directory).rpartition(".")[0].partition("-")
    return name or stem_name, version or stem_version


def _read(file: str) -> str:
    """The file's text, at most its first MiB; "" if it cannot be read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""  # most distributions have no entry points
    try:
        size = min(os.fstat(descriptor).st_size, _MOST_BYTES)
        return os.read(descriptor, size).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
