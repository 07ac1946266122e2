"""The kernel's addresses against ip(8), in network namespaces of their own. Needs root and iproute2."""

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import json, sys
from corepilot.config.text.addresses import AddressError, choose, interface_addresses, parse_spec
addresses = interface_addresses()
choices = []
for spec in sys.argv[1:]:
    try:
        choices.append(choose([parse_spec(spec)], addresses))
    except AddressError:
        choices.append(None)
print(json.dumps({"addresses": [[address.name, address.ip] for address in addresses], "choices": choices}))
"""


def in_namespace(setup: list[str], *specs: str) -> tuple[dict[str, Any], list[list[str]]]:
    """Run `ip` commands in a new network namespace. Return what we find there, and what `ip -o addr` does."""
    script = "set -e\n" + "\n".join(setup) + '\n"$@"\nip -o addr\n'
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-c", PROGRAM, *specs]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    ours, *lines = run.stdout.splitlines()
    shown = [line.split() for line in lines]
    return json.loads(ours), sorted([words[1].partition("@")[0], words[3].partition("/")[0]] for words in shown)


def interface(name: str, *addresses: str) -> list[str]:
    """A veth, as containers have it, whose other end stays down."""
    return [
        f"ip link add {name} type veth peer name p-{name}",
        *(f"ip addr add {address} dev {name}" for address in addresses),
        f"ip link set {name} up",
    ]


def test_finds_what_ip_shows_in_the_order_of_the_contract() -> None:
    setup = [
        "ip link set lo up",
        *interface("eth0", "10.0.0.9/24", "10.0.0.10/24", "9.0.0.1/8", "fd00::9/64", "2001:db8::1/64"),
        *interface("br-1", "172.18.0.1/16"),
        *interface("eth0.10", "10.10.0.1/24"),
    ]
    specs = ["eth0", "eth0[3]", "eth0:inet6", "inet", "br-1", "eth0.10", "10.10.0.0/16", "lo:inet6", "eth7"]
    found, shown = in_namespace(setup, *specs)
    assert sorted(found["addresses"]) == shown
    without_link_local = [pair for pair in found["addresses"] if not pair[1].startswith("fe80:")]
    assert without_link_local == [
        ["br-1", "172.18.0.1"],
        ["eth0", "9.0.0.1"],
        ["eth0", "10.0.0.9"],
        ["eth0", "10.0.0.10"],
        ["eth0", "2001:db8::1"],
        ["eth0", "fd00::9"],
        ["eth0.10", "10.10.0.1"],
        ["lo", "::1"],
        ["lo", "127.0.0.1"],
    ]
    assert found["choices"] == [
        *("9.0.0.1", "2001:db8::1", "2001:db8::1", "172.18.0.1", "172.18.0.1", "10.10.0.1", "10.10.0.1", "::1", None),
    ]


def test_link_local_addresses_come_without_a_scope() -> None:
    found, shown = in_namespace(
        [*interface("eth0"), "ip addr add fe80::7/64 dev eth0"], "eth0:inet6", "inet6", "fe80::/10"
    )
    assert ["eth0", "fe80::7"] in found["addresses"]
    assert sorted(found["addresses"]) == shown
    assert all(ip.startswith("fe80:") and "%" not in ip for ip in found["choices"])


def test_an_alias_belongs_to_its_interface() -> None:
    found, _ = in_namespace([*interface("eth0", "10.0.0.1/24", "10.0.0.5/24 label eth0:web")], "eth0[1]", "10.0.0.5/32")
    assert found["choices"] == ["10.0.0.5", "10.0.0.5"]


def test_of_a_point_to_point_interface_the_local_address_counts() -> None:
    found, shown = in_namespace(interface("tun0", "10.8.0.2 peer 10.8.0.1"), "tun0")
    assert found["choices"] == ["10.8.0.2"]
    assert ["tun0", "10.8.0.2"] in shown


def test_interfaces_that_are_down_count() -> None:
    setup = ["ip link add eth0 type veth", "ip addr add 10.0.0.1/24 dev eth0"]
    assert in_namespace(setup, "eth0")[0] == {"addresses": [["eth0", "10.0.0.1"]], "choices": ["10.0.0.1"]}


def test_a_namespace_without_addresses_has_none() -> None:
    assert in_namespace([], "inet") == ({"addresses": [], "choices": [None]}, [])
