"""What an author of a plugin imports. Standard library only, and light: the loader imports every plugin that is used.

A plugin is an entry point in one of the groups of `corepilot.plugin.hookspec.KINDS`: `corepilot.backends`, `.sinks`,
`.sources`, `.checks`, `.observers` and `.commands`. The name of the entry point is the name in the configuration. Its
object is a module like this one:

    \"\"\"Keeps services in a notebook.\"\"\"

    from dataclasses import dataclass
    from corepilot.plugin import hookimpl, option

    API = "1.0"
    CAPABILITIES = frozenset({"services", "register", "watch"})

    @dataclass(frozen=True)
    class Options:
        path: str = option(help="the notebook", default="/var/lib/notebook")
        wait_s: int = option(help="how long to wait for a page", unit="s", minimum=1, default=5)

    @hookimpl
    def corepilot_register_backend():
        from corepilot_notebook.backend import NotebookBackend  # imported only when the backend is used
        return NotebookBackend

From `Options` come the validation of the configuration (same form of error, nearest key, full path), the defaults, the
environment variables, `corepilot plugins info`, the reference page and the JSON Schema. The plugin gets the instance.
The module may import the standard library and `corepilot.plugin`; everything heavy belongs in the module that the
hook imports. `API` is the version of the plugin interface that the plugin was made for, as a literal: what is installed
later is compared with it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from corepilot.plugin.options import OptionError, option

MARK = "corepilot_impl"
"""The attribute that `hookimpl` sets."""

__all__ = ["MARK", "OptionError", "hookimpl", "option"]

_Hook = TypeVar("_Hook", bound=Callable[..., Any])


def hookimpl(function: _Hook) -> _Hook:
    """Mark a function of the light module as the implementation of the hook of the same name.

    The hooks, with what each returns and when it is called, are in `corepilot.plugin.hookspec`. An unmarked function is
    refused with the plugin's name, never ignored.
    """
    setattr(function, MARK, True)
    return function


def __getattr__(name: str) -> Any:
    """Import what options need when a plugin asks for it: this package is imported without plugins as well."""
    if name not in {"OptionError", "option"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from corepilot.plugin import options

    return getattr(options, name)
