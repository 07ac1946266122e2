"""marshmallow, imported without what no setting of ours needs.

`import marshmallow` compiles two long regular expressions for e-mail and URL fields and imports `email.utils` for RFC
822 dates, `json` for texts that it makes, `inspect` for the bases of a class, and, with `uuid`, `platform`. Together
that is a third of the time between the start of corepilot and its first job. So for the time of this one import they
have stand-ins that do the same, later: an expression is compiled, and a module imported, at first use.
Nothing is patched, and everything works: a marshmallow that is already loaded is left as it is, and afterwards the real
modules are back for whoever imports them.
"""

import importlib
import os
import re
import sys
from types import GeneratorType, ModuleType
from typing import Any

from corepilot.system.light_imports import Later, import_dataclasses, standing_in
from corepilot.system.search_path import complete_for_dependencies


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


_OF_THE_LIBRARY = ("copy", "datetime", "decimal", "ipaddress", "uuid")
"""What marshmallow imports of the standard library: loaded before, so that it sees the real modules."""


class _Inspect(Later):
    def getmro(self, kind: type) -> tuple[type, ...]:
        return kind.__mro__

    def isgenerator(self, one: object) -> bool:
        return isinstance(one, GeneratorType)

    def isgeneratorfunction(self, one: object) -> bool:
        return callable(one) and bool(self.__getattr__("isgeneratorfunction")(one))


class _Platform(Later):
    def system(self) -> str:
        return os.uname().sysname


def import_marshmallow() -> None:
    """Import `marshmallow`; a no-op if it is loaded already."""
    if "marshmallow" in sys.modules:
        return
    complete_for_dependencies()
    import_dataclasses()
    with standing_in(_Inspect("inspect"), _Platform("platform"), Later("json")):
        for name in _OF_THE_LIBRARY:
            importlib.import_module(name)
        _with_later_patterns()


def _with_later_patterns() -> None:
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
