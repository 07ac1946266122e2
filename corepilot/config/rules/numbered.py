"""What holds the number of a replica: options of a check, judged as the first one has them, and the port."""

from collections.abc import Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.rules.plugin_lookup import plugin_of
from corepilot.model.plugin import Options, PluginReference
from corepilot.model.replicas import numbered


def check_plugin(named: NamedPlugin, verdict: Verdict, host: Host, *, replicas: bool) -> PluginReference | None:
    """The plugin of a check, or None if it cannot be used.

    Args:
        named: The plugin's name and options.
        verdict: Takes what is wrong.
        host: The machine.
        replicas: Whether the check's job has replicas, so that texts hold `%i`.
    """
    if not replicas:
        return plugin_of("check", named, verdict, host)
    found = plugin_of("check", named._replace(options=_first(named.options)), verdict, host)
    return found and found.changed(options=_as_written(found.options, named.options))


def _first(value: Any) -> Any:
    if isinstance(value, str):
        return numbered(value, 1)
    if isinstance(value, Mapping):
        return {key: _first(one) for key, one in value.items()}
    return [_first(one) for one in value] if isinstance(value, list | tuple) else value


def _as_written(value: Any, written: Any) -> Any:
    if isinstance(value, Options) and isinstance(written, Mapping):
        return Options(tuple([(name, _as_written(one, written.get(name))) for name, one in value.items]))
    if isinstance(written, list) and isinstance(value, tuple) and len(value) == len(written):
        return tuple([_as_written(one, own) for one, own in zip(value, written, strict=True)])
    return written if isinstance(written, str) and value == numbered(written, 1) else value


def port_of_replicas(text: str, replicas: int, path: Path, verdict: Verdict) -> int:
    """The port of the first replica, of a text with `%i`; what cannot be the port of each of them is complained about.

    Args:
        text: As configured.
        replicas: How many there are; 0 for a job without any.
        path: Of the job.
        verdict: Where complaints go.
    """
    if not replicas and verdict.refuses((*path, "replicas")):
        return 1
    path = (*path, "port")
    if not replicas:
        rule, hint = "only a job with replicas has %i", "write a whole number, or add replicas"
        verdict.complain(path, Complaint("wrong-value", f"{shown(text)} is not a whole number: {rule}", hint))
        return 1
    for number in (1, replicas):  # the ports grow with the number
        port = numbered(text, number)
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            rule = f"{shown(port)}, the port of replica {number}, is not between 1 and 65535"
            hint = "write a text that is a port with the number of each replica in it, such as 80%i"
            verdict.complain(path, Complaint("wrong-value", rule, hint))
            return 1
    return int(numbered(text, 1))
