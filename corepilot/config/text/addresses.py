"""Which address a service is registered with: ContainerPilot contract, section 8.

`parse_spec` and `choose` are pure; `interface_addresses` asks the kernel, through getifaddrs(3). Differences from
ContainerPilot, as the contract asks: names of interfaces may hold `-`, `.`, `@` and `+`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
    from typing import Literal

DEFAULT_SPECS = ("eth0:inet", "inet")
"""What is tried where a configuration names nothing."""

_SHOWN_ADDRESSES = 16
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.@+")
_FORMS = "write inet, inet6, NAME, NAME:inet, NAME:inet6, NAME[0], 10.0.0.0/8 or static:192.0.2.1"


class AddressError(ValueError):
    """A specification that cannot be read, or none that matches, or a kernel that does not tell its addresses."""


class InterfaceAddress:
    """One address of one interface.

    Attributes:
        name: The interface, without the `:label` of an alias.
        ip: IPv4 or IPv6 in its usual short form. Without a `%scope`: the name says which link a link-local address
            belongs to, and the address goes to other machines, where this one's scopes mean nothing.
    """

    __slots__ = ("ip", "name")

    def __init__(self, name: str, ip: str) -> None:
        self.name = name
        self.ip = ip

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to this machine alone."""
        ip = _ip(self.ip)
        return ip is not None and ip.is_loopback

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InterfaceAddress):
            return NotImplemented
        return (self.name, self.ip) == (other.name, other.ip)

    def __hash__(self) -> int:
        return hash((self.name, self.ip))

    def __repr__(self) -> str:
        return f"InterfaceAddress({self.name!r}, {self.ip!r})"


class Spec:
    """One interface specification.

    Attributes:
        text: As it was written.
        kind: "family" (the first address of a family), "index", "network" or "static".
        name: The interface, or "" for any.
        family: 4 or 6, for "family".
        index: Which address, from 0, for "index".
        network: For "network".
        ip: For "static".
    """

    __slots__ = ("family", "index", "ip", "kind", "name", "network", "text")

    def __init__(
        self,
        text: str,
        kind: Literal["family", "index", "network", "static"],
        *,
        name: str = "",
        family: int = 4,
        index: int = 0,
        network: IPv4Network | IPv6Network | None = None,
        ip: str = "",
    ) -> None:
        self.text = text
        self.kind = kind
        self.name = name
        self.family = family
        self.index = index
        self.network = network
        self.ip = ip


def parse_spec(text: str) -> Spec:
    """Read one interface specification.

    Args:
        text: `inet`, `inet6`: the first address of that family of any interface, loopback addresses left out.
            `eth0`, `eth0:inet`, `eth0:inet6`: the first one of that interface. `eth0[1]`: its second address, IPv4 and
            IPv6 counted together. `10.0.0.0/8`, `fd00::/8`: the first address inside. `static:192.0.2.1`: that one,
            whether this machine has it or not.

    Raises:
        AddressError: None of these.
    """
    if text in ("inet", "inet6"):
        return Spec(text, "family", family=6 if text == "inet6" else 4)
    if text.startswith("static:"):
        ip = _ip(text.removeprefix("static:"))
        if ip is None:
            raise _unreadable(
                text, "what follows 'static:' is not an IP address", "write one, without a scope or a mask"
            )
        return Spec(text, "static", ip=str(ip))
    if "/" in text:
        return Spec(text, "network", network=_network(text))
    if _ip(text) is not None:
        hint = f"write static:{text} for this very address, or a network such as {text}/{128 if ':' in text else 32}"
        raise _unreadable(text, "it is an address without a mask", hint)
    name, colon, family = text.partition(":")
    index = ""
    if not colon and text.endswith("]"):
        name, _, index = text[:-1].partition("[")
        if not (index.isascii() and index.isdigit() and len(index) <= 9):
            raise _unreadable(text, "between the brackets there is no number from 0 on", f"write {name or 'eth0'}[0]")
    if not name or name in (".", "..") or not set(name) <= _NAME_CHARS:
        raise _unreadable(text, "it is none of the known forms", _FORMS)
    if index:
        return Spec(text, "index", name=name, index=int(index))
    if colon and family not in ("inet", "inet6"):
        raise _unreadable(text, "after ':' there is neither inet nor inet6", f"write {name}:inet or {name}:inet6")
    return Spec(text, "family", name=name, family=6 if family == "inet6" else 4)


def choose(specs: Sequence[Spec], addresses: Iterable[InterfaceAddress]) -> str:
    """Return the address that the first matching specification means, in its usual short form.

    Args:
        specs: Tried one after the other; `DEFAULT_SPECS` if empty.
        addresses: In the order of `interface_addresses`: of several that match one specification, the first is taken.

    Raises:
        AddressError: None matches. The message lists the addresses there are.
    """
    tried = specs or [parse_spec(text) for text in DEFAULT_SPECS]
    there = [(address.name, ip) for address in addresses if (ip := _ip(address.ip)) is not None]
    for spec in tried:
        if spec.kind == "static":
            return spec.ip
        found = _first(spec, there)
        if found is not None:
            return str(found)
    raise AddressError(_none_matches([spec.text for spec in tried], there))


def _first(spec: Spec, there: list[tuple[str, IPv4Address | IPv6Address]]) -> IPv4Address | IPv6Address | None:
    if spec.kind == "index":
        own = [ip for name, ip in there if name == spec.name]
        return own[spec.index] if spec.index < len(own) else None
    for name, ip in there:
        if spec.kind == "network":
            if spec.network is not None and ip in spec.network:
                return ip
        elif ip.version == spec.family and (name == spec.name if spec.name else not ip.is_loopback):
            return ip
    return None


def _none_matches(specs: list[str], there: list[tuple[str, IPv4Address | IPv6Address]]) -> str:
    shown = ", ".join(f"{name} {ip}" for name, ip in there[:_SHOWN_ADDRESSES])
    if len(there) > _SHOWN_ADDRESSES:
        shown += f" and {len(there) - _SHOWN_ADDRESSES} more"
    message = f"cannot choose an address: none of {', '.join(specs)} matches; this machine has {shown or 'no address'}"
    names = {name for name, _ in there}
    for spec in specs:
        short = spec.partition("@")[0]
        if "@" in spec and short in names:  # `ip addr` shows a veth as eth0@if7, and that is what gets copied
            return f"{message}; what ip(8) shows as {spec.partition(':')[0].partition('[')[0]!r} is called {short!r}"
    return message


def _unreadable(text: str, reason: str, hint: str) -> AddressError:
    shown = text if len(text) <= 40 else text[:40] + "…"
    return AddressError(f"cannot read interface specification {shown!r}: {reason}; {hint}")


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address without a scope. IPv4 inside IPv6 (::ffff:192.0.2.1) is IPv4, as in Go."""
    import ipaddress

    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return None if ip.scope_id is not None else ip.ipv4_mapped or ip
    return ip


def _network(text: str) -> IPv4Network | IPv6Network:
    import ipaddress

    address, _, mask = text.partition("/")
    ip = _ip(address)
    if ip is None or not (mask.isascii() and mask.isdigit() and len(mask) <= 3):
        raise _unreadable(text, "it is no network", "write one such as 10.0.0.0/8 or fd00::/8")
    bits = int(mask)
    if ":" in address and ip.version == 4:
        bits -= 96
    try:
        return ipaddress.ip_network((ip, bits), strict=False)
    except ValueError:
        raise _unreadable(text, f"the mask is not between 0 and {ip.max_prefixlen}", _FORMS) from None


def interface_addresses() -> list[InterfaceAddress]:
    """Return all IPv4 and IPv6 addresses of this network namespace, of interfaces that are down, too.

    Sorted by the interface's name, then by the 16 bytes of the address: IPv4 counts as ::ffff:a.b.c.d, so that ::1
    comes before 127.0.0.1. Of a point-to-point interface it is the local address. Does not block.

    Raises:
        AddressError: The kernel does not tell, for example because a sandbox forbids netlink sockets.
    """
    from corepilot.system.ifaddrs import packed_addresses

    try:
        found = packed_addresses()
    except OSError as error:
        raise AddressError(f"cannot list the addresses of this machine: getifaddrs: {error.strerror}") from error
    found.sort(key=lambda pair: (pair[0], pair[1] if len(pair[1]) == 16 else b"\0" * 10 + b"\xff\xff" + pair[1]))
    import ipaddress

    return [InterfaceAddress(name, str(ipaddress.ip_address(packed))) for name, packed in found]
