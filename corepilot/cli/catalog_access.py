"""The catalogs of a configuration, opened by a command, without a running corepilot."""

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from corepilot.cli.check import load
from corepilot.cli.files import locate
from corepilot.config.loading.exchange import LoadRequest
from corepilot.discovery.guarded import GuardedBackend
from corepilot.errors import ConfigError
from corepilot.model.configuration import Configuration
from corepilot.wording.escaping import escaped


class CatalogArguments(Protocol):
    """What names the catalogs.

    Attributes:
        config: The locations of `-c`.
        discovery: The catalog to use instead of the file's, or None.
        environment: The environment of the command.
    """

    config: list[str]
    discovery: str | None
    environment: Mapping[str, str]


class OpenCatalog(NamedTuple):
    """One of them.

    Attributes:
        name: What the configuration calls it.
        backend: A client of it. To be closed.
    """

    name: str
    backend: GuardedBackend


def configuration_of(arguments: CatalogArguments) -> Configuration:
    """Load the configuration; with `--discovery` alone, one that names nothing else.

    Raises:
        ConfigError: there is none, or it cannot be used; the message has what is wrong.
    """
    environment = dict(arguments.environment)
    discovery = arguments.discovery or environment.get("COREPILOT_DISCOVERY") or None
    paths_only = False
    try:
        locations, paths_only = locate(arguments.config, environment, pid_1=False)
    except ConfigError:
        if not discovery:
            raise
        environment[_NOTHING] = "{}"
        locations = (f"env:{_NOTHING}",)
    request = LoadRequest(
        locations=locations,
        environment=environment,
        discovery=discovery,
        judge_machine=False,
        hostname=os.uname().nodename,
        paths_only=paths_only,
    )
    result = load(request)
    if result.config is None:
        raise ConfigError("\n".join([problem.sentence() for problem in result.problems if problem.is_error]))
    return result.config


_NOTHING = "COREPILOT_NO_CONFIGURATION"


def open_catalogs(configuration: Configuration, environment: Mapping[str, str]) -> list[OpenCatalog]:
    """A client of each catalog.

    Raises:
        ConfigError: the configuration names none.
        PluginError: one cannot be used.
    """
    from corepilot.discovery.opening import opened
    from corepilot.plugin.boundary import Boundary
    from corepilot.plugin.manager import Plugins

    if not configuration.catalogs:
        raise ConfigError("cannot ask a catalog: the configuration names none; name one with --discovery")
    plugins = Plugins()
    found = []
    for name, plugin in configuration.catalogs:
        loaded = plugins.load(plugin)
        found.append(OpenCatalog(name, opened(loaded, Boundary(loaded, _say), environment)))
    return found


def _say(level: str, message: str) -> None:
    if level in {"warning", "error"}:
        sys.stderr.write(f"corepilot: {escaped(message)}\n")
