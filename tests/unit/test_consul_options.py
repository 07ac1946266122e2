"""What may be said of Consul: ContainerPilot's rules for addresses (its contract, section 3.4), and what we refuse."""

from dataclasses import replace

import pytest
from corepilot_consul.locks import LONGEST_TTL_S, SHORTEST_TTL_S
from corepilot_consul.plugin import CAPABILITIES, LOCK_TTL_S, Options, Tls

from corepilot.config.schema.options import judge
from corepilot.http.origin import parse_origin
from corepilot.plugin import OptionError
from corepilot.plugin.options import build, fields_of


@pytest.mark.parametrize(
    ("address", "scheme", "origin"),
    [
        ("", "", "http://127.0.0.1:8500"),
        ("localhost:8500", "", "http://localhost:8500"),
        ("http://localhost:8500", "", "http://localhost:8500"),
        ("https://localhost:8501", "", "https://localhost:8501"),
        ("consul", "", "http://consul:80"),
        ("https://consul", "", "https://consul:443"),
        ("consul:8500/", "", "http://consul:8500"),
        ("HTTPS://consul:1", "", "https://consul:1"),
        ("[::1]:8500", "", "http://[::1]:8500"),
        ("https://[2001:db8::1]", "", "https://[2001:db8::1]:443"),
        ("unix:///run/consul.sock", "", "unix:///run/consul.sock"),
        ("consul:8501", "https", "https://consul:8501"),
        ("", "HTTPS", "https://127.0.0.1:8500"),
        ("http://consul:8500", "https", "http://consul:8500"),  # the prefix wins
        ("https://consul:8500", "http", "https://consul:8500"),
        ("consul_server.internal:08500", "", "http://consul_server.internal:8500"),
    ],
)
def test_addresses(address: str, scheme: str, origin: str) -> None:
    options = Options(address=address, scheme=scheme)
    assert options.origin == origin
    parse_origin(origin)  # the client takes it


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("ftp://consul:8500", "starts with http://"),
        ("http://http://consul", "host:port, without a path"),
        ("consul:port", "a port is a number"),
        ("consul:0", "a port is a number"),
        ("consul:65536", "a port is a number"),
        ("consul:-1", "a port is a number"),
        ("consul:٣", "only ASCII"),
        (":8500", "the host is missing"),
        ("http://", "the host is missing"),
        ("::1", "in brackets"),
        ("[::1", "in brackets"),
        ("[::1]8500", "in brackets"),
        ("consul:8500/v1", "without a path"),
        ("consul:8500?token=x", "without a path"),
        ("con sul:8500", "no spaces"),
        ("consul\n:8500", "no spaces"),
        ("cönsul:8500", "only ASCII"),
        ("unix://run/consul.sock", "absolute path"),
        ("unix://", "absolute path"),
    ],
)
def test_addresses_that_are_refused(address: str, rule: str) -> None:
    with pytest.raises(OptionError, match=rule) as caught:
        Options(address=address)
    assert caught.value.name == "address"


def test_the_light_module_and_the_locks_have_the_same_limits() -> None:
    assert (SHORTEST_TTL_S, LONGEST_TTL_S) == LOCK_TTL_S


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(OptionError) as caught:
        Options(address="http://me:s3cret@consul:8500")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "scheme"),
    [
        ("true", "https"),
        ("T", "https"),
        ("1", "https"),
        ("False", "http"),
        ("f", "http"),
        ("0", "http"),
        ("yes", "http"),
    ],
)
def test_the_variable_for_the_scheme_says_true_or_false(word: str, scheme: str) -> None:
    """Contract, section 1.3; Consul's own client ignores every other word, too."""
    judged = judge(Options, {}, {"CONSUL_HTTP_SSL": word})
    assert judged.options is not None
    assert judged.options.plain()["scheme"] == scheme
    assert [complaint.code for _, complaint in judged.ignored] == (["env-ignored"] if word == "yes" else [])
    # What the file says beats it, in its own words.
    assert (
        judge(Options, {"scheme": "http"}, {"CONSUL_HTTP_SSL": "true"}).options
        == judge(Options, {"scheme": "http"}, {}).options
    )
    assert judge(Options, {"scheme": "true"}, {}).options is None


def test_a_scheme_that_is_none() -> None:
    with pytest.raises(OptionError, match="http or https") as caught:
        Options(scheme="gopher")
    assert caught.value.name == "scheme"


@pytest.mark.parametrize("token", ["a b", "a\n", "\ta", "tökén", "a\x00b"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(token=token)
    assert caught.value.name == "token"
    assert token not in str(caught.value)
    assert not Options.accepts_token(token)


def test_certificates_are_verified_unless_somebody_says_no() -> None:
    assert Options().tls.verify
    assert not build(Options, {"tls": {"verify": False}}).tls.verify


def test_the_environment_variables_are_containerpilots() -> None:
    """Contract, section 1.3; the token and all of TLS beat the configuration (3.4)."""
    fields = {field.name: field.info for field in fields_of(Options)}
    assert {name: (info.env, info.env_wins) for name, info in fields.items() if info.env} == {
        "address": ("CONSUL_HTTP_ADDR", False),
        "scheme": ("CONSUL_HTTP_SSL", False),
        "token": ("CONSUL_HTTP_TOKEN", True),
        "tls.cafile": ("CONSUL_CACERT", True),
        "tls.capath": ("CONSUL_CAPATH", True),
        "tls.clientcert": ("CONSUL_CLIENT_CERT", True),
        "tls.clientkey": ("CONSUL_CLIENT_KEY", True),
        "tls.servername": ("CONSUL_TLS_SERVER_NAME", True),
        "tls.verify": ("CONSUL_HTTP_SSL_VERIFY", True),
    }
    assert [name for name, info in fields.items() if info.secret] == ["token"]
    assert {name: info.path for name, info in fields.items() if info.path} == {
        "token_file": "file",
        "tls.cafile": "file",
        "tls.capath": "directory",
        "tls.clientcert": "file",
        "tls.clientkey": "file",
    }
    assert all(info.help for info in fields.values())


def test_an_instance_can_be_made_again_from_itself() -> None:
    assert replace(Options(address="consul:1", tls=Tls(verify=False)), token="t").token == "t"
    assert "datacenters" in CAPABILITIES
