"""The flags of the old command, by the rules of Go's flag package."""

import pytest

from corepilot.cli.containerpilot import FLAGS, is_run
from corepilot.cli.goflags import FlagError, parse, usage


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (["-config", "a"], "a"),
        (["--config", "a"], "a"),
        (["-config=a"], "a"),
        (["--config=a=b"], "a=b"),
        (["-config="], ""),
        (["-config", "-version"], "-version"),  # a text takes the next word, whatever it is
        (["-config", "a", "-config", "b"], "b"),
        (["word", "-config", "a"], ""),  # flags end at the first word that is none
        (["-", "-config", "a"], ""),
        (["--", "-config", "a"], ""),
        (["-version", "true", "-config", "a"], ""),  # a switch takes no word
        (["-version=true", "-config", "a"], "a"),
        ([], ""),
    ],
)  # fmt: skip
def test_forms_of_a_text(words: list[str], config: str) -> None:
    assert parse(FLAGS, words).texts["config"] == config


@pytest.mark.parametrize(
    ("word", "on"),
    [("-ping", True), ("--ping", True), ("-ping=1", True), ("-ping=T", True), ("-ping=true", True), ("-ping=0", False),
     ("-ping=False", False), ("-ping=f", False)],
)  # fmt: skip
def test_forms_of_a_switch(word: str, on: bool) -> None:  # noqa: FBT001  - a case of a table
    assert parse(FLAGS, [word]).switches["ping"] is on


def test_pairs_are_split_at_their_first_equals_sign() -> None:
    values = parse(FLAGS, ["-putenv", "a=b=c", "-putenv=d=", "-putenv", "a=2", "-putmetric", "=x"])
    assert values.pairs == {"putenv": {"a": "2", "d": ""}, "putmetric": {"": "x"}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-bogus"], "flag provided but not defined: -bogus"),
        (["-c", "x"], "flag provided but not defined: -c"),
        (["---config", "x"], "bad flag syntax: ---config"),
        (["-=x"], "bad flag syntax: -=x"),
        (["-config"], "flag needs an argument: -config"),
        (["-ping=yes"], 'invalid boolean value "yes" for -ping: write -ping, or -ping=false'),
        (["-ping="], 'invalid boolean value "" for -ping: write -ping, or -ping=false'),
        (["-putenv", "KEY"], 'invalid value "KEY" for flag -putenv: write key=value'),
        (["-version", "-bogus"], "flag provided but not defined: -bogus"),
        (["-help"], ""),
        (["-h"], ""),
        (["--help=x"], ""),
    ],
)  # fmt: skip
def test_what_is_no_flag(words: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(FLAGS, words)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ([], True),
        (["-config", "x"], True),
        (["-out", "x", "-socket", "y"], True),
        (["-maintenance", ""], True),
        (["-ping"], False),
        (["-ping=false"], True),
        (["-reload"], False),
        (["-template"], False),
        (["-maintenance", "off"], False),
        (["-putenv", "a=b"], False),
        (["-putmetric", "a=b"], False),
    ],
)  # fmt: skip
def test_it_runs_if_nothing_else_is_asked_for(words: list[str], run: bool) -> None:  # noqa: FBT001  - a case of a table
    assert is_run(parse(FLAGS, words)) is run


def test_usage_names_every_flag() -> None:
    text = usage("containerpilot", FLAGS)
    assert text.startswith("Usage of containerpilot:\n")
    for name in FLAGS:
        assert f"  -{name}" in text
