import pytest

from corepilot.http.message import Headers, Request, Response, split_target


def test_headers_are_found_whatever_their_case() -> None:
    headers = Headers([("X-Consul-Index", "7")])
    assert headers["x-consul-index"] == headers["X-CONSUL-INDEX"] == "7"
    assert list(headers) == ["x-consul-index"]
    assert "X-Consul-Index" in headers
    assert headers.get("absent") is None


def test_repeated_headers_are_joined() -> None:
    assert Headers([("Via", "a"), ("via", "b")])["via"] == "a, b"


def test_header_values_and_bodies_stay_out_of_reprs() -> None:
    headers = Headers([("X-Token", "s3cret")])
    shown = repr(Request("GET", "/", headers=headers, body=b"s3cret")) + repr(Response(200, headers, b"s3cret"))
    assert "s3cret" not in shown
    assert "x-token" in shown


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/v3/ping", "/v3/ping", ""),
        (b"/v3/%70ing?a=%20b?c", "/v3/ping", "a=%20b?c"),
        (b"/caf%C3%A9", "/café", ""),
        (b"/a%2Fb", "/a/b", ""),
        (b"/?", "/", ""),
    ],
)
def test_split_target(target: bytes, path: str, query: str) -> None:
    assert split_target(target) == (path, query)


@pytest.mark.parametrize(
    "target", [b"", b"*", b"http://h/", b"/%", b"/%4", b"/%zz", b"/%+1", b"/%00", b"/%ff", b"/\xff"]
)
def test_split_target_refuses_what_is_not_a_path(target: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        split_target(target)
