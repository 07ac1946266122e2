"""The catalogs of a configuration, opened by a command, without a running corepilot."""

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from corepilot.cli.check import load
from corepilot.cli.files import locate
from corepilot.config.diagnostics.problems import Problem
from corepilot.config.loading.exchange import LoadRequest
from corepilot.discovery.guarded import GuardedBackend
from corepilot.errors import ConfigError
from corepilot.model.configuration import Configuration
from corepilot.model.plugin import PluginReference
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


class Catalogs(NamedTuple):
    """The catalogs that a command may use.

    Attributes:
        configuration: What names them.
        faults: Why others that are named cannot be used here: one sentence each.
    """

    configuration: Configuration
    faults: tuple[str, ...]


def catalogs_of(arguments: CatalogArguments) -> Catalogs:
    """Load the configuration; with `--discovery` alone, one that names nothing else.

    Raises:
        ConfigError: there is none, or it cannot be used, or none of its catalogs.
    """
    environment = dict(arguments.environment)
    discovery = arguments.discovery or environment.get("COREPILOT_DISCOVERY") or None
    paths_only = False
    try:
        where = locate(arguments.config, environment, pid_1=False)
        locations, paths_only = where.locations, where.paths_only
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
        raise ConfigError(*[problem.sentence() for problem in result.problems if problem.is_error])
    faults = tuple([problem.sentence() for problem in result.problems if _unusable(problem)])
    if faults and not result.config.catalogs:
        raise ConfigError(*faults)
    return Catalogs(result.config, faults)


def _unusable(problem: Problem) -> bool:
    """Whether it leaves a catalog out, here: for a configuration that runs elsewhere it is a warning."""
    place = problem.path.partition(".")[0]
    return problem.code in {"plugin-missing", "plugin-broken", "env-missing", "bad-option"} and place in {
        "", "consul", "discovery",
    }  # fmt: skip


_NOTHING = "COREPILOT_NO_CONFIGURATION"


class Opener:
    """Makes clients of catalogs.

    Args:
        environment: What the command was given.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        from corepilot.plugin.manager import Plugins

        self._plugins, self._environment = Plugins(), environment

    def open(self, plugin: PluginReference) -> GuardedBackend:
        """A client. To be closed.

        Raises:
            PluginError: it cannot be used.
        """
        from corepilot.discovery.opening import opened
        from corepilot.plugin.boundary import Boundary

        loaded = self._plugins.load(plugin)
        return opened(loaded, Boundary(loaded, _say), self._environment)


def _say(level: str, message: str) -> None:
    if level in {"warning", "error"}:
        sys.stderr.write(f"corepilot: {escaped(message)}\n")
