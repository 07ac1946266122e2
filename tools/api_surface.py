"""What a plugin can rely on, as data.

    python tools/api_surface.py > tests/api/1.0/surface.json    # once, when a version is frozen

A frozen version is never written anew: tests/unit/test_api_is_frozen.py holds what corepilot is now against it, by
`broken`, and so finds what a plugin made for that version would stumble over.
"""

import enum
import importlib
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from authors_api import PUBLIC  # noqa: E402  - from beside this file

from corepilot.model.value import Value, defaults_of, names_of  # noqa: E402
from corepilot.plugin.hookspec import KINDS  # noqa: E402

IMPLEMENTED = frozenset({"Backend", "Keys", "Locks", "Sink", "Source", "Check", "Observer"})
"""Classes whose methods plugins write, and corepilot calls: a new argument would be one too many for them."""

NAMED = "*: "
"""Begins a parameter that can only be given by its name."""

_NAMES = frozenset(name for names in PUBLIC.values() for name in names)

Surface = dict[str, Any]


def surface() -> Surface:
    """The names that plugins may use, and how they may use them. JSON can hold all of it."""
    return {
        "kinds": {kind.name: {"group": kind.group, "hook": kind.hook} for kind in KINDS.values()},
        "names": {
            f"{module}.{name}": _thing(getattr(importlib.import_module(module), name))
            for module, names in PUBLIC.items()
            for name in names
        },
    }


def _thing(found: Any) -> Surface:
    fixture = getattr(found, "_get_wrapped_function", None)
    if fixture is not None:
        return {"is": "fixture"}
    if inspect.isclass(found):
        return _class(found)
    if inspect.isfunction(found) or inspect.isbuiltin(found):
        return {"call": _parameters(found)}
    if isinstance(found, frozenset | set | Mapping):
        return {"members": sorted(map(str, found))}
    if get_args(found) and all(isinstance(one, str) for one in get_args(found)):
        return {"members": sorted(get_args(found))}
    return {"is": type(found).__name__}


def _class(kind: type[Any]) -> Surface:
    bases = [one.__name__ for one in kind.__mro__[1:] if one.__name__ in _NAMES or issubclass(one, BaseException)]
    if issubclass(kind, enum.Enum):
        return {"bases": bases, "members": sorted(one.name for one in kind)}
    shown: Surface = {"bases": bases}
    if issubclass(kind, Value):
        defaults = defaults_of(kind)
        shown["call"] = [f"{name}=" if name in defaults else name for name in names_of(kind)]
    elif "__init__" in vars(kind) and not issubclass(kind, BaseException):
        shown["call"] = _parameters(kind.__init__)[1:]
    shown["methods"] = {name: _parameters(function) for name, function in _methods(kind)}
    shown["attributes"] = sorted(set(_attributes(kind)))
    shown["abstract"] = sorted(getattr(kind, "__abstractmethods__", ()))
    return shown


def _ours(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    for one in kind.__mro__:
        if one.__module__.startswith("corepilot"):
            yield from ((name, member) for name, member in vars(one).items() if not name.startswith(("_", "test_")))


def _methods(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for name, member in _ours(kind):
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function) and name not in seen and not issubclass(kind, enum.Enum):
            seen.add(name)
            yield name, function


def _attributes(kind: type[Any]) -> Iterator[str]:
    """Properties, class attributes, and what the class and its bases annotate."""
    for name, member in _ours(kind):
        if not inspect.isfunction(getattr(member, "__func__", member)):
            yield name
    for one in kind.__mro__:
        if one.__module__.startswith("corepilot"):
            yield from (name for name in vars(one).get("__annotations__", {}) if not name.startswith("_"))


def _parameters(function: Any) -> list[str]:
    """Each as it is written: `name`, with `=` where it has a default, `*: name` if it can only be named."""
    prefixes: dict[Any, str] = {
        inspect.Parameter.POSITIONAL_ONLY: "/: ",
        inspect.Parameter.KEYWORD_ONLY: NAMED,
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        f"{prefixes.get(one.kind, '')}{one.name}{'' if one.default is inspect.Parameter.empty else '='}"
        for one in inspect.signature(function).parameters.values()
    ]


# ------------------------------------------------------------------------------------------------------- comparing
def broken(then: Surface, now: Surface) -> list[str]:
    """What a plugin made for `then` cannot rely on in `now`: a sentence for each, none when all is well."""
    found = [
        f"the kind {name} was {kind}, and is {now['kinds'].get(name)}"
        for name, kind in then["kinds"].items()
        if now["kinds"].get(name) != kind
    ]
    for name, thing in then["names"].items():
        if name in now["names"]:
            found += [f"{name}: {fault}" for fault in _faults(name.rpartition(".")[2], thing, now["names"][name])]
        else:
            found.append(f"{name}: it is gone")
    return found


def _faults(name: str, then: Surface, now: Surface) -> Iterator[str]:
    for what in ("bases", "members", "attributes"):
        gone = [one for one in then.get(what, ()) if one not in now.get(what, ())]
        if gone:
            yield f"without {', '.join(gone)}"
    if then.get("is") != now.get("is"):
        yield f"it was {then.get('is')}, and is {now.get('is')}"
    if "call" in then:
        yield from _differences("called", then["call"], now.get("call"), fixed=False)
    for method, parameters in then.get("methods", {}).items():
        yield from _differences(method, parameters, now["methods"].get(method), fixed=name in IMPLEMENTED)
    added = sorted(set(now.get("abstract", ())) - set(then.get("abstract", ())))
    if added:
        yield f"{', '.join(added)} must be written now"


def _differences(name: str, then: list[str], now: list[str] | None, *, fixed: bool) -> Iterator[str]:
    if now is None:
        yield f"{name}: it is gone"
        return
    was, is_ = f"({', '.join(then)})", f"({', '.join(now)})"
    if fixed:
        if then != now:
            yield f"{name}: plugins write it as {was}, and it is called as {is_}"
        return
    order = [_bare(one) for one in then if not one.startswith("*")]
    if [_bare(one) for one in now if not one.startswith("*")][: len(order)] != order:
        yield f"{name}: what is given in the order of {was} does not fit {is_}"
    known = {_bare(one): one for one in now}
    for one in then:
        present = known.pop(_bare(one), "")
        if not present:
            yield f"{name}: {_bare(one)} is gone"
        elif one.endswith("=") and not present.endswith("="):
            yield f"{name}: {_bare(one)} has no default any more"
    needed = [bare for bare, one in known.items() if not one.endswith("=") and not bare.startswith("*")]
    if needed:
        yield f"{name}: {', '.join(needed)} must be given now"


def _bare(parameter: str) -> str:
    return parameter.removeprefix(NAMED).rstrip("=")


if __name__ == "__main__":
    found = surface()
    lines = [f"{json.dumps(name)}: {json.dumps(thing)}" for name, thing in found["names"].items()]
    kinds = json.dumps(found["kinds"])
    sys.stdout.write(f'{{"kinds": {kinds},\n"names": {{\n' + ",\n".join(lines) + "\n}}\n")
