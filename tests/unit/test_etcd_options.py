"""What may be said of etcd."""

from dataclasses import replace

import pytest
from corepilot_etcd.backend import USUAL_PREFIX
from corepilot_etcd.plugin import CAPABILITIES, Options

from corepilot.config.schema.options import judge
from corepilot.http.origin import parse_origin
from corepilot.plugin import OptionError
from corepilot.plugin.options import build
from corepilot.plugin.verify import imported_by


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("http://localhost:2379", "http://localhost:2379"),
        ("https://etcd-1.internal:2379/", "https://etcd-1.internal:2379"),
        ("HTTPS://etcd", "https://etcd:2379"),
        ("etcd", "http://etcd:2379"),
        ("http://etcd/", "http://etcd:2379"),
        ("etcd:2379", "http://etcd:2379"),
        ("http://[::1]:2379", "http://[::1]:2379"),
        ("http://etcd:02379", "http://etcd:2379"),
    ],
)
def test_endpoints(endpoint: str, origin: str) -> None:
    assert Options(endpoints=(endpoint,)).origins == (origin,)
    parse_origin(origin)  # the client takes it


def test_an_endpoint_that_is_named_twice_is_one() -> None:
    assert Options(endpoints=("http://a:1", "a:1/", "http://b:1")).origins == ("http://a:1", "http://b:1")


@pytest.mark.parametrize(
    "endpoint",
    ["", "http://", "ftp://a:1", "unix:///run/etcd", "http://a:0", "http://a:65536", "http://a:x", "http://a:1/path",
     "http://::1:2379", "http://[::1:2379", "http://a b:1", "http://ä:1", "http://a:1?x"],
)  # fmt: skip
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(endpoints=(endpoint,))
    assert caught.value.name == "endpoints"


def test_a_password_in_an_endpoint_is_not_repeated() -> None:
    with pytest.raises(OptionError, match="use user and password") as caught:
        Options(endpoints=("http://root:s3cret@a:1",))
    assert "s3cret" not in str(caught.value)


def test_there_is_an_endpoint() -> None:
    with pytest.raises(OptionError, match="at least one"):
        Options(endpoints=())


@pytest.mark.parametrize("prefix", ["/corepilot", "/a/b/c", "/Grüße"])
def test_prefixes(prefix: str) -> None:
    assert Options(prefix=prefix).prefix == prefix


@pytest.mark.parametrize("prefix", ["", "/", "corepilot", "/a/", "/a//b", "/a/../b", "/a\n", "/" + "x" * 300])
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(prefix=prefix)
    assert caught.value.name == "prefix"


def test_a_password_belongs_to_a_user() -> None:
    with pytest.raises(OptionError) as caught:
        Options(password="x")
    assert caught.value.name == "user"
    assert replace(Options(), user="web", password="x").password == "x"


def judged(raw: dict[str, object], environment: dict[str, str] | None = None) -> Options:
    found = judge(Options, raw, environment or {})
    assert found.options is not None, found.complaints
    options: Options = build(Options, found.options.plain())
    return options


def test_as_the_configuration_gives_them() -> None:
    raw: dict[str, object] = {"endpoints": ["http://a:1", "http://b:1"], "timeout": "500ms", "tls": {"verify": False}}
    options = judged(raw)
    assert (options.origins, options.timeout, options.tls.verify) == (("http://a:1", "http://b:1"), 0.5, False)


def test_etcdctls_variables_count_where_the_configuration_is_silent() -> None:
    environment = {"ETCDCTL_ENDPOINTS": "http://a:1,http://b:1"}
    assert judged({}, environment).origins == ("http://a:1", "http://b:1")
    assert judged({"endpoints": ["http://c:1"]}, environment).origins == ("http://c:1",)


def test_what_it_can() -> None:
    assert {"expiry", "keys", "locks", "register", "services", "watch"} == CAPABILITIES


def test_the_backend_brings_no_large_modules() -> None:
    """Each of them is a quarter of a megabyte and more in every supervisor."""
    assert not imported_by("corepilot_etcd.backend") & {
        "base64",
        "ipaddress",
        "logging",
        "random",
        "ssl",
        "urllib.parse",
    }


def test_user_and_password_from_the_environment() -> None:
    environment = {"ETCDCTL_USER": "web", "ETCDCTL_PASSWORD": "s3cret"}
    found = judge(Options, {}, environment)
    assert found.options is not None
    assert (found.options.plain()["user"], found.options.secrets()) == ("web", ("s3cret",))
    assert judged({"user": "app", "password": "other"}, environment).user == "app"


def test_etcdctls_user_may_have_the_password_with_it() -> None:
    found = judge(Options, {}, {"ETCDCTL_USER": "web:s3:cret"})
    assert found.options is not None
    assert (found.options.plain()["user"], found.options.secrets()) == ("web", ("s3:cret",))
    assert "s3:cret" not in repr(found.options)


def test_two_passwords_are_refused_and_not_shown() -> None:
    found = judge(Options, {}, {"ETCDCTL_USER": "web:s3cret", "ETCDCTL_PASSWORD": "other"})
    assert found.options is None
    ((path, complaint),) = found.complaints
    assert path == ("user",)
    assert complaint.rule == "it has a password of its own, as name:password; leave out one of the two"


def test_the_backend_knows_the_usual_prefix() -> None:
    assert Options().prefix == USUAL_PREFIX
