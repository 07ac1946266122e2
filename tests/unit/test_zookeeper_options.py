"""What a configuration may say of ZooKeeper, and how things are written there."""

import pytest
from corepilot_zookeeper.backend import USUAL_PREFIX
from corepilot_zookeeper.key_paths import KeyPaths
from corepilot_zookeeper.layout import Layout, instance_of, is_usable, record_of, segment, text_of
from corepilot_zookeeper.plugin import CAPABILITIES, Auth, Options, Tls
from hypothesis import given
from hypothesis import strategies as st

from corepilot.config.schema.options import judge
from corepilot.discovery.facet_rules import require_key
from corepilot.errors import BackendRefusedError
from corepilot.model.service import Instance, Registration
from corepilot.plugin import OptionError


def test_a_digest_credential_is_a_user_and_a_password() -> None:
    with pytest.raises(OptionError, match="user:password"):
        Auth(credential="nocolon")
    Auth(scheme="ip", credential="nocolon")


def test_the_backend_knows_the_usual_prefix() -> None:
    assert Options().prefix == USUAL_PREFIX


def test_it_can_do_all_but_datacenters() -> None:
    assert {"services", "register", "watch", "expiry", "keys", "locks"} == CAPABILITIES


@pytest.mark.parametrize(
    "hosts",
    ["127.0.0.1:2181", "zk", "zk1,zk2:2182,zk3:1", "[::1]:2181", "[::1]", "zk1:2181,zk2:2181/production/blue"],
)
def test_hosts_that_can_be_used(hosts: str) -> None:
    assert Options(hosts=hosts).hosts == hosts


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [
        ("", "the host is missing"),
        ("zk1,,zk2", "the host is missing"),
        (":2181", "the host is missing"),
        ("zk:0", "a port is a number"),
        ("zk:65536", "a port is a number"),
        ("zk:port", "a port is a number"),
        ("::1", "in brackets"),
        ("[::1", "in brackets"),
        ("zk1, zk2", "no spaces"),
        ("zk\n", "no spaces"),
        ("user:secret@zk", "no user name and no password; use auth"),
        ("zk/", "absolute"),
        ("zk//a", "absolute"),
        ("zk/a/../b", "absolute"),
    ],
)
def test_hosts_that_cannot_be_used(hosts: str, reason: str) -> None:
    with pytest.raises(OptionError, match=reason) as caught:
        Options(hosts=hosts)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "corepilot", "/a/", "/a//b", "/a/./b", "//"])
def test_prefixes_that_cannot_be_used(prefix: str) -> None:
    with pytest.raises(OptionError, match="absolute path"):
        Options(prefix=prefix)


def test_the_root_is_a_prefix() -> None:
    assert Layout(Options(prefix="/").prefix).services("web") == "/services/web"


def test_protection_needs_a_credential_and_sasl_is_not_spoken() -> None:
    with pytest.raises(OptionError, match="needs a credential"):
        Auth(protect=True)
    with pytest.raises(OptionError, match="SASL"):
        Auth(scheme="sasl", credential="user:password")
    assert not Tls().enabled


@given(st.text())
def test_a_name_is_one_node_and_comes_back(text: str) -> None:
    name = segment(text)
    assert "/" not in name
    if text:
        assert is_usable(name)
    if all(not "\ud800" <= character <= "\udfff" for character in text):
        assert text_of(name) == text


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_a_key_comes_back_from_its_path(segments: list[str]) -> None:
    paths, key = KeyPaths("/corepilot/keys"), "/".join(segments)
    try:
        require_key("use", key)
        path = paths.path_of(key)
    except BackendRefusedError:
        return
    assert all(map(is_usable, path.split("/")[1:]))
    assert paths.key_of(path, key) == key


def test_a_name_with_a_percent_sign_that_is_not_ours_is_nobodys() -> None:
    assert KeyPaths("/keys").key_of("/keys/100%", "app") is None


@given(st.binary() | st.text().map(str.encode))
def test_whatever_a_node_holds_is_an_instance_or_none(data: bytes) -> None:
    found = instance_of("web", "a", data, critical=False)
    assert found is None or isinstance(found, Instance)


def test_an_instance_comes_back() -> None:
    registration = Registration("web-1", "web", "::1", 80, ("b", "Grüße"), notes="n")
    for status in ("passing", "warning", "critical"):
        data = record_of(registration, status, "out\x00put")
        found = instance_of("web", "web-1", data, critical=status == "critical")
        assert found == Instance("web-1", "web", "::1", 80, status, ("b", "Grüße"))


def test_the_credential_from_the_environment_is_a_secret() -> None:
    environment = {"ZOOKEEPER_CREDENTIAL": "user:password"}
    found = judge(Options, {"auth": {"protect": True}}, environment)
    assert found.options is not None, found.complaints
    assert found.options.secrets() == ("user:password",)
    given = judge(Options, {"auth": {"credential": "me:mine"}}, environment)
    assert given.options is not None
    assert given.options.secrets() == ("me:mine",)
