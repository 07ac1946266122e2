"""Which plugins a configuration names, and where."""

from collections.abc import Iterator

from corepilot.model.configuration import Configuration
from corepilot.model.plugin import PluginReference


def plugins_named(config: Configuration) -> Iterator[tuple[str, str, PluginReference]]:
    """The key that names each plugin, its kind, and the plugin with its options."""
    for name, catalog in config.catalogs:
        yield catalog.name if name == catalog.name == "consul" else "discovery", "backend", catalog
    for index, sink in enumerate(config.telemetry.sinks if config.telemetry else ()):
        yield f"telemetry.sinks[{index}]", "sink", sink
    for index, observer in enumerate(config.observers):
        yield f"observers[{index}]", "observer", observer
    for job in config.jobs:
        for check in job.checks:
            if check.plugin is not None:
                yield f"{job.path}.health", "check", check.plugin
