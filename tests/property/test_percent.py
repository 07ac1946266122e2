"""Percent-encoding, beside the standard library's."""

from urllib.parse import parse_qsl, quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from corepilot.http.percent import query, quoted, unquoted

TEXTS = st.text() | st.text(alphabet="%/:aF09gé\u20ac ?&=+~-._", max_size=20)


def clean(text: str) -> str:
    """Without what is no Unicode."""
    return text.encode("utf-8", "replace").decode()


@given(TEXTS, st.sampled_from(["", "/", "/:%"]))
def test_it_is_what_the_standard_library_writes(text: str, safe: str) -> None:
    assert quoted(text, safe) == quote(text, safe=safe, errors="replace")


@given(TEXTS)
def test_it_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert unquoted(quoted(text)) == clean(text)
    assert unquoted(text) == unquote(text)


@given(st.lists(st.tuples(TEXTS, TEXTS | st.integers()), max_size=5))
def test_a_query_is_read_as_it_was_meant(pairs: list[tuple[str, object]]) -> None:
    meant = [
        (name.encode("utf-8", "replace").decode(), str(value).encode("utf-8", "replace").decode())
        for name, value in pairs
    ]
    assert parse_qsl(query(pairs), keep_blank_values=True) == meant
