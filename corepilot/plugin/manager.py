"""Loads the plugins that a configuration names, and refuses those that cannot do what they say, early and by name.

Three kinds of failure, one policy each:

- **missing**: the light module is gone though its metadata are there. The installation is damaged, so the message
  names the command that repairs it.
- **broken**: importing it raises. That is the author's or a dependency's fault; the exception is kept as the cause, and
  a dependency that is not installed is named.
- **misbehaving**: it imports, and does not keep the rules of `corepilot.plugin.hookspec`. The message says which.

All of them are `PluginError`s, and none leaves a half-loaded plugin behind.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import pluggy

from corepilot.errors import CorepilotError, PluginError
from corepilot.model.event import Event
from corepilot.model.plugin import PluginReference
from corepilot.plugin import API_VERSION, MARK, hookspec
from corepilot.plugin.footprint import Footprint
from corepilot.plugin.options import OptionError, build, fields_of

CONTRACTS = {
    "backend": ("corepilot_register_backend", "corepilot.discovery.backend", "Backend"),
    "sink": ("corepilot_register_sink", "corepilot.telemetry.sink", "Sink"),
    "source": ("corepilot_register_source", "corepilot.sources.source", "Source"),
}
"""For each kind: the hook that gives the class, and the module and name of the contract that the class fulfils."""


class LightModule(NamedTuple):
    """The light part of a plugin, checked.

    Attributes:
        module: The plugin's object: what its entry point names.
        options: The class `Options`, or None for a plugin without options.
        capabilities: What it declares in `CAPABILITIES`.
        api: The plugin interface it was made for.
    """

    module: Any
    options: type[Any] | None
    capabilities: frozenset[str]
    api: int


class Loaded(NamedTuple):
    """A plugin that is ready for use.

    Attributes:
        name: Its name in the configuration.
        kind: "backend", "sink" or "source".
        implementation: The class that fulfils the contract. Not instantiated.
        options: The instance of its `Options`; None for a plugin without options.
        capabilities: What it declares.
    """

    name: str
    kind: str
    implementation: type[Any]
    options: Any
    capabilities: frozenset[str]

    def make(self, context: Any) -> Any:
        """An instance of the implementation.

        Args:
            context: What the contract gives it.

        Raises:
            PluginError: its constructor raised.
        """
        try:
            return self.implementation(self.options, context)
        except CorepilotError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  - the plugin's own code raised it, whatever it is
            # The text of a foreign exception may hold the options, secrets among them: only its kind is shown.
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise PluginError(f"cannot use {self.kind} {self.name!r}: making it failed: {why}") from None


class _Hooks(pluggy.PluginManager):
    """pluggy with our mark, which light modules set without importing pluggy."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> pluggy.HookimplOpts | None:
        """The options of an implementation; None for anything that does not carry the mark."""
        if getattr(getattr(plugin, name, None), MARK, False) is not True:
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
    """The plugins of one configuration. Made anew for each (re)load, so that a failed reload changes nothing.

    Args:
        broken: Told of each exception that an observer raises: the plugin's name and the exception.
    """

    def __init__(self, broken: Callable[[str, Exception], None] = lambda _name, _error: None) -> None:
        self._broken = broken
        self._hooks = _Hooks(hookspec.PROJECT)
        self._hooks.add_hookspecs(hookspec)

    def load(self, config: PluginReference, kind: str = "backend") -> Loaded:
        """Import a plugin, check it, make its options and get its class.

        Args:
            config: As the loader found and validated it.
            kind: "backend", "sink" or "source".

        Raises:
            PluginError: it cannot be used; see the module's docstring. Nothing of it stays registered.
        """
        where = f"cannot load {kind} {config.name!r} ({config.distribution} {config.version})"
        before = Footprint.take()
        light = import_light(config.module, config.attribute, where, config.distribution)
        options = _options(light, config.options.plain(), where)
        implementation = self.implementation(light, kind, config.name, where, before)
        return Loaded(config.name, kind, implementation, options, light.capabilities)

    def implementation(self, light: LightModule, kind: str, name: str, where: str, before: Footprint) -> type[Any]:
        """Register a plugin's hooks and get its class: `load` without the options, which need a configuration.

        Args:
            light: From `import_light`.
            kind: "backend", "sink" or "source".
            name: The plugin's name.
            where: What an error message begins with.
            before: Taken before anything of the plugin was imported.

        Raises:
            PluginError: as for `load`.
        """
        # A light module is registered once, also when two configurations (two sinks) or two kinds share it.
        new = not self._hooks.is_registered(light.module)
        self._register(light.module, f"{kind}:{name}", kind, where)
        try:
            found = _call(light.module, kind, where)
            _require_unchanged(before, where)
        except PluginError:
            if new:
                self._hooks.unregister(light.module)
            raise
        return found

    @property
    def observing(self) -> bool:
        """Whether any loaded plugin wants `event` to be called."""
        return bool(self._hooks.hook.corepilot_event.get_hookimpls())

    def event(self, event: Event) -> None:
        """Call every observer's `corepilot_event`, in the order in which the plugins were loaded. Never raises.

        pluggy would stop at the first that raises, so they are called one by one.
        """
        for one in self._hooks.hook.corepilot_event.get_hookimpls():
            try:
                one.function(*(event,)[: len(one.argnames)])
            except Exception as error:  # noqa: BLE001  - one broken observer must not silence the others
                self._broken(one.plugin_name.partition(":")[2], error)

    def _register(self, module: Any, key: str, kind: str, where: str) -> None:
        for name in dir(module):
            function = getattr(module, name)
            if not name.startswith("corepilot_") or not callable(function):
                continue
            known = getattr(hookspec, name, None)
            if known is None:
                raise PluginError(f"{where}: there is no hook {name!r}; {_nearest_hook(name)}")
            if getattr(function, MARK, False) is not True:
                raise PluginError(f"{where}: {name} is not marked; put @hookimpl from corepilot.plugin above it")
        new = not self._hooks.is_registered(module)
        try:
            if new:
                self._hooks.register(module, key)
            self._hooks.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._hooks.is_registered(module):
                self._hooks.unregister(module)
            raise PluginError(f"{where}: {' '.join(str(error).split())}") from error
        hook = CONTRACTS[kind][0]
        mine = [caller.name for caller in self._hooks.get_hookcallers(module) or ()]
        if hook not in mine:
            if new:
                self._hooks.unregister(module)
            has = f"only {', '.join(sorted(mine))}" if mine else "no hook at all"
            raise PluginError(f"{where}: a {kind} must implement {hook}; it implements {has}")


def import_light(module: str, attribute: str, where: str, distribution: str = "") -> LightModule:
    """Import the light module of a plugin and check what it declares. Calls no hook.

    Args:
        module: The module that the entry point names.
        attribute: The attribute that the entry point names; "" for the module itself.
        where: What an error message begins with: "cannot load …".
        distribution: Who brings it, for the command that repairs it.

    Raises:
        PluginError: it is missing, broken, or made for another version of the plugin interface.
    """
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (error.name == module or module.startswith(f"{error.name}.")):
            repair = f"{sys.executable} -m pip install --force-reinstall {distribution or module.partition('.')[0]}"
            raise PluginError(f"{where}: its module {module} is not there; install it again with: {repair}") from error
        raise PluginError(f"{where}: it needs {error.name}, which is not installed") from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"{where}: importing {module} failed: {_cause(error)}") from error
    for name in filter(None, attribute.split(".")):
        found = getattr(found, name, None)
        if found is None:
            raise PluginError(f"{where}: its entry point names {module}:{attribute}, which does not exist")
    return _declared(found, where)


def _call(module: Any, kind: str, where: str) -> type[Any]:
    hook, contract_module, contract_name = CONTRACTS[kind]
    try:
        implementation = getattr(module, hook)()
    except (Exception, SystemExit) as error:  # a plugin that calls sys.exit does not end corepilot
        raise PluginError(f"{where}: {hook} failed: {_cause(error)}") from error
    contract = getattr(importlib.import_module(contract_module), contract_name)
    if not isinstance(implementation, type) or not (_is_protocol(contract) or issubclass(implementation, contract)):
        what = "a class with the methods" if _is_protocol(contract) else "a subclass"
        raise PluginError(
            f"{where}: {hook} must return {what} of {contract_module}.{contract_name}, and returned "
            f"{implementation!r:.200}"
        )
    missing = set(getattr(implementation, "__abstractmethods__", ()))
    if _is_protocol(contract):
        methods = [name for name in vars(contract) if not name.startswith("_")]
        missing.update(name for name in methods if not callable(getattr(implementation, name, None)))
    if missing:
        raise PluginError(f"{where}: {implementation.__name__} does not implement {', '.join(sorted(missing))}")
    return implementation


def _is_protocol(contract: type[Any]) -> bool:
    """Whether a contract is a typing.Protocol: then the methods count, not the bases."""
    return bool(vars(contract).get("_is_protocol", False))


def _require_unchanged(before: Footprint, where: str) -> None:
    changed = before.changes_to(Footprint.take())
    if changed:
        raise PluginError(f"{where}: loading it changed {' and '.join(changed)}; tell its author")


def _declared(found: Any, where: str) -> LightModule:
    api = getattr(found, "API", None)
    if api != API_VERSION:
        made_for = (
            "does not say which (API = API_VERSION is missing)" if api is None else f"is made for version {api!r}"
        )
        raise PluginError(
            f"{where}: it {made_for}, and this corepilot has version {API_VERSION} of the plugin interface; "
            "install versions of the two that go together"
        )
    capabilities: Any = getattr(found, "CAPABILITIES", frozenset())
    if not isinstance(capabilities, frozenset) or not all(isinstance(one, str) for one in capabilities):
        raise PluginError(f"{where}: CAPABILITIES must be a frozenset of str, not {capabilities!r:.200}")
    options = getattr(found, "Options", None)
    if options is not None:
        try:
            tuple(fields_of(options))
        except (TypeError, NameError) as error:
            raise PluginError(f"{where}: {error}") from error
    return LightModule(found, options, capabilities, api)


def _options(light: LightModule, plain: Mapping[str, Any], where: str) -> Any:
    if light.options is None:
        if plain:
            raise PluginError(f"{where}: it has no options, and was given {', '.join(sorted(plain))}")
        return None
    try:
        return build(light.options, plain)
    except OptionError as error:
        raise PluginError(f"{where}: {error.name}: {error}") from error
    except Exception as error:  # noqa: BLE001  - validated values: whatever it is, the plugin's own code raised it
        # The text of a foreign exception may hold the values, secrets among them: only its kind is shown.
        raise PluginError(f"{where}: its Options refused the values with {type(error).__name__}") from None


def _nearest_hook(name: str) -> str:
    import difflib

    hooks = [one for one in dir(hookspec) if one.startswith("corepilot_")]
    near = difflib.get_close_matches(name, hooks, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(hooks)}"


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
