"""Which catalog a configuration means: `discovery`, its short form `consul`, or `--discovery` in the place of both."""

from collections.abc import Mapping
from typing import Any

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.named_plugins import NamedPlugin, plugin_of
from corepilot.model.plugin import PluginReference

WAY_OUT = 'name one: discovery: "embedded" in the file, or --discovery embedded; it needs no server'
_FORM = 'write a backend\'s name, or an object such as { backend: "embedded" }, or false for none'
_CONSUL_FORM = "write the address of a Consul agent, an object of its options, or false for none"


class NamedCatalog:
    """The catalog a configuration names.

    Attributes:
        plugin: The backend, or None.
        named: Whether there is one, be it installed or not.
        declined: Whether it was said that there shall be none.
    """

    __slots__ = ("declined", "named", "plugin")

    def __init__(self, plugin: PluginReference | None = None, *, named: bool = False, declined: bool = False) -> None:
        self.plugin = plugin
        self.named = named
        self.declined = declined


def catalog_of(data: Mapping[str, Any], override: str | None, verdict: Verdict, host: Host) -> NamedCatalog:
    """The catalog of a configuration.

    Args:
        data: The valid part of the configuration.
        override: The text of `--discovery` or `$COREPILOT_DISCOVERY`, if there is one.
        verdict: Takes what is wrong.
        host: The machine.
    """
    consul, discovery = data.get("consul"), data.get("discovery")
    if consul is not None and discovery is not None:
        rule = "consul is given as well, and it is the short form for discovery with the backend consul"
        verdict.complain(("discovery",), Complaint("two-catalogs", rule, "leave one of them out", key=True))
    wanted: NamedPlugin | None
    if override:
        wanted = _overriding(override, verdict)
    elif discovery is not None:
        wanted = _discovery(discovery, verdict)
    else:
        wanted = _consul(consul, verdict)
    if wanted is None:
        off = override == "none" if override else False in (consul, discovery)
        # What cannot be read has been refused; watches need not be refused as well.
        misread = not off and bool(override or consul is not None or discovery is not None)
        return NamedCatalog(named=misread, declined=off)
    return NamedCatalog(plugin_of("backend", wanted, verdict, host), named=True)


def consul_options(value: str) -> dict[str, Any]:
    """The options of the backend `consul` for the short form in a text (ContainerPilot contract, section 3.4).

    One leading `http://` or `https://` is the scheme; without one it is http, whatever CONSUL_HTTP_SSL says.
    """
    for scheme in ("http", "https"):
        if value.startswith(f"{scheme}://"):
            return {"address": value.removeprefix(f"{scheme}://"), "scheme": scheme}
    return {"address": value, "scheme": "http"}


def _consul(value: Any, verdict: Verdict) -> NamedPlugin | None:
    path: Path = ("consul",)
    if isinstance(value, str):
        options = _with_host(consul_options(value), path, verdict)
        return NamedPlugin("consul", options, path, path, spared=_spared(options))
    if isinstance(value, dict):
        options = _with_host(value, (*path, "address"), verdict)
        return NamedPlugin("consul", options, path, path, inside=True, spared=_spared(options))
    if value is not None and value is not False:
        verdict.complain(path, Complaint("bad-discovery", f"{shown(value)} names no catalog", _CONSUL_FORM))
    return None


def _spared(options: dict[str, Any]) -> tuple[str, ...]:
    """The options that ContainerPilot does not check, but for the scheme within an address (contract, section 3.4).

    Its jobs run with an address that no agent can have, and each call fails. Here they run without a catalog.
    """
    address = next((value for key, value in options.items() if key.lower() == "address"), "")
    scheme, found, _ = str(address).partition("://")
    return ("scheme",) if found and scheme not in {"http", "https", "unix"} else ("address", "scheme")


def _with_host(options: dict[str, Any], path: Path, verdict: Verdict) -> dict[str, Any]:
    """The options with the host that an address without one means: this machine, as where Go dials `:8500`.

    Real files say `"{{ .CONSUL }}:8500"`, and are used without the variable.
    """
    key = next((key for key in options if key.lower() == "address"), "address")
    address = options.get(key)
    if not isinstance(address, str) or address[:1] != ":" or not address[1:].removesuffix("/").isdecimal():
        return options
    meant = f"127.0.0.1{address}"
    verdict.warn(path, "no-host", f"the host is missing; {meant} is used", "write the host of the agent")
    return {**options, key: meant}


def _discovery(value: Any, verdict: Verdict) -> NamedPlugin | None:
    path: Path = ("discovery",)
    if isinstance(value, str) and value:
        return NamedPlugin(value, {}, path, path)
    if isinstance(value, dict):
        key = "backend" if "backend" in value else next((one for one in value if one.lower() == "backend"), "backend")
        options = {name: one for name, one in value.items() if name != key}
        name = value.get(key)
        if isinstance(name, str) and name:
            return NamedPlugin(name, options, (*path, "backend"), path, inside=True)
        if name is None:
            complaint = Complaint("missing-key", "it does not name a backend", 'add backend: "embedded"')
            verdict.complain(path, complaint)
        else:
            complaint = Complaint("wrong-type", f"{shown(name)} is not a backend's name", "write a name in quotes")
            verdict.complain((*path, "backend"), complaint)
    elif value is not False:
        verdict.complain(path, Complaint("bad-discovery", f"{shown(value)} names no catalog", _FORM))
    return None


def _overriding(text: str, verdict: Verdict) -> NamedPlugin | None:
    """Read `NAME[:OPTION=VALUE[,OPTION=VALUE]]`. A part without `=` belongs to the value before it."""
    if text == "none":
        return None
    name, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    last: tuple[dict[str, Any], str] | None = None
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if equals and key:
            place = options
            *outer, key = key.split(".")
            for one in outer:
                below = place.setdefault(one, {})
                place = below if isinstance(below, dict) else {}
            place[key] = value
            last = (place, key)
        elif last is not None:
            last[0][last[1]] += f",{part}"
        else:
            name = ""
            break
    if not name:
        # What stands behind the colon may be a token.
        start = shown(text.partition(":")[0])
        message = f"cannot use --discovery or $COREPILOT_DISCOVERY: {start} is not followed by options"
        hint = "write NAME, NAME:OPTION=VALUE,OPTION=VALUE, or none"
        verdict.add(verdict.source_map.nowhere("bad-discovery", message, hint))
        return None
    return NamedPlugin(name, options, None, None, texts=True)
