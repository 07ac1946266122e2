"""Where the configuration is looked for, if the command line does not say."""

import os
from collections.abc import Mapping

from corepilot.errors import ConfigError

VARIABLES = ("COREPILOT", "CONTAINERPILOT")
PLACES = ("/etc/corepilot.json5", "/etc/containerpilot.json5")
HERE = "corepilot.json5"


def locate(given: str | None, environment: Mapping[str, str], *, pid_1: bool) -> str:
    """The location of the configuration: a path, or a `file://` URL.

    Args:
        given: What `-c` says.
        environment: For $COREPILOT and $CONTAINERPILOT, in this order; an empty one counts as not set.
        pid_1: Whether we are PID 1: the working directory of a container is the application's.

    Raises:
        ConfigError: there is none; names every place.
    """
    if given:
        return given
    for name in VARIABLES:
        if environment.get(name):
            return environment[name]
    places = PLACES if pid_1 else (*PLACES, HERE)
    for place in places:
        if os.path.lexists(place):
            return place
    raise ConfigError(
        f"cannot find a configuration: $COREPILOT and $CONTAINERPILOT are not set, and there is no "
        f"{', no '.join(places)}; name one with -c FILE, or wrap a single command with: corepilot -- COMMAND"
    )
