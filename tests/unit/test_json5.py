import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corepilot.config.text.json5 import MAX_CHARS, parse
from corepilot.config.text.json5_document import MAX_DEPTH, Json5Error, Node, position

DATA = Path(__file__).parents[1] / "data" / "json5" / "reference.jsonl"
REFERENCE: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]

# Accepted here and refused by ContainerPilot: all of it is in the JSON5 specification.
MORE_THAN_THE_REFERENCE = {
    *("-NaN", "+NaN"),
    *("0xffffffffffffffffff", "0x8000000000000000"),
    *('"a\tb"', '"a\\\u2028b"', '"\\x41"', '"\\v"', '"\\0"'),
    *("{a/*c*/:1}", "\x0b[]", "\xa0[]", "\u2003[]", "[]\x0c", "[]\xa0"),
}
# Refused here and accepted by ContainerPilot: a comment that never ends, or has only begun to begin.
LESS_THAN_THE_REFERENCE = {"{}/*", "{}/* x", "{a:1}/"}


def error_of(text: str) -> Json5Error:
    with pytest.raises(Json5Error) as caught:
        parse(text)
    return caught.value


def plain(text: str) -> Any:
    return parse(text).root.plain()


def as_the_reference(value: Any) -> Any:
    if isinstance(value, float) and not abs(value) < float("inf"):
        return {"$": {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]}
    if type(value) is int:
        return float(value)  # it knows no other numbers
    if isinstance(value, list):
        return [as_the_reference(item) for item in value]
    if isinstance(value, dict):
        return {key: as_the_reference(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: ascii(case["text"])[:40])
def test_agrees_with_the_parser_of_containerpilot(case: dict[str, Any]) -> None:
    text = case["text"]
    if "error" in case or text in LESS_THAN_THE_REFERENCE:
        if text not in MORE_THAN_THE_REFERENCE:
            error_of(text)
        else:
            parse(text)
    else:
        assert as_the_reference(plain(text)) == as_the_reference(case["value"])


def test_the_lists_of_differences_hold_only_differences() -> None:
    accepted = {case["text"] for case in REFERENCE if "value" in case}
    assert accepted.isdisjoint(MORE_THAN_THE_REFERENCE)
    assert accepted >= LESS_THAN_THE_REFERENCE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: 0x1F, b: +5, c: .5, d: -.5e1, e: 5.}", {"a": 31, "b": 5, "c": 0.5, "d": -5.0, "e": 5.0}),
        ("[1, 1.0, -0]", [1, 1.0, 0]),
        ("'it\\'s \\\n one line'", "it's  one line"),
        ('"\\\r\\\r\n\\\u2028\\\u2029x"', "x"),
        ('"\\x41\\u00e9\\v\\0\\/"', "Aé\v\0/"),
        ('"\\ud83d\\ude00 \\ud83dx \\ude00"', "\U0001f600 \ufffdx \ufffd"),
        ('"\\ud83d\\u0041"', "\ufffdA"),
        ('"\\ud83d\\u00"', None),
        ("{a: 1, // \0 anything \ufeff\n b: /* # */ 2,}", {"a": 1, "b": 2}),
        ("{/*1*/a/*2*/:/*3*/[/*4*/1/*5*/,/*6*/]/*7*/,/*8*/}/*9*/", {"a": [1]}),
        ('{"":1, "a b": 2, \'c\': 3, null: 4, $_9: 5}', {"": 1, "a b": 2, "c": 3, "null": 4, "$_9": 5}),
        ("9" * 300, int("9" * 300)),
    ],
)
def test_values(text: str, value: Any) -> None:
    if value is None:
        error_of(text)
    else:
        result = plain(text)
        assert result == value
        assert repr(result) == repr(value)


def test_positions_of_values_and_keys() -> None:
    text = "{\n  name: 'a\\tb' , // c\n  \"list\" : [ 1.50, {}, [ ] ],\n}\n"
    root = parse(text).root
    spans = {key: text[m.node.start : m.node.end] for key, m in root.value.items()}
    assert spans == {"name": "'a\\tb'", "list": "[ 1.50, {}, [ ] ]"}
    assert [text[m.key_start : m.key_end] for m in root.value.values()] == ["name", '"list"']
    items: list[Node] = root.value["list"].node.value
    assert [(node.kind, text[node.start : node.end]) for node in items] == [
        ("number", "1.50"),
        ("object", "{}"),
        ("array", "[ ]"),
    ]
    assert text[root.start : root.end] == text.strip()
    assert [parse(text).root.kind for text in ("null", "true", "1", "''", "[]", "{}")] == [
        *("null", "bool", "number", "string", "array", "object"),
    ]


def test_the_last_of_several_equal_keys_counts_and_both_places_are_told() -> None:
    text = "{a: 1, b: {a: 2}, 'a': 3, \"\\u0061\": 4}"
    document = parse(text)
    assert document.root.plain() == {"a": 4, "b": {"a": 2}}
    assert document.root.value["a"].key_start == text.index('"')
    assert [(d.key, text[d.first :][:3], text[d.second :][:3]) for d in document.duplicates] == [
        ("a", "a: ", "'a'"),
        ("a", "'a'", '"\\u'),
    ]
    assert parse("{a: {x: 1}, b: {x: 2}}").duplicates == ()


# `^` stands where the error points.
SLIPS = [
    ("{a: 1^ b: 2}", "missing comma between members; add a comma after the value"),
    ("{a: 1^\n  b: 2}", "missing comma between members; add a comma after the value"),
    ("{a: 1^ // one\n  'b': 2}", "missing comma between members; add a comma after the value"),
    ("{a: {}^\n  b: 2}", "missing comma between members; add a comma after the value"),
    ("[{a: 1}^ {a: 2}]", "missing comma between elements; add a comma after the value"),
    ('["a"^ "b"]', "missing comma between elements; add a comma after the value"),
    ("[1^ 2]", "missing comma between elements; add a comma after the value"),
    ("{port:^ , a: 1}", "missing value for the key 'port'; write one, or remove the key"),
    ("{port:^ }", "missing value for the key 'port'; write one, or remove the key"),
    ("{port:^ // later: yes\n}", "missing value for the key 'port'; write one, or remove the key"),
    ("{port:^\n  name: 'a'}", "missing value for the key 'port'; write one, or remove the key"),
    ("{port^}", "the key 'port' has no value; write ':' and a value after it"),
    ("{'a'^, 'b'}", "the key 'a' has no value; write ':' and a value after it"),
    ("{port^ 80}", "missing ':' after the key 'port'; add ':'"),
    ("^# x\n{}", "'#' does not start a comment; start the comment with '//'"),
    ("{a: 1, ^# x\n}", "'#' does not start a comment; start the comment with '//'"),
    ("{a: 1 ^# x\n}", "'#' does not start a comment; start the comment with '//'"),
    ("{name: ^app}", "text without quotes, as the value of 'name'; put it in quotes: \"…\""),
    ("{url: ^http://x/}", "text without quotes, as the value of 'url'; put it in quotes: \"…\""),
    ("[^a]", 'text without quotes; put it in quotes: "…"'),
    ("{a: ^/bin/a}", "a '/' that starts no comment; put text in quotes, or start a comment with '//'"),
    ("{t: ^5s}", "'5s' is not a number; for text, put it in quotes: \"5s\""),
    ("{t: ^5 s}", "'5 s' is not a number; for text, put it in quotes: \"5 s\""),
    ("{ip: ^10.0.0.1}", "'10.0.0.1' is not a number; for text, put it in quotes: \"10.0.0.1\""),
    ("{n: ^1_000}", "'_' in the number '1_000'; write 1000"),
    ("{n: ^0x1g}", "'0x1g' is not a hexadecimal number; use only 0-9 and a-f after 0x"),
    ("{mode: ^0755}", "the number '0755' starts with a zero; write 755, or put it in quotes: \"0755\""),
    ("{n: ^-01.5}", "the number '-01.5' starts with a zero; write -1.5, or put it in quotes: \"-01.5\""),
    ("{n: ^1e999}", "the number is too large; write one within the range of a 64-bit float"),
    ("{n: ^True}", "'True' is not a JSON5 value; write true"),
    ("{n: ^None}", "'None' is not a JSON5 value; write null, or leave the member out"),
    ("{n: ^no}", "'no' is not a JSON5 value; write false, or put it in quotes"),
    ("{n: ^(1)}", "unexpected '(' where a value should be; write a value"),
    ("{n: ^\N{BULLET}}", "unexpected '\N{BULLET}' where a value should be; write a value"),
    ("{n: ^“x”}", "'“' is not a quote; write \" or '"),
    ("{n: ^`x`}", "'`' is not a quote; write \" or '"),
    ('{n: ^"x\n}', 'the string is not closed on its line; add " at its end, or write a line end as \\n'),
    ("{n: ^'x", "the string is not closed on its line; add ' at its end, or write a line end as \\n"),
    ("{n: ^'x\\", "the string is not closed on its line; add ' at its end, or write a line end as \\n"),
    ("{n: ^'x\\\r", "the string is not closed on its line; add ' at its end, or write a line end as \\n"),
    ('{n: "a^\\d"}', "the escape '\\d' means nothing; write two backslashes where a backslash is meant"),
    ('{n: "^\\1"}', "the escape '\\1' means nothing; write two backslashes where a backslash is meant"),
    (
        '{n: "^\\u12"}',
        "the escape '\\u' is not followed by four hexadecimal digits; write two backslashes where a backslash is meant",
    ),
    ('{n: "a^\x1b"}', "the string holds the control character U+001B; write it as \\u001b"),
    ("{a: 1, ^/* x }", "the comment is not closed; add '*/' at its end"),
    ("{initial^-status: 'x'}", "'-' in the unquoted key 'initial-status'; put the key in quotes: \"initial-status\""),
    ("{log^.level: 'x'}", "'.' in the unquoted key 'log.level'; put the key in quotes: \"log.level\""),
    ("{na^\u0456ve: 1}", "'\u0456' (U+0456) in the unquoted key 'na\u0456ve'; put the key in quotes: \"na\u0456ve\""),
    ("{^9a: 1}", "the unquoted key '9a' starts with a digit; put the key in quotes: \"9a\""),
    ("{port ^= 80}", "'=' after the key 'port'; write ':'"),
    ("{^, a: 1}", "a comma before the first member; remove it"),
    ("{a: 1,^, b: 2}", "a second comma after one member; remove it"),
    ("[^, 1]", "a comma before the first value; remove it"),
    ("[1,^,]", "a second comma after one element; remove it"),
    ("{a: 1^; b: 2}", "';' does not separate anything; write ','"),
    ("{^{a: 1}}", "missing key before '{'; write a key and ':', or use [ ] for a list"),
    ("{^: 1}", "missing key before ':'; write a key"),
    ("{^\x07: 1}", "'\\u0007' in the unquoted key '\\u0007'; put the key in quotes"),
    ('["a"^: 1]', "unexpected ':' after a value; use { } for keys with values"),
    ("{a: 1^: 2}", "unexpected ':' after a value; write one key, one ':' and one value"),
    ('["say "^hi""]', 'text after the end of a string; write \\" for a quote inside the string'),
    (
        "{a: 'it'^s'}",
        (
            "text after the end of a string; "
            "write \\' for a quote inside the string, or [ ] around a list of values for 'a'"
        ),
    ),
    ("{a: [1, 2^", "the text ends, but the array opened at line 1, column 5, is not closed; add ']'"),
    ("{\n  a: 1^\n\n", "the text ends, but the object opened at line 1, column 1, is not closed; add '}'"),
    (
        "{a: [{b: 1^]}",
        (
            "']' where '}' is needed: the object opened at line 1, column 6, is not closed; "
            "add '}' before it, or write '}' instead"
        ),
    ),
    ("{a: 1}^}", "'}' closes nothing; remove it, or look for the bracket closed too early before it"),
    ("{a: 1} ^x: 2", "'x' after the end of the configuration; remove it, and what follows"),
    ("{a: 1}^, {b: 2}", "a comma after the end of the configuration; remove it"),
    ("'a'^: 1", "the members stand outside an object; put '{' before the first, and '}' after the last"),
    ("^a: 1", "the members stand outside an object; put '{' before the first, and '}' after the last"),
    ("^", "the text holds no value; write an object: { … }"),
    ("// nothing^", "the text holds no value; write an object: { … }"),
    ("^, {}", "a comma before the first value; remove it"),
    ("^\ufeff{}", "the text starts with a byte order mark (U+FEFF); save the file as UTF-8 without it"),
    ("{a: 1} ^\ufeff", "a byte order mark stands here (U+FEFF); save the file as UTF-8 without it"),
]


@pytest.mark.parametrize(("marked", "message"), SLIPS, ids=[ascii(marked)[:40] for marked, _ in SLIPS])
def test_says_what_is_wrong_and_where(marked: str, message: str) -> None:
    offset = marked.index("^")
    error = error_of(marked.replace("^", "", 1))
    assert str(error) == message
    assert error.offset == offset
    assert str(error) == f"{error.message}; {error.hint}"


@pytest.mark.parametrize("secret", ["hunter2hunter2", "s.Xq9 z", "-hunter2-hunter2-hunter2-hunter2-hunter2-42"])
def test_a_value_without_quotes_is_not_repeated_because_it_may_be_a_secret(secret: str) -> None:
    assert secret not in str(error_of(f"{{token: {secret}}}"))
    assert secret not in str(error_of(f"{{token: '{secret}}}"))
    assert secret not in str(error_of(f"{{token: 'a' {secret}}}"))


def test_long_keys_are_cut_in_messages() -> None:
    error = error_of("{" + "k-" * 100_000 + ": 1}")
    assert len(str(error)) < 200


def test_depth_is_limited() -> None:
    assert plain("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    for opening in ("[", "{a:"):
        error = error_of(opening * 1_000_000)
        assert error.offset == MAX_DEPTH * len(opening)
        assert error.message == "arrays and objects stand more than 64 deep in one another"


def test_length_is_limited() -> None:
    assert plain("1" + " " * (MAX_CHARS - 1)) == 1
    error = error_of("1" + " " * MAX_CHARS)
    assert str(error) == (
        "the text has 4194305 characters, more than the 4194304 that are read; make the configuration smaller"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "/**/" * 500_000,
        "/*" * 1_000_000,
        "// x\n" * 500_000,
        '"' + "\\n" * 1_000_000,
        "[1 " + "x" * 2_000_000,
        "{" + "x" * 2_000_000,
        "{a: 1 " + "x " * 1_000_000,
        "9" * 2_000_000,
        "0x" + "f" * 2_000_000,
        "1." + "0" * 2_000_000,
        '{"a' * 300_000,
        "{a" + " " * 2_000_000,
    ],
    ids=lambda text: text[:6].strip(),
)
def test_long_broken_texts_end_in_an_error(text: str) -> None:
    error_of(text)


def test_position_counts_every_kind_of_line_end() -> None:
    text = "a\nb\r\nc\rd\n\ne\u2028f"
    places = {char: position(text, text.index(char)) for char in "abcde"}
    assert places == {"a": (1, 1), "b": (2, 1), "c": (3, 1), "d": (4, 1), "e": (6, 1)}
    assert position(text, text.index("f")) == (6, 3)
    assert position(text, 1) == (1, 2)
    assert position(text, text.index("\r")) == (2, 2)
    assert position(text, text.index("\r") + 1) == (2, 3)
    assert position("", 0) == (1, 1)
    assert position("ab", 99) == (1, 3)
    assert position("ab\n", 3) == (2, 1)


def test_imports_next_to_nothing() -> None:
    heavy = ["typing", "dataclasses", "inspect", "json", "unicodedata", "corepilot.config.text.json5_mistakes"]
    script = f"import sys; import corepilot.config.text.json5; print([m for m in {heavy} if m in sys.modules])"
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    assert run.stdout == "[]\n"
