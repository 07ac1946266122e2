"""Services of version 2: the keys of a job that is advertised."""

from corepilot.migrate.layout import Piece, nested
from corepilot.migrate.names import service_name
from corepilot.migrate.outline import OutlineNode
from corepilot.migrate.reading import Version2File

KNOWN = ("name", "port", "health", "interfaces", "poll", "ttl", "tags", "timeout", "consul")
_NO_LIMIT = frozenset(("", "0", "0s", "0ms", 0))


def limit(old: Version2File, element: OutlineNode) -> list[Piece]:
    """The key `timeout` of a command, where version 2 has a limit: it takes none, an empty one and zero as no limit."""
    value = old.one(element, "timeout")
    if value is None or old.meaning(value) in _NO_LIMIT:
        return []
    return old.copies(element, "timeout")


def advertised(old: Version2File, element: OutlineNode) -> list[Piece]:
    """The keys of a job for a service: name, port, health and the rest."""
    conditions = old.conditions(element)
    level = len(conditions)
    name, remarks = service_name(old, element, "what looks for this service has to change as well")
    health = [
        *old.missing(element, "poll=interval", "ttl"),
        *old.copies(element, "health", "exec"),
        *old.copies(element, "poll", "interval"),
        *old.copies(element, "ttl"),
    ]
    if old.one(element, "health") is not None:
        # Version 2 waits for a check for as long as it takes; the default of version 3 is its interval.
        health += limit(old, element) or [Piece(conditions, ['timeout: "0",'])]
    return [
        Piece(conditions, [*remarks, f'name: "{name}",']),
        *old.missing(element, "port"),
        *old.copies(element, "port"),
        *old.copies(element, "interfaces"),
        *old.copies(element, "tags", listed=True),
        *old.copies(element, "consul"),
        Piece(conditions, nested("health: ", health, "{}", level)),
        *old.strangers(element, KNOWN),
    ]


def is_plain(old: Version2File, element: OutlineNode) -> bool:
    """Whether a service is there whatever the template does, so that the main program's job can be it."""
    name = old.one(element, "name")
    return not old.conditions(element) and name is not None and not old.conditions(name)
