"""What a template of a file sees of watches: `.watches`, and the functions that look at one of them.

A watch is looked up by its name, and where no watch has that name by what it watches: so templates of consul-template,
which name services and keys, can stay as they are.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import FunctionFailure
from corepilot.gotemplate.quoting import quote
from corepilot.gotemplate.values import Environment, GoList, Record, Value, Watches, type_name


def service(environment: Environment, name: str) -> GoList:
    """Return the passing instances of a service, sorted by id."""
    found = _watches(environment).of("service", name)
    assert isinstance(found, GoList)  # noqa: S101  - see Watches
    return found


def key(environment: Environment, name: str) -> str:
    """Return what a key holds."""
    found = _watches(environment).of("key", name)
    if not isinstance(found, str):
        raise FunctionFailure(
            f"there is no key behind the watch {name!a}; give a default: keyOrDefault {quote(name)} …"
        )
    return found


def key_or_default(environment: Environment, name: str, instead: str) -> str:
    """Return what a key holds, or a default where there is no such key."""
    found = _watches(environment).of("key", name)
    return found if isinstance(found, str) else instead


def key_exists(environment: Environment, name: str) -> bool:
    """Tell whether there is a key."""
    return _watches(environment).of("key", name) is not None


def tree(environment: Environment, name: str) -> GoList:
    """Return the keys behind a prefix, sorted."""
    found = _watches(environment).of("prefix", name)
    assert isinstance(found, GoList)  # noqa: S101  - see Watches
    return found


def ls(environment: Environment, name: str) -> GoList:
    """Return the keys behind a prefix that have no further slash in their names, sorted."""
    found = [one for one in tree(environment, name) if isinstance(one, Record) and "/" not in str(one.field("Key"))]
    return GoList(found, "Entry")


def contains(element: Value, elements: Value) -> bool:
    """Tell whether a list of strings has an element, or a string a part."""
    if not isinstance(element, str):
        raise FunctionFailure(f"it looks for a string, not for a {type_name(element)}")
    if isinstance(elements, str):
        return element in elements
    if elements is None or isinstance(elements, GoList):
        return any(one == element for one in elements or ())
    raise FunctionFailure(f"it looks in a list, not in a {type_name(elements)}")


def _watches(environment: Environment) -> Watches:
    if environment.watches is None:
        raise FunctionFailure(
            "only the template of a file can look at watches, not the configuration's own; "
            "put it into a file and name that one: render: [{ templateFile: …, to: … }]"
        )
    return environment.watches
