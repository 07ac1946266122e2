"""A regular expression that is looked for in many texts: most of them are told at once that they do not hold it."""

import random
import re

import pytest

from corepilot.gotemplate.regex import Pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "[ab]bc",
        "(ab)+c",
        "a*bc",
        "a?b+c",
        "(?:ab|c)a",
        "a(b|c)d",
        "^a.c$",
        "ab{2,3}c",
        "(a(b)c)*",
        "[^a]bc\\b",
        "b(?i)C",
    ],
)
def test_it_finds_what_python_finds(pattern: str) -> None:
    ours, theirs = Pattern(pattern), re.compile(pattern.replace("(?i)C", "[cC]"))
    chance = random.Random(1)
    for _ in range(500):
        text = "".join(chance.choices("abcdC", k=chance.randrange(10)))
        assert ours.found_in(text) == bool(theirs.search(text)), text


def test_a_text_without_what_every_match_holds_costs_no_step() -> None:
    assert not Pattern("[Rr]eady to accept").found_in("R" * 1000, steps=0)
    assert Pattern("[Rr]eady to accept").found_in("* Ready to accept connections", steps=1000)
