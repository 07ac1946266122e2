"""Files of version 2, templates and all: their structure without rendering them."""

import json
import re

import pytest

from corepilot.migrate.errors import MigrationError
from corepilot.migrate.layout import command, decide, member, quoted
from corepilot.migrate.masking import Masked, scan, without_trim
from corepilot.migrate.outline import OutlineNode, read
from corepilot.migrate.reading import DYNAMIC, Version2File


def plain(value: OutlineNode, source: str) -> object:
    """Structure and texts; keys that stand twice become lists."""
    if value.kind == "object":
        return [(key, plain(one, source)) for key, one in value.members]
    if value.kind == "array":
        return [plain(one, source) for one in value.items]
    return source[value.start : value.end]


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ('{"a": "{{ .A }}b"}', '{"a": "XXb"}'),
        ('{"a": {{ .A }}}', '{"a": XX}'),
        ('{"a": 1{{ .A }}}', '{"a": 1XX}'),
        ('{"a": "{{ .A | default "x" }}"}', '{"a": "XX"}'),
        ('{"a": {{ if .A }}1{{ else }}2{{ end }}}', '{"a": XX}'),
        ("[1{{ if .A }}, 2{{ end }}]", "[1  , 2  ]"),
        ('["\\"{{ .A }}"]', '["\\"XX"]'),
        ("[{{/* a comment */}}1]", "[  1]"),
        ("[{{- /* a comment */ -}}1]", "[  1]"),
    ],
)  # fmt: skip
def test_actions_are_hidden_and_offsets_stay(source: str, masked: str) -> None:
    text = Masked(source).text
    assert len(text) == len(source)
    assert re.sub("xx+", "XX", re.sub("  +", "  ", text)) == masked


def test_what_is_around_a_place() -> None:
    source = "[{{ if .A }}1,{{ range .B }}2{{ end }}{{ else }}3{{ end }},4]"
    masked = Masked(source)
    around = {
        digit: [(block.word, index) for block, index in masked.conditions(source.index(digit))] for digit in "1234"
    }
    assert around == {"1": [("if", 0)], "2": [("if", 0), ("range", 0)], "3": [("if", 1)], "4": []}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{"services": [1, {"a": 1, "b": []}], "c": 2}', []),
        ('{"services": 1\n "c": 2}', [(14, "missing")]),
        ('{"services": [1 2], }', [(15, "missing"), (18, "one too many")]),
        ('{"services": [1,, 2]}', [(16, "one too many")]),
        ('{"services": {{ .A }} "c": 2}', [(21, "missing")]),
        ('{"services": [{{ if .A }}1,{{ end }} 2 {{ if .B }} 3{{ end }}]}', []),
    ],
)
def test_commas_that_are_mended(source: str, found: list[tuple[int, str]]) -> None:
    comma_mistakes = Version2File(source).comma_mistakes
    assert [mistake.offset for mistake in comma_mistakes] == [offset for offset, _ in found]
    assert all(word in mistake.text for mistake, (_, word) in zip(comma_mistakes, found, strict=True))


def test_assignments_and_definitions_are_kept() -> None:
    source = '{{ $a := .A -}} {{ define "t" }}x{{ end }} [{{ if .B }}{{ $b := .C }} 1 {{ end }}]'
    masked = Masked(source)
    assert masked.prelude == ["{{ $a := .A }}", '{{ define "t" }}x{{ end }}']
    [(block, _)] = masked.conditions(source.index("1"))
    assert block.branches[0].header == "{{ if .B }}{{ $b := .C }}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("[{{ if .A }}{ {{ else }}{ {{ end }}}]", "whole elements"),
        ("[{{ if .A }}1]", "not closed"),
        ("[1{{ end }}]", "whole elements"),
        ("[{{ .A ]", "cannot read the template"),
        ('{"a": {{ if .A }}1, "b": 2,{{ end }}}', "more than a value"),
        ("[{{ range .A }}{{ break }}1{{ end }}]", "break"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_followed(source: str, words: str) -> None:
    with pytest.raises(MigrationError, match=words) as caught:
        Masked(source)
    assert 0 <= caught.value.offset <= len(source)


def test_the_keywords_of_actions() -> None:
    words = [
        action.word for action in scan("{{ if .A }}{{- else if .B -}}{{ end }}{{ $x := 1 }}{{ $x }}{{.A}}{{/*c*/}}")
    ]
    assert words == ["if", "else", "end", "assign", "", "", "comment"]


def test_trim_markers_are_taken_out_for_they_would_eat_a_comments_line_end() -> None:
    assert without_trim("{{- if .A -}}") == "{{ if .A }}"
    assert without_trim("{{-1}}") == "{{-1}}"


def test_the_outline_is_forgiving_about_commas_and_keeps_keys_that_stand_twice() -> None:
    text = '{"a": [1 2,, {"b": null}], "a": "x\\"y",}'
    assert plain(read(text), text) == [("a", ["1", "2", [("b", "null")]]), ("a", '"x\\"y"')]


@pytest.mark.parametrize("text", ["", "{", "[1", '{"a"}', '{"a": }', "{} x", '"', "[" * 100, '{"\\q": 1}'])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(MigrationError):
        read(text)


def test_meanings() -> None:
    old = Version2File('{"a": "x\\u0041", "b": 5, "c": null, "d": "{{ .D }}", "e": [1]}')
    found = {key: old.meaning(value) for key, value in old.root.members}
    assert found == {"a": "xA", "b": 5, "c": None, "d": DYNAMIC, "e": DYNAMIC}


def test_a_name_with_braces_stays_what_it_is() -> None:
    assert quoted("a{{b") == '"a{{ "{{" }}b"'
    assert "{{" not in "\n".join(decide("a {{ b }}"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a", "b c"], '["a", "b c"]'),
        (['say "x"', "é"], '["say \\"x\\"", "é"]'),
        (['{{ .A | default "x" }}/"'], '["{{ .A | default "x" }}/\\""]'),
        (["a{{b", "{{ .A }}"], '["a{{ "{{" }}b", "{{ "{{" }} .A }}"]'),
    ],
)  # fmt: skip
def test_the_main_program_is_a_template(words: list[str], text: str) -> None:
    assert command(words) == text


def test_long_values_are_indented_as_they_were() -> None:
    assert member("k", '["a",\n            "b",\n        "c"\n        ]') == ['k: ["a",', '    "b",', '"c"', "],"]
    assert member("k", '["a",\n   "b"]') == ['k: ["a",', '  "b"],']
    assert json.loads('["a",\n "b"]') == ["a", "b"]
