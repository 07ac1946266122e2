"""Addresses and TLS in the options of plugins: one reading, and one set of errors, for all of them."""

from dataclasses import dataclass, fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepilot.http.origin import parse_origin
from corepilot.http.tls import TlsOptions
from corepilot.plugin import OptionError, option
from corepilot.plugin.network import NetworkAddress, TlsGroup, network_address, tls_option
from corepilot.plugin.options import fields_of
from corepilot.plugin.verify import assert_light

WEB = {"http": 80, "https": 443}


def read(text: str, **rules: object) -> NetworkAddress:
    given: dict[str, object] = {"example": "db:5432", **rules}
    return network_address("address", text, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "rules", "address", "shown"),
    [
        ("db:1", {}, NetworkAddress("", "db", 1), "db:1"),
        ("db", {"port": 5432}, NetworkAddress("", "db", 5432), "db:5432"),
        ("[::1]:1", {}, NetworkAddress("", "::1", 1), "[::1]:1"),
        ("[::1]", {"port": 5432}, NetworkAddress("", "::1", 5432), "[::1]:5432"),
        ("db", {"schemes": WEB, "scheme": "https"}, NetworkAddress("https", "db", 443), "https://db:443"),
        ("HTTP://db:07/", {"schemes": WEB}, NetworkAddress("http", "db", 7), "http://db:7"),
        ("unix:///run/x@1", {"unix": "/run/db"}, NetworkAddress("unix", "/run/x@1", 0), "unix:///run/x@1"),
        ("db:1", {"unix": "/run/db"}, NetworkAddress("", "db", 1), "db:1"),
    ],
)
def test_what_is_read(text: str, rules: dict[str, object], address: NetworkAddress, shown: str) -> None:
    found = read(text, **rules)
    assert (found, str(found)) == (address, shown)


@pytest.mark.parametrize(
    ("text", "rules", "rule"),
    [
        ("", {}, "the host is missing; write db:5432, for example"),
        (":1", {}, "the host is missing; write db:5432, for example"),
        ("db", {}, "the port is missing; write db:5432, for example"),
        ("db:0", {}, "a port is a number from 1 to 65535"),
        ("db:65536", {}, "a port is a number from 1 to 65535"),
        ("db:1/", {}, "an address is host:port, without a path"),
        ("db:1/a", {"schemes": WEB, "scheme": "http"}, "an address is host:port, without a path"),
        ("http://db:1", {}, "an address is host:port, without a path"),
        ("::1", {}, "an IPv6 address stands in brackets: [::1]:80"),
        ("d b:1", {}, "an address has no spaces and only ASCII characters"),
        ("me:s3cret@db:1", {}, "an address has no user name and no password"),
        ("me:s3cret@db:1", {"login": "use auth"}, "an address has no user name and no password; use auth"),
        ("db:1", {"schemes": WEB}, "an address starts with http:// or https://"),
        ("ftp://db:1", {"schemes": WEB}, "an address starts with http:// or https://"),
        ("ftp://db:1", {"schemes": WEB, "scheme": "http"}, "an address starts with http://, https:// or the host"),
        ("ftp://db:1", {"unix": "/run/db"}, "an address starts with unix:// or the host"),
        ("unix://db", {"unix": "/run/db"}, "a socket is given by its absolute path: unix:///run/db"),
        ("unix:///run/db", {"schemes": WEB}, "an address starts with http:// or https://"),
    ],
)
def test_what_is_refused(text: str, rules: dict[str, object], rule: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(text, **rules)
    assert (caught.value.name, str(caught.value)) == ("address", rule)


@given(st.text(alphabet="ahtps:/@[]?#0198 .ä\n") | st.text(), st.sampled_from(["", "http"]))
@example("http://a:1", "")
@example("[::1]", "http")
def test_what_is_accepted_reads_as_itself_and_the_client_takes_it(text: str, scheme: str) -> None:
    try:
        found = read(text, schemes=WEB, scheme=scheme, unix="/run/db")
    except OptionError:
        return
    assert read(str(found), schemes=WEB, unix="/run/db") == found
    parse_origin(str(found))


def test_an_option_of_the_group_keeps_its_meaning_with_a_variable_of_its_own() -> None:
    @dataclass(frozen=True)
    class Tls(TlsGroup):
        clientcert: str = tls_option("clientcert", env="DB_CERT", env_wins=True, example="/run/db.pem")
        enabled: bool = option(help="use TLS", default=False)

    plain = {field.name: field for field in fields_of(TlsGroup)}
    own = {field.name: field for field in fields_of(Tls)}
    assert [*own] == [*plain, "enabled"]
    info = own["clientcert"].info
    assert (info.env, info.env_wins, info.example) == ("DB_CERT", True, "/run/db.pem")
    assert (info.help, info.path, info.together_with) == (plain["clientcert"].info.help, "file", "clientkey")
    assert all(plain[name] == own[name] for name in plain if name != "clientcert")


def test_half_of_certificate_and_key_is_none_and_is_warned_about() -> None:
    both = TlsGroup(cafile="ca", clientcert="cert", clientkey="key", servername="db", verify=False)
    assert TlsOptions.of(both, ca_path="cas") == TlsOptions("ca", "cas", "cert", "key", "db", verify=False)
    assert not both.warning()
    for half in (TlsGroup(clientcert="cert"), TlsGroup(clientkey="key")):
        assert TlsOptions.of(half) == TlsOptions()
        assert "used only together" in half.warning()
    assert not TlsGroup().warning()
    assert {field.name for field in fields(TlsGroup)} == {"cafile", "clientcert", "clientkey", "servername", "verify"}


@pytest.mark.parametrize("module", ["corepilot.plugin", "corepilot.plugin.network"])
def test_it_is_light(module: str) -> None:
    assert_light(module)
