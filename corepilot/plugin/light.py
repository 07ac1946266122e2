"""The judgement of a plugin's light module: the one that the loader, the supervisor, `check` and `verify` share.

Importing it is the first thing that anybody does with a plugin, so whatever can be wrong with it is said here, with the
module's file and line: it is missing, it raises, it brings what is heavy, it changes the process, it declares what it
must not, its hooks are misspelt. Standard library only: it is on the way to the first job.
"""

import builtins
import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from corepilot.errors import PluginError
from corepilot.plugin import MARK
from corepilot.plugin.footprint import Footprint
from corepilot.plugin.foreign import cause, shown
from corepilot.plugin.hookspec import API_VERSION, KINDS, hooks
from corepilot.plugin.options import fields_of
from corepilot.plugin.stalls import PluginStalledError, within
from corepilot.system.interruption import Interruption
from corepilot.wording.nearest import nearest, suggest

_ALLOWED = ("corepilot", "corepilot.plugin")
_NAMED_MAX = 5


class PluginIncompleteError(PluginError):
    """A plugin's metadata are there, and its module is not; the message ends with what to do."""


class LightModule(NamedTuple):
    """The light part of a plugin, judged.

    Attributes:
        module: The plugin's object: what its entry point names.
        options: The class `Options`, or None for a plugin without options.
        capabilities: What it declares in `CAPABILITIES`.
        api: The plugin interface it was made for, such as "1.0".
        lock_ttl_s: From `LOCK_TTL_S` of a backend whose locks have limits: the shortest and the longest TTL.
    """

    module: Any
    options: type[Any] | None
    capabilities: frozenset[str]
    api: str
    lock_ttl_s: tuple[float, ...] = ()


def import_light(module: str, attribute: str, kind: str, where: str, distribution: str = "") -> LightModule:
    """Import the light module of a plugin and judge it. Calls no hook.

    Args:
        module: The module that the entry point names.
        attribute: The attribute that the entry point names; "" for the module itself.
        kind: One of `corepilot.plugin.hookspec.KINDS`: whose hook it must have.
        where: What an error message begins with: "cannot load …".
        distribution: Who brings it, for the command that repairs it.

    Raises:
        PluginError: it cannot be used. It may stay in `sys.modules`; nothing else of it stays.
    """
    before = Footprint.take()
    with _asked_for(module) as asked:
        found = _imported(module, attribute, where, distribution)
    heavy = sorted(foreign(asked, module))
    if heavy:
        more = " …" if len(heavy) > _NAMED_MAX else ""
        raise PluginError(
            f"{where}: {_file(module)}, its light module, imports {', '.join(heavy[:_NAMED_MAX])}{more}; "
            "import what is heavy inside the hook"
        )
    require_unchanged(before, f"{where}: importing {_file(module)}")
    about = f"{where}: {_file(module)}"
    try:
        declared = within(_declared, found, about)
        within(_judge_hooks, found, kind, about)
        within(_judge_capabilities, declared.capabilities, kind, about)
    except PluginStalledError as error:
        raise PluginError(f"{about} held the event loop up when it was looked at ({error})") from None
    except (PluginError, Interruption):
        raise
    except BaseException as error:
        raise PluginError(f"{about} cannot be looked at: {cause(error, module)}") from error
    return declared


def foreign(names: Iterable[str], module: str) -> list[str]:
    """Those of some imported modules that a light module must not import.

    Args:
        names: The full names.
        module: The light module: it and the packages it stands in are its own.
    """
    parts = module.split(".")
    own = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return [
        name
        for name in names
        if name
        and name.partition(".")[0] not in sys.stdlib_module_names
        and name not in own
        and name not in _ALLOWED
        # pytest puts an import of its own into every module of a distribution that brings a pytest plugin.
        and not name.startswith(("corepilot.plugin.", "_pytest."))
    ]


def require_unchanged(before: Footprint, what: str) -> None:
    """Refuse a plugin that has changed what the whole process shares.

    Raises:
        PluginError: it has.
    """
    changed = before.changes_to(Footprint.take())
    if changed:
        before.restore()
        raise PluginError(f"{what} changed {' and '.join(changed)}; tell its author")


@contextmanager
def _asked_for(module: str) -> Iterator[set[str]]:
    """Collect what a light module imports, also what has been imported already: in every process the same."""
    names: set[str] = set()
    own = {".".join(module.split(".")[:count]) for count in range(1, module.count(".") + 2)}
    real = builtins.__import__

    def noting(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002  - as in the builtin
        if globals and globals.get("__name__") in own:
            parent = (globals.get("__package__") or "").split(".")
            full = ".".join(filter(None, (*parent[: len(parent) - level + 1], name))) if level else name
            names.add(full)
            names.update(f"{full}.{one}" for one in fromlist or () if full in {"corepilot", *own})
        return real(name, globals, locals, fromlist, level)

    builtins.__import__ = noting
    try:
        yield names
    finally:
        builtins.__import__ = real


def _imported(module: str, attribute: str, where: str, distribution: str) -> Any:
    try:
        found: Any = within(importlib.import_module, module)
    except PluginStalledError as error:
        why = f"importing {module} held the event loop up, and was interrupted ({error})"
        raise PluginError(f"{where}: {why}") from None
    except ModuleNotFoundError as error:
        if error.name and (error.name == module or module.startswith(f"{error.name}.")):
            from corepilot.plugin.installing import advice

            repair = advice(distribution or module.partition(".")[0], again=True)
            gone = f"its module {module}, which its entry point names, is not there"
            raise PluginIncompleteError(f"{where}: {gone}; {repair}") from error
        raise PluginError(f"{where}: it needs {error.name}, which is not installed") from error
    except Interruption:
        raise
    except BaseException as error:
        raise PluginError(f"{where}: importing {module} failed: {cause(error, module)}") from error
    for name in filter(None, attribute.split(".")):
        found = getattr(found, name, None)
        if found is None:
            raise PluginError(f"{where}: its entry point names {module}:{attribute}, which does not exist")
    return found


def _judge_hooks(found: Any, kind: str, where: str) -> None:
    known = hooks()
    mine = []
    for name in dir(found):
        function = getattr(found, name)
        marked = is_marked(function)
        if not (marked or name.startswith("corepilot_")) or not callable(function):
            continue
        if name not in known:
            near = nearest(name, known)
            raise PluginError(
                f"{where}: there is no hook {name!r}; "
                + (f"did you mean {near!r}?" if near else f"there are {', '.join(known)}")
            )
        if not marked:
            raise PluginError(f"{where}: {name} is not marked; put @hookimpl from corepilot.plugin above it")
        code = getattr(function, "__code__", None)
        if code is not None and code.co_argcount + code.co_kwonlyargcount:
            raise PluginError(f"{where}: {name} takes arguments, and is called with none; remove them")
        mine.append(name)
    hook = KINDS[kind].hook
    if hook not in mine:
        has = f"only {', '.join(sorted(mine))}" if mine else "no hook at all"
        raise PluginError(f"{where}: {_a(kind)} must implement {hook}; it implements {has}")


def _judge_capabilities(declared: frozenset[str], kind: str, where: str) -> None:
    """Without a word, what is misspelt would just never be used."""
    known = KINDS[kind].capabilities
    for unknown in sorted(declared - known):
        rule = f"{_a(kind)} can declare {', '.join(sorted(known)) or 'none'}{suggest(unknown, known)}"
        raise PluginError(f"{where}: CAPABILITIES holds {shown(unknown, 200)}: {rule}")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def is_marked(found: Any) -> bool:
    """Whether something in a light module is the implementation of a hook."""
    try:
        return getattr(found, MARK, False) is True
    except Exception:  # noqa: BLE001  - a proxy, say, that stands for nothing here
        return False


def _declared(found: Any, where: str) -> LightModule:
    api = getattr(found, "API", None)
    if not isinstance(api, str):
        wrong = "is missing" if api is None else f"is a text, and not {shown(api)}"
        says = f'it says which plugin interface it was made for, as in API = "{API_VERSION}"'
        raise PluginError(f"{where}: API {wrong}: {says}")
    if not _goes_with(api):
        raise PluginError(
            f"{where}: it is made for version {api!r}, and this corepilot has version {API_VERSION} of the plugin "
            "interface; install versions of the two that go together"
        )
    capabilities: Any = getattr(found, "CAPABILITIES", frozenset())
    if not isinstance(capabilities, frozenset) or not all(isinstance(one, str) for one in capabilities):
        raise PluginError(f"{where}: CAPABILITIES must be a frozenset of str, not {shown(capabilities, 200)}")
    limits: Any = getattr(found, "LOCK_TTL_S", ())
    if (
        not isinstance(limits, tuple)
        or len(limits) not in {0, 2}
        or not all(type(one) in {int, float} for one in limits)
    ):
        raise PluginError(f"{where}: LOCK_TTL_S must be two numbers, not {shown(limits, 200)}")
    options = getattr(found, "Options", None)
    if options is not None:
        try:
            tuple(fields_of(options))
        except (TypeError, NameError) as error:
            raise PluginError(f"{where}: {error}") from error
    return LightModule(found, options, capabilities, api, limits)


def _goes_with(api: str) -> bool:
    """Whether a plugin made for this version works with ours: the same MAJOR, and no later MINOR."""
    major, dot, minor = api.partition(".")
    ours_major, _, ours_minor = API_VERSION.partition(".")
    return bool(dot) and minor.isdecimal() and major == ours_major and int(minor) <= int(ours_minor)


def _file(module: str) -> str:
    return getattr(sys.modules.get(module), "__file__", None) or module
