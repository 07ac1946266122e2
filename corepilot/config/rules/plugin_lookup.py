"""Finds the plugins that a configuration names; what does it is imported only for a configuration that names one."""

from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.model.plugin import PluginReference


def plugin_of(kind: str, named: NamedPlugin, verdict: Verdict, host: Host) -> PluginReference | None:
    """See `corepilot.config.rules.named_plugins.plugin_of`."""
    from corepilot.config.rules import named_plugins

    return named_plugins.plugin_of(kind, named, verdict, host)
