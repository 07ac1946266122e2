"""What a regular expression demands of a text never rules out a text in which it matches."""

import re

from hypothesis import given
from hypothesis import strategies as st

from corepilot.gotemplate.regex import Pattern
from corepilot.gotemplate.regex_literals import clauses_of, may_match
from corepilot.gotemplate.regex_syntax import parse

ATOMS = st.sampled_from(["a", "b", "S", "k", "é", ".", "[aB]", "[^a]", "^", "$", "\\b", "(?i:s)", "(?i:k)", " "])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"({'|'.join(some)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,1}", "+?"])).map(
            lambda one: f"(?:{one[0]}){one[1]}"
        ),
        inner.map(lambda one: f"(?i:{one})"),
    )


PATTERNS = st.recursive(ATOMS, _larger, max_leaves=8)
TEXTS = st.text("abABsSkK\u017f\u212aéÉ ", max_size=8)


@given(PATTERNS, TEXTS)
def test_what_it_demands_is_in_every_text_in_which_it_matches(pattern: str, text: str) -> None:
    clauses = clauses_of(parse(pattern)[0])
    with_them, without = Pattern(pattern), Pattern(pattern)
    without._clauses = []
    assert with_them.found_in(text) == without.found_in(text)
    if text.isascii() and "é" not in pattern:
        assert without.found_in(text) == (re.search(pattern, text) is not None)
    assert may_match(clauses, text) or not without.found_in(text)


def test_what_is_demanded() -> None:
    def demanded(pattern: str) -> list[tuple[str, ...]]:
        return clauses_of(parse(pattern)[0])

    assert demanded("(?i)(Server|service) .*(ready|up)$") == [("server", "service"), ("ready", "up"), (" ",)]
    assert demanded("database system is ready") == [("database system is ready",)]
    assert demanded("a(b)\\bc+d?(e|)") == [("ab",), ("c",)]
    assert demanded("[0-9]+|x") == []
    assert demanded("[rR]eady") == [("ready",)]
