"""marshmallow, imported without what its e-mail, URL and RFC 822 fields need.

`import marshmallow` compiles two long regular expressions and imports `email.utils`, all for fields that no setting
has. That is a third of the time between the start of corepilot and its first job. So for the time of this one import
`re` and `email.utils` have stand-ins that do the same, later: an expression is compiled, and the module imported, at
first use.
Nothing is patched, and everything works: a marshmallow that is already loaded is left as it is, and afterwards the real
modules are back for whoever imports them.
"""

import importlib
import re
import sys
from types import ModuleType
from typing import Any


class _LaterPattern:
    """A pattern that is compiled when something of it is asked for."""

    __slots__ = ("_flags", "_found", "_pattern")

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._pattern, self._flags = pattern, flags
        self._found: re.Pattern[str] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # an abstract class looks at each of its attributes: that is no use of it
            raise AttributeError(name)
        if self._found is None:
            self._found = re.compile(self._pattern, self._flags)
        return getattr(self._found, name)


def _email_utils(name: str) -> Any:
    def later(*values: Any) -> Any:
        return getattr(importlib.import_module("email.utils"), name)(*values)

    return later


def _stand_ins() -> dict[str, ModuleType]:
    patterns = ModuleType("re")
    patterns.__dict__.update(re.__dict__, compile=_LaterPattern)
    mail = ModuleType("email.utils")
    mail.__dict__.update({name: _email_utils(name) for name in ("format_datetime", "parsedate_to_datetime")})
    package = ModuleType("email")
    package.__dict__.update(utils=mail, __path__=[])
    return {"re": patterns, "email": package, "email.utils": mail}


_OF_THE_LIBRARY = ("copy", "datetime", "decimal", "inspect", "ipaddress", "json", "uuid")
"""What marshmallow imports of the standard library: loaded before, so that it sees the real modules."""


def import_marshmallow() -> None:
    """Import `marshmallow`; a no-op if it is loaded already."""
    if "marshmallow" in sys.modules:
        return
    for name in _OF_THE_LIBRARY:
        importlib.import_module(name)
    real = {name: sys.modules.get(name) for name in ("re", "email", "email.utils")}
    stand_ins = {name: module for name, module in _stand_ins().items() if name == "re" or real["email"] is None}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module("marshmallow")
    finally:
        for name in stand_ins:
            before = real[name]
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
