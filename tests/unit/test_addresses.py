import subprocess
import sys
from pathlib import Path

import pytest

from corepilot.config.text.addresses import (
    DEFAULT_SPECS,
    AddressError,
    InterfaceAddress,
    choose,
    interface_addresses,
    parse_spec,
)

# In the order that `interface_addresses` gives.
HOST = [
    InterfaceAddress(name, ip)
    for name, ip in (
        ("br-1", "172.18.0.1"),
        ("docker0", "172.17.0.1"),
        ("docker0", "fe80::42:1"),
        ("eth0", "10.0.0.2"),
        ("eth0", "10.0.0.3"),
        ("eth0", "192.168.1.7"),
        ("eth0", "fd00::7"),
        ("eth0", "fe80::7"),
        ("eth0.10", "10.10.0.1"),
        ("lo", "::1"),
        ("lo", "127.0.0.1"),
        ("tun0", "fd00:1::9"),
    )
]


def choice(*specs: str) -> str:
    return choose([parse_spec(spec) for spec in specs], HOST)


@pytest.mark.parametrize(
    ("spec", "ip"),
    [
        ("inet", "172.18.0.1"),
        ("inet6", "fe80::42:1"),
        ("eth0", "10.0.0.2"),
        ("eth0:inet", "10.0.0.2"),
        ("eth0:inet6", "fd00::7"),
        ("eth0[0]", "10.0.0.2"),
        ("eth0[2]", "192.168.1.7"),
        ("eth0[3]", "fd00::7"),
        ("lo", "127.0.0.1"),
        ("lo:inet6", "::1"),
        ("lo[0]", "::1"),
        ("tun0:inet6", "fd00:1::9"),
        ("br-1", "172.18.0.1"),
        ("eth0.10", "10.10.0.1"),
        ("eth0.10:inet", "10.10.0.1"),
        ("eth0.10[0]", "10.10.0.1"),
        ("192.168.0.0/16", "192.168.1.7"),
        ("192.168.1.99/16", "192.168.1.7"),
        ("192.168.1.7/32", "192.168.1.7"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("0.0.0.0/0", "172.18.0.1"),
        ("::/0", "fe80::42:1"),
        ("fd00::/16", "fd00::7"),
        ("::ffff:192.168.0.0/112", "192.168.1.7"),
        ("static:192.0.2.1", "192.0.2.1"),
        ("static:2001:DB8:0::1", "2001:db8::1"),
        ("static:::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_one_specification(spec: str, ip: str) -> None:
    assert choice(spec) == ip


def test_the_first_specification_that_matches_wins() -> None:
    assert choice("eth9", "fd00:1::/32", "static:192.0.2.1") == "fd00:1::9"
    assert choice("static:192.0.2.1", "inet") == "192.0.2.1"
    assert choice("eth0[9]", "10.99.0.0/16", "lo") == "127.0.0.1"


def test_without_specifications_the_default_is_eth0_then_anything() -> None:
    assert DEFAULT_SPECS == ("eth0:inet", "inet")
    assert choose([], HOST) == "10.0.0.2"
    assert choose([], [address for address in HOST if address.name != "eth0"]) == "172.18.0.1"


def test_a_static_address_needs_no_addresses() -> None:
    assert choose([parse_spec("static:192.0.2.1")], []) == "192.0.2.1"


def test_mapped_addresses_of_interfaces_are_ipv4() -> None:
    assert choose([parse_spec("inet")], [InterfaceAddress("eth0", "::ffff:192.0.2.7")]) == "192.0.2.7"


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["eth1"], "cannot choose an address: none of eth1 matches; this machine has {there}"),
        (["tun0", "wg0:inet6"], "cannot choose an address: none of tun0, wg0:inet6 matches; this machine has {there}"),
        (
            ["eth0@if7"],
            (
                "cannot choose an address: none of eth0@if7 matches; this machine has {there}; "
                "what ip(8) shows as 'eth0@if7' is called 'eth0'"
            ),
        ),
    ],
)
def test_no_match_lists_what_there_is(specs: list[str], message: str) -> None:
    there = ", ".join(f"{address.name} {address.ip}" for address in HOST)
    with pytest.raises(AddressError) as caught:
        choice(*specs)
    assert str(caught.value) == message.format(there=there)


def test_no_match_stays_short() -> None:
    with pytest.raises(AddressError, match=r"this machine has no address$"):
        choose([], [])
    many = [InterfaceAddress(f"veth{number}", "fe80::1") for number in range(1000)]
    with pytest.raises(AddressError, match=r"veth15 fe80::1 and 984 more$"):
        choose([], many)


FORMS = "write inet, inet6, NAME, NAME:inet, NAME:inet6, NAME[0], 10.0.0.0/8 or static:192.0.2.1"
NO_MASK = "it is an address without a mask"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", f"it is none of the known forms; {FORMS}"),
        ("!", f"it is none of the known forms; {FORMS}"),
        ("eth 0", f"it is none of the known forms; {FORMS}"),
        ("..", f"it is none of the known forms; {FORMS}"),
        (":inet", f"it is none of the known forms; {FORMS}"),
        ("ethernet0:inet:inet", "after ':' there is neither inet nor inet6; write ethernet0:inet or ethernet0:inet6"),
        ("eth0:inet5", "after ':' there is neither inet nor inet6; write eth0:inet or eth0:inet6"),
        ("eth0:", "after ':' there is neither inet nor inet6; write eth0:inet or eth0:inet6"),
        ("eth0[-1]", "between the brackets there is no number from 0 on; write eth0[0]"),
        ("eth0[]", "between the brackets there is no number from 0 on; write eth0[0]"),
        ("eth0[\u0661]", "between the brackets there is no number from 0 on; write eth0[0]"),
        ("eth0[0]:inet", f"it is none of the known forms; {FORMS}"),
        (
            "127.0.0.1",
            f"{NO_MASK}; write static:127.0.0.1 for this very address, or a network such as 127.0.0.1/32",
        ),
        (
            "fd00::1",
            f"{NO_MASK}; write static:fd00::1 for this very address, or a network such as fd00::1/128",
        ),
        ("10.0.0/8", "it is no network; write one such as 10.0.0.0/8 or fd00::/8"),
        ("10.0.0.0/", "it is no network; write one such as 10.0.0.0/8 or fd00::/8"),
        ("10.0.0.0/255.0.0.0", "it is no network; write one such as 10.0.0.0/8 or fd00::/8"),
        ("10.0.0.0/33", f"the mask is not between 0 and 32; {FORMS}"),
        ("fd00::/129", f"the mask is not between 0 and 128; {FORMS}"),
        ("static:", "what follows 'static:' is not an IP address; write one, without a scope or a mask"),
        ("static:abcdef", "what follows 'static:' is not an IP address; write one, without a scope or a mask"),
        ("static:1234", "what follows 'static:' is not an IP address; write one, without a scope or a mask"),
        ("static:fe80::1%eth0", "what follows 'static:' is not an IP address; write one, without a scope or a mask"),
        ("static:10.0.0.1/8", "what follows 'static:' is not an IP address; write one, without a scope or a mask"),
    ],
)
def test_unreadable_specifications(spec: str, reason: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_spec(spec)
    assert str(caught.value) == f"cannot read interface specification {spec!r}: {reason}"


def test_this_machine_has_a_loopback_address_and_a_sorted_list() -> None:
    found = interface_addresses()
    assert InterfaceAddress("lo", "127.0.0.1") in found
    assert [address.name for address in found] == sorted(address.name for address in found)


def test_a_kernel_that_does_not_tell_is_an_address_error() -> None:
    # getifaddrs(3) needs a descriptor for its netlink socket.
    script = """
import ctypes, ipaddress, resource
import corepilot.system.ifaddrs
from corepilot.config.text.addresses import AddressError, interface_addresses
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    interface_addresses()
except AddressError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout == "cannot list the addresses of this machine: getifaddrs: Too many open files\n"


def test_addresses_compare_by_value() -> None:
    assert HOST[0] == InterfaceAddress("br-1", "172.18.0.1")
    assert HOST[0] != InterfaceAddress("br-1", "172.18.0.2")
    assert HOST[0] != "172.18.0.1"
    assert len({HOST[0], InterfaceAddress("br-1", "172.18.0.1")}) == 1
    assert repr(HOST[0]) == "InterfaceAddress('br-1', '172.18.0.1')"


def test_imports_nothing_until_it_is_used() -> None:
    heavy = ["ctypes", "socket", "ipaddress", "typing", "re", "corepilot.system.ifaddrs"]
    script = f"import sys; import corepilot.config.text.addresses; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout == "[]\n"
