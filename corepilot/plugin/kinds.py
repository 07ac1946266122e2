"""What a kind of plugin is: one row of the table that `corepilot.plugin.hookspec` fills.

Everything that differs from kind to kind is data here: the scan of the installed metadata, the loader, the supervisor,
`corepilot plugins` and the reference page read the same row. Standard library only: it is on the way to the first job.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

_Hook = TypeVar("_Hook", bound=Callable[..., Any])

SPEC_MARK = "corepilot_spec"
"""The attribute that makes a function a hook specification, where pluggy's own marker keeps its options."""


class Kind(NamedTuple):
    """One kind of plugin.

    Attributes:
        name: The word for one of them: "backend".
        group: The group of entry points.
        hook: The function that a plugin of this kind implements.
        contract: "module:name" of what the hook has to return a subclass of; a protocol counts by its methods, a plain
            callable by its signature.
        named_in: Where a configuration, or a command line, names one.
        loaded: Which process imports it, and when.
        suite: "module:name" of the conformance suite.
        shipped: Plugins that we publish and a user may have to install: the name, and the distribution that brings it.
            Only for these do we name a command: guessing a distribution's name from a plugin's would send people to
            whoever registers that name.
        capabilities: What a plugin can declare in `CAPABILITIES`.
    """

    name: str
    group: str
    hook: str
    contract: str
    named_in: str
    loaded: str
    suite: str
    shipped: Mapping[str, str]
    capabilities: frozenset[str]


def table() -> tuple[dict[str, Kind], Callable[..., Callable[[_Hook], _Hook]]]:
    """An empty table, and the decorator that adds a row to it: the hook's specification is the row's place."""
    kinds: dict[str, Kind] = {}

    def kind(
        name: str,
        *,
        contract: str,
        named_in: str,
        loaded: str,
        suite: str,
        shipped: Mapping[str, str] | None = None,
        capabilities: frozenset[str] = frozenset(),
    ) -> Callable[[_Hook], _Hook]:
        def add(hook: _Hook) -> _Hook:
            group = f"corepilot.{name}s"
            kinds[name] = Kind(
                name, group, hook.__name__, contract, named_in, loaded, suite, shipped or {}, capabilities
            )
            setattr(hook, SPEC_MARK, True)
            return hook

        return add

    return kinds, kind
