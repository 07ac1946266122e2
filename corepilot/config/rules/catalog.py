"""Which catalogs a configuration means: `discovery`, its short form `consul`, or `--discovery` in the place of both.

`discovery` is one backend, and its catalog then is called as the backend; or a map of them by names of your own, and
then `consul` beside it is the catalog of that name.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

from corepilot.config.diagnostics.complaints import Complaint, shown
from corepilot.config.diagnostics.source_map import Path
from corepilot.config.diagnostics.verdict import Verdict
from corepilot.config.rules.host import Host
from corepilot.config.rules.naming import NamedPlugin
from corepilot.config.rules.plugin_lookup import plugin_of
from corepilot.config.schema.names import CATALOG_HINT, is_catalog_name
from corepilot.config.text.option_texts import put_option
from corepilot.model.plugin import PluginReference

WAY_OUT = 'name one: discovery: "embedded" in the file, or --discovery embedded; it needs no server'
_FORM = 'write a backend\'s name, or an object such as { backend: "embedded" }, or false for none'
_WRITTEN = {
    "consul": 'consul: { address: "HOST:8500" }',
    "embedded": 'embedded: { path: "/run/catalog" }',
    "etcd": 'etcd: { endpoints: ["http://HOST:2379"] }',
    "zookeeper": 'zookeeper: { hosts: "HOST:2181" }',
}
"""How our backends say where they are, for who has given that alone."""

_CONSUL_FORM = "write the address of a Consul agent, an object of its options, or false for none"


class NamedCatalogs:
    """The catalogs a configuration names.

    Attributes:
        plugins: Name and backend of each, in the order of the file; None for a backend that cannot be used here.
        declined: Whether it was said that there shall be none.
        misread: Whether what names them cannot be read, and has been refused.
    """

    __slots__ = ("declined", "misread", "plugins")

    def __init__(
        self,
        plugins: Mapping[str, PluginReference | None] | None = None,
        *,
        declined: bool = False,
        misread: bool = False,
    ) -> None:
        self.plugins = dict(plugins or {})
        self.declined = declined
        self.misread = misread

    @property
    def named(self) -> bool:
        """Whether there is one, be it installed or not."""
        return self.misread or bool(self.plugins)

    @property
    def usable(self) -> tuple[tuple[str, PluginReference], ...]:
        """Those with a backend that can be used."""
        return tuple([(name, plugin) for name, plugin in self.plugins.items() if plugin is not None])

    def with_capability(self, capability: str) -> tuple[str, ...]:
        """The names of the catalogs that can do something. One that cannot be used here is taken to be able to."""
        return tuple(
            [name for name, plugin in self.plugins.items() if plugin is None or capability in plugin.capabilities]
        )


def catalogs_of(data: Mapping[str, Any], override: str | None, verdict: Verdict, host: Host) -> NamedCatalogs:
    """The catalogs of a configuration.

    Args:
        data: The valid part of the configuration.
        override: The text of `--discovery` or `$COREPILOT_DISCOVERY`, if there is one.
        verdict: Takes what is wrong.
        host: The machine.
    """
    consul, discovery = data.get("consul"), data.get("discovery")
    if consul is not None and discovery is not None and not _is_map(discovery):
        rule = "consul is given as well, and it is the short form for discovery with the backend consul"
        hint = "leave one of them out, or name both in discovery: { consul: …, other: … }"
        verdict.complain(("discovery",), Complaint("two-catalogs", rule, hint, key=True))
    if override:
        if override == "none":
            return NamedCatalogs(declined=True)
        return _named({"": _overriding(override, verdict)}, verdict, host)
    if _is_map(discovery):
        wanted = _mapped(discovery, verdict)
        if consul is not None and consul is not False:
            if "consul" in wanted:
                complaint = Complaint(
                    "two-catalogs", "consul names the same catalog", "leave one of them out", key=True
                )
                verdict.complain(("discovery", "consul"), complaint)
            wanted["consul"] = _consul(consul, verdict)
        return _named(wanted, verdict, host)
    one = _consul(consul, verdict) if discovery is None else _discovery(discovery, ("discovery",), verdict)
    if one is None and False in (consul, discovery):
        return NamedCatalogs(declined=True)
    return _named({} if consul is None and discovery is None else {"": one}, verdict, host)


def _named(wanted: Mapping[str, NamedPlugin | None], verdict: Verdict, host: Host) -> NamedCatalogs:
    """Find the plugins. What cannot be read has been refused: watches need not be refused as well."""
    found = {
        name or named.name: plugin_of("backend", named, verdict, host)
        for name, named in wanted.items()
        if named is not None
    }
    return NamedCatalogs(found, misread=None in wanted.values())


def _is_map(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether `discovery` names several catalogs, and not one backend with its options."""
    if not isinstance(value, dict) or not value or any(key.lower() == "backend" for key in value):
        return False
    return all(isinstance(one, dict) or one is False for one in value.values())


def _mapped(value: Mapping[str, Any], verdict: Verdict) -> dict[str, NamedPlugin | None]:
    """The catalogs of a map. One that does not say which backend it has is called as its backend."""
    found: dict[str, NamedPlugin | None] = {}
    for name, one in value.items():
        path: Path = ("discovery", name)
        if not is_catalog_name(name):
            complaint = Complaint("bad-name", f"{shown(name)} cannot be the name of a catalog", CATALOG_HINT, key=True)
            verdict.complain(path, complaint)
        elif one is False:
            continue
        elif isinstance(one, dict) and "backend" not in {key.lower() for key in one}:
            found[name] = NamedPlugin(name, one, path, path, inside=True)
        else:
            found[name] = _discovery(one, path, verdict)
    return found


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


def _discovery(value: Any, path: Path, verdict: Verdict) -> NamedPlugin | None:
    if isinstance(value, str) and value:
        return NamedPlugin(value, {}, path, path)
    if isinstance(value, dict):
        key = "backend" if "backend" in value else next((one for one in value if one.lower() == "backend"), "backend")
        options = {name: one for name, one in value.items() if name != key}
        name = value.get(key)
        bare = [one for one in options if name is None and one in _WRITTEN and isinstance(options[one], str | list)]
        for one in bare:
            rule = f"{shown(options[one])} is not an object of options"
            verdict.complain((*path, one), Complaint("wrong-type", rule, f"write {_WRITTEN[one]}"))
        if bare:
            return None
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
    name, _, rest = text.partition(":")
    if "," in name or "=" in name:
        rest, name = "", ""
    options: dict[str, Any] = {}
    last: tuple[dict[str, Any], str] | None = None
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if equals and key:
            last = put_option(options, key, value)
        elif last is not None:
            last[0][last[1]] += f",{part}"
        else:
            name = ""
            break
    if not name:
        # What stands behind the colon, or a comma in its place, may be a token.
        start = shown(text.replace(",", ":").replace("=", ":").partition(":")[0])
        message = f"cannot use --discovery or $COREPILOT_DISCOVERY: {start} is not followed by options"
        hint = "write NAME, NAME:OPTION=VALUE,OPTION=VALUE, or none"
        verdict.add(verdict.source_map.nowhere("bad-discovery", message, hint))
        return None
    return NamedPlugin(name, options, None, None, texts=True)
