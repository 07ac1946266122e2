"""Where the configuration is looked for, if the command line does not say."""

from __future__ import annotations

import os

from corepilot.errors import ConfigError

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLES = ("COREPILOT", "CONTAINERPILOT")
PLACES = ("/etc/corepilot.json5", "/etc/containerpilot.json5")
HERE = "corepilot.json5"


class Located:
    """Where the configuration is.

    Attributes:
        locations: At least one; several are merged.
        paths_only: Whether they are paths whatever they look like, as ContainerPilot's are.
    """

    __slots__ = ("locations", "paths_only")

    def __init__(self, locations: tuple[str, ...], *, paths_only: bool = False) -> None:
        self.locations, self.paths_only = locations, paths_only


def locate(given: Sequence[str], environment: Mapping[str, str], *, pid_1: bool) -> Located:
    """The locations of the configuration.

    Args:
        given: What `-c` says, in its order. An empty one counts as not given.
        environment: For $COREPILOT and $CONTAINERPILOT, in this order; an empty one counts as not set.
        pid_1: Whether we are PID 1: the working directory of a container is the application's.

    Raises:
        ConfigError: there is none; names every place.
    """
    locations = tuple([one for one in given if one])
    if locations:
        return Located(locations)
    for name in VARIABLES:
        if environment.get(name):
            return Located((environment[name],), paths_only=name == "CONTAINERPILOT")
    places = PLACES if pid_1 else (*PLACES, HERE)
    for place in places:
        if os.path.lexists(place):
            return Located((place,))
    raise ConfigError(
        f"cannot find a configuration: $COREPILOT and $CONTAINERPILOT are not set, and there is no "
        f"{', no '.join(places)}; name one with -c FILE, or wrap a single command with: corepilot -- COMMAND"
    )
