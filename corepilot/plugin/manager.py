"""Loads the plugins that a configuration names, and refuses those that cannot do what they say, early and by name.

Three kinds of failure, one policy each:

- **missing**: the light module is gone though its metadata are there. The installation is damaged, so the message
  names the command that repairs it.
- **broken**: importing it raises. That is the author's or a dependency's fault; the exception is kept as the cause, and
  a dependency that is not installed is named.
- **misbehaving**: it imports, and does not keep the rules of `corepilot.plugin.hookspec`. The message says which.

All of them are `PluginError`s, and none leaves a half-loaded plugin behind.
"""

import dataclasses
import importlib
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, cast

import pluggy

from corepilot.errors import PluginError
from corepilot.model.plugin import PluginReference
from corepilot.plugin import hookspec
from corepilot.plugin.footprint import Footprint
from corepilot.plugin.foreign import cause, refused_values, shown
from corepilot.plugin.hookspec import KINDS
from corepilot.plugin.kinds import SPEC_MARK, Kind
from corepilot.plugin.light import LightModule, import_light, is_marked, require_unchanged
from corepilot.plugin.options import OptionError, build, info_of
from corepilot.plugin.stalls import PluginStalledError, within
from corepilot.system.interruption import Interruption

PROJECT = "corepilot"
"""The name under which pluggy keeps our marks."""

LOADING_S = 5.0
"""Seconds that a plugin may wait while it is imported."""


class Loaded(NamedTuple):
    """A plugin that is ready for use.

    Attributes:
        name: Its name in the configuration.
        kind: One of KINDS.
        implementation: What its hook returned: the class that fulfils the contract, not instantiated.
        options: The instance of its `Options`; None for a plugin without options.
        capabilities: What it declares.
        module: Its light module, for the places of its errors.
        distribution: Who brings it, with the version.
        secrets: The values of its secret options.
    """

    name: str
    kind: str
    implementation: Any
    options: Any
    capabilities: frozenset[str]
    module: str
    distribution: str
    secrets: tuple[str, ...] = ()


class _Hooks(pluggy.PluginManager):
    """pluggy with our marks, which light modules and the specifications set without importing pluggy."""

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> pluggy.HookspecOpts | None:
        """The options of a specification; None for anything that does not carry the mark."""
        if getattr(getattr(module_or_class, name, None), SPEC_MARK, False) is not True:
            return None
        return {"firstresult": False, "historic": False, "warn_on_impl": None, "warn_on_impl_args": None}

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        """The options of an implementation; None for anything that does not carry the mark."""
        if not is_marked(getattr(plugin, name, None)):
            return None
        return cast(
            pluggy.HookimplOpts,
            {
                "wrapper": False,
                "hookwrapper": False,
                "optionalhook": False,
                "tryfirst": False,
                "trylast": False,
                "specname": None,
            },
        )


class Plugins:
    """The plugins of one configuration. Made anew for each (re)load, so that a failed reload changes nothing."""

    def __init__(self) -> None:
        self._hooks = _Hooks(PROJECT)
        self._hooks.add_hookspecs(hookspec)

    def load(self, config: PluginReference, kind: str = "backend") -> Loaded:
        """Import a plugin, judge it, make its options and get its class.

        Args:
            config: As the loader found and validated it.
            kind: One of KINDS.

        Raises:
            PluginError: it cannot be used; see the module's docstring. Nothing of it stays registered.
        """
        title = f"{config.distribution} {config.version}"
        where = f"cannot load {kind} {config.name!r} ({title})"
        with _limit():
            light = import_light(config.module, config.attribute, kind, where, config.distribution)
            options = _options(light, config.options.plain(), where)
            implementation = self.implementation(light, kind, config.name, where)
        return Loaded(
            config.name,
            kind,
            implementation,
            options,
            light.capabilities,
            config.module,
            title,
            config.options.secrets(),
        )

    def implementation(self, light: LightModule, kind: str, name: str, where: str) -> Any:
        """Register a plugin's hooks and call the one of its kind: `load` without the options.

        Args:
            light: From `import_light`.
            kind: One of KINDS.
            name: The plugin's name.
            where: What an error message begins with.

        Raises:
            PluginError: as for `load`.
        """
        before = Footprint.take()
        # A light module is registered once, also when two entries (two sinks) or two kinds share it.
        new = not self._hooks.is_registered(light.module)
        try:
            if new:
                self._hooks.register(light.module, f"{kind}:{name}")
            self._hooks.check_pending()
            found = self._call(light.module, KINDS[kind], where)
            require_unchanged(before, f"{where}: loading it")
        except (pluggy.PluginValidationError, ValueError) as error:
            self._forget(light.module, new=new)
            raise PluginError(f"{where}: {' '.join(str(error).split())}") from error
        except PluginError:
            self._forget(light.module, new=new)
            raise
        missing = found.missing(light.capabilities) if hasattr(found, "missing") else ""
        if missing:
            self._forget(light.module, new=new)
            raise PluginError(f"{where}: {found.__name__} {missing}; tell its author")
        return found

    def _forget(self, module: Any, *, new: bool) -> None:
        if new and self._hooks.is_registered(module):
            self._hooks.unregister(module)

    def _call(self, module: Any, kind: Kind, where: str) -> Any:
        """One plugin's answer, by pluggy's relay with all others left out."""
        others = [one for one in self._hooks.get_plugins() if one is not module]
        try:
            answers = within(self._hooks.subset_hook_caller(kind.hook, others))
        except PluginStalledError as error:
            raise PluginError(f"{where}: {kind.hook} held the event loop up, and was interrupted ({error})") from None
        except Interruption:
            raise
        except BaseException as error:
            name = getattr(module, "__name__", "")
            raise PluginError(f"{where}: {kind.hook} failed: {cause(error, name)}") from error
        # pluggy leaves out None.
        return judged(answers[0] if answers else None, kind, where)


def judged(answer: Any, kind: Kind, where: str) -> Any:
    """What a hook returned, if it fulfils the contract of its kind.

    Raises:
        PluginError: it does not.
    """
    module, _, name = kind.contract.partition(":")
    contract = getattr(importlib.import_module(module), name)
    protocol = bool(vars(contract).get("_is_protocol", False))  # then the methods count, not the bases
    plain = kind.name == "command"
    fits = callable(answer) if plain else isinstance(answer, type) and (protocol or issubclass(answer, contract))
    if not fits:
        what = "a function" if plain else f"a class with the methods of {module}.{name}"
        what = what if plain or protocol else f"a subclass of {module}.{name}"
        raise PluginError(f"{where}: {kind.hook} must return {what}, and returned {shown(answer, 200)}")
    missing = set() if plain else set(getattr(answer, "__abstractmethods__", ()))
    if protocol:
        methods = [one for one in vars(contract) if not one.startswith("_")]
        missing.update(one for one in methods if not callable(getattr(answer, one, None)))
    if missing:
        raise PluginError(f"{where}: {answer.__name__} does not implement {', '.join(sorted(missing))}")
    return answer


def _limit() -> AbstractContextManager[Any]:
    """Ends an import that waits while it lets the event loop turn; one that does not is the beat's to interrupt."""
    gevent = sys.modules.get("gevent")
    return gevent.Timeout(LOADING_S) if gevent is not None else nullcontext()


def _options(light: LightModule, plain: Mapping[str, Any], where: str) -> Any:
    if light.options is None:
        if plain:
            raise PluginError(f"{where}: it has no options, and was given {', '.join(sorted(plain))}")
        return None
    try:
        return build(light.options, plain)
    except OptionError as error:
        raise PluginError(f"{where}: {error.name}: {error}") from error
    except Interruption:
        raise
    except BaseException as error:  # noqa: BLE001  - validated values: whatever it is, the plugin's own code raised it
        raise PluginError(f"{where}: {refused_values(error, light.options.__module__)}") from None


def options_of(light: LightModule, where: str) -> None:
    """Make a plugin's `Options` of their defaults and examples, where that gives every required one a value.

    Raises:
        PluginError: they fail with anything but OptionError.
    """
    if light.options is None:
        return
    given: dict[str, Any] = {}
    for field in dataclasses.fields(light.options):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and not info_of(field).example:
            return
        if required:
            given[field.name] = info_of(field).example
    try:
        build(light.options, given)
    except OptionError:
        return  # the plugin's own rules: an answer
    except Interruption:
        raise
    except BaseException as error:  # noqa: BLE001  - whatever it is, the plugin's own code raised it
        raise PluginError(f"{where}: {refused_values(error, light.options.__module__)}") from None
