"""What is known of one instance of a plugin: its faults, what it says, and whether it is switched off.

What fails again and again is switched off: `OFF_AFTER` faults without a success in between, or `STALLS_MAX` stalls.
"""

from __future__ import annotations

from collections.abc import Callable

from corepilot.errors import PluginError
from corepilot.output.repeat import Repeat
from corepilot.plugin.foreign import cause, class_name, plain, said
from corepilot.plugin.masking import forms_of
from corepilot.plugin.stalls import PluginStalledError, within
from corepilot.system.leaving import Leaving
from corepilot.wording.escaping import escaped

TYPE_CHECKING = (
    False  # what typing.TYPE_CHECKING is to a type checker, without importing it on the way to the first job
)
if TYPE_CHECKING:
    from corepilot.plugin.manager import Loaded

OFF_AFTER = 20
"""Faults in a row after which a plugin is switched off. A catalog's answer that is an error is no fault."""

STALLS_MAX = 3
"""Interrupted calls after which a plugin is switched off: each of them has held up every job's care for two seconds."""

LINE_MAX = 4096
"""Characters of a plugin's message that are kept."""


class PluginFaultError(PluginError):
    """A plugin did what its contract does not allow. The message names plugin, distribution, version and line."""

    code = "plugin-fault"
    cause = ""
    """What counts as the same fault: the call and what came of it."""


class Conduct:
    """The record of one instance.

    Args:
        loaded: The plugin.
        log: Takes a level and a message; the plugin's name is in front already.

    Attributes:
        kind: Such as "observer".
        plugin: Such as "audit".
        name: Such as "observer 'audit'".
        title: With distribution and version: "observer 'audit' (corepilot-audit 1.2)".
        faults: How many there were.
        off: Why it is switched off; "" while it is not.
    """

    def __init__(self, loaded: Loaded, log: Callable[[str, str], None]) -> None:
        self.kind, self.plugin = loaded.kind, loaded.name
        self.name = f"{loaded.kind} {loaded.name!r}"
        self.title = f"{self.name} ({loaded.distribution})"
        self.faults = 0
        self.off = ""
        self._module = loaded.module
        self._places = _places(loaded.module), _places(getattr(loaded.implementation, "__module__", ""))
        self._secrets = tuple(loaded.secrets)
        self._forms: tuple[str, ...] | None = None
        self._log = log
        self._row = self._stalls = 0
        self._repeats = Repeat(log)

    def report(self, error: PluginFaultError) -> None:
        """Write a fault to the log, now and then where there are many of one call."""
        self._repeats.failed(error.cause, str(error), "error")

    def trouble(self, cause: str, message: str) -> None:
        """Warn of trouble that may go on, now and then."""
        self._repeats.failed(cause, message)

    def recovered(self, cause: str, message: str) -> None:
        """Say that it is over."""
        self._repeats.recovered(cause, message)

    def say(self, level: str, message: object) -> None:
        """The `log` of the plugin's context: escaped, cut, without the values of secret options."""
        text = self._clean(plain(str(message)))
        self._log(level if level in {"debug", "info", "warning", "error"} else "info", text)

    def masked(self, text: str) -> str:
        """A text of the plugin's without the values of secret options, and of those that the user referred to.

        In no form that `forms_of` knows; a text that was cut into pieces or encoded otherwise is not recognized.
        """
        if self._forms is None:
            self._forms = forms_of(self._secrets) if self._secrets else ()
        for form in self._forms:
            text = text.replace(form, "***")
        return text

    def owns(self, path: str) -> bool:
        """Whether a file of code is the plugin's."""
        return any(place in path for places in self._places for place in places)

    def strayed(self, what: str, error: BaseException, *, stalled: bool = False) -> None:
        """Report what the plugin's code did outside of any call: a greenlet of its own, a finalizer, a timer."""
        if stalled:
            self.report(self._stalled(what, error))
        else:
            self.report(self._fault(what, f"raised {self._cause(error)}", class_name(type(error))))

    def switch_off(self, why: str) -> None:
        """Call it no more. Idempotent."""
        if not self.off:
            self.off = why
            self._log("error", f"{self.title} is switched off: {why}; a reload that changes its entry tries it again")

    def _fault(self, what: str, fault: str, cause: str) -> PluginFaultError:
        self.faults += 1
        self._row += 1
        made = PluginFaultError(f"{self.title}: {what} {fault}")
        made.cause = f"{what} {cause}"
        if self._stalls >= STALLS_MAX:
            self.switch_off(f"it held the event loop up {self._stalls} times")
        elif self._row >= OFF_AFTER:
            self.switch_off(f"it failed {self._row} times in a row, at last: {what} {fault}")
        return made

    def _stalled(self, what: str, error: BaseException) -> PluginFaultError:
        self._stalls += 1
        return self._fault(what, f"held the event loop up, and was interrupted ({said(error)})", "stalled")

    def _cause(self, error: BaseException) -> str:
        try:
            return self._clean(within(cause, error, self._module))
        except PluginStalledError:
            self._stalls += 1
            return f"{class_name(type(error))}, whose text held the event loop up"
        except Leaving:
            raise
        except BaseException:  # noqa: BLE001  - its own methods
            return class_name(type(error))

    def _clean(self, text: str) -> str:
        return escaped(self.masked(text)[:LINE_MAX])


def _places(module: object) -> tuple[str, ...]:
    """What of a path says that it is of a module's distribution; of ours, that it is below the same package."""
    parts = module.split(".") if isinstance(module, str) and module else []
    if parts[:1] == ["corepilot"]:
        return (f"/{'/'.join(parts[:-1])}/",) if len(parts) > 2 else ()
    return (f"/{parts[0]}/", f"/{parts[0]}.py") if parts else ()
