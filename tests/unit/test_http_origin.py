import pytest

from corepilot.http.origin import parse_origin


@pytest.mark.parametrize(
    ("text", "host", "port", "authority", "shown"),
    [
        ("http://consul:8500", "consul", 8500, "consul:8500", "http://consul:8500"),
        ("http://consul", "consul", 80, "consul", "http://consul:80"),
        ("HTTPS://consul/", "consul", 443, "consul", "https://consul:443"),
        ("http://[::1]:8500", "::1", 8500, "[::1]:8500", "http://[::1]:8500"),
        ("https://[::1]", "::1", 443, "[::1]", "https://[::1]:443"),
        ("unix:///run/x.socket", "/run/x.socket", 0, "localhost", "unix:///run/x.socket"),
    ],
)
def test_origins(text: str, host: str, port: int, authority: str, shown: str) -> None:
    origin = parse_origin(text)
    assert (origin.host, origin.port, origin.authority, origin.text) == (host, port, authority, shown)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("consul:8500", "has to start with"),
        ("ftp://consul", "has to start with"),
        ("http://", "host is missing"),
        ("http://:80", "host is missing"),
        ("http://h:0", "1 to 65535"),
        ("http://h:65536", "1 to 65535"),
        ("http://h:", "1 to 65535"),
        ("http://h:8x", "1 to 65535"),
        ("http://fe80::1:8500", "brackets"),
        ("http://[::1", "brackets"),
        ("http://[::1]8500", "brackets"),
        ("http://h/v1", "only scheme, host and port"),
        ("http://h?a=b", "only scheme, host and port"),
        ("http://h o", "visible ASCII"),
        ("http://h\r\nX: y", "visible ASCII"),
        ("http://café", "visible ASCII"),
        ("unix://run/x", "absolute path"),
    ],
)
def test_what_is_no_origin(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_origin(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="do not belong") as caught:
        parse_origin("http://user:s3cret@consul:8500")
    assert "s3cret" not in str(caught.value)
