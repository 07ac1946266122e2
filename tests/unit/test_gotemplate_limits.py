"""Templates that ask for too much end in an error, and those that only look so do not."""

import sys

import pytest

from corepilot.gotemplate import TemplateError, render
from corepilot.gotemplate.limits import MAX_OUTPUT_BYTES, MAX_PARENTHESES

BOMBS = [
    ("{{ range loop 1000000 }}{{ range loop 1000000 }}{{ end }}{{ end }}", "steps"),
    ("{{ range 9223372036854775807 }}{{ end }}", "steps"),
    ("{{ range loop 1000000 }}0123456789{{ end }}", "bytes"),
    ("{{ loop 1000000 }}{{ loop 1000000 }}", "bytes"),
    ("{{ loop 1000001 }}", "a template may make 1000000"),
    ("{{ loop -9223372036854775808 9223372036854775807 }}", "a template may make 1000000"),
    ("{{ define `t` }}{{ template `t` }}{{ end }}{{ template `t` }}", "templates have called one another"),
    ("{{ define `t` }}{{ template `t` }}{{ template `t` }}{{ end }}{{ template `t` }}", "templates have called"),
    ("{{ define `` }}{{ template `` }}{{ end }}", "templates have called"),
    ("{{ $x := `0123456789` }}{{ range loop 99 }}{{ $x = print $x $x }}{{ end }}", "bytes"),
    ("{{ $x := `0123456789` }}{{ range loop 99 }}{{ $x = printf `%s%s` $x $x }}{{ end }}", "bytes"),
    ("{{ $x := `0123456789` }}{{ range loop 99 }}{{ $x = replaceAll `` $x $x }}{{ end }}", "bytes"),
    ("{{ $x := `0123456789` }}{{ range loop 99 }}{{ $x = regexReplaceAll `` $x $x }}{{ end }}", "bytes"),
    ("{{ $x := `<<<<<<<<<<` }}{{ range loop 99 }}{{ $x = print $x $x | html | js }}{{ end }}", "bytes"),
    ("{{ $x := `0` }}{{ range loop 99 }}{{ $x = join $x (split `` $x) | print `12` }}{{ end }}", "bytes"),
    ("{{ $x := `a` }}{{ range loop 21 }}{{ $x = print $x $x }}{{ end }}{{ split `` $x }}", "may make 1000000"),
    ("{{ range loop 9 }}{{ printf `%1000000d` 1 }}{{ end }}", "bytes"),
    ("{{ $x := printf `%999999d` 1 }}{{ range loop 1000 }}{{ $y := replaceAll ` ` `.` $x }}{{ end }}", "steps"),
    ("{{ $x := printf `%999999d` 1 }}{{ range loop 1000 }}{{ $y := split ` ` (print $x 1) }}{{ end }}", "steps"),
    ("{{ $x := printf `%9999d` 1 }}{{ range loop 1000 }}{{ $y := regexReplaceAll `[xy]$` `` $x }}{{ end }}", "steps"),
    ("{{ range loop 9999 }}{{ $y := regexReplaceAll `(a{9}){99}` `` `` }}{{ end }}", "steps"),
    ("{{ printf `%999999d%999999d%999999d%999999d%999999d` 1 1 1 1 1 }}", "bytes"),
    ("{{ printf `%.999999f|%999999v` 1.5 (loop 9) }}", "bytes"),
    ("{{ $x := `a` }}{{ range loop 20 }}{{ $x = print $x $x }}{{ end }}{{ regexReplaceAll `.*x|b` `` $x }}", "steps"),
    ("{{ regexReplaceAll `((((a{9}){9}){9}){9}` `` `` }}", "is wrong"),
    ("{{ regexReplaceAll `" + "(a{1000})" * 60 + "` `` `` }}", "50000 instructions"),
    ("{{ regexReplaceAll `" + "(" * 500 + ")" * 500 + "` `` `` }}", "100 groups"),
    ("{{ " + "(" * 200 + "1" + ")" * 200 + " }}", "100 parentheses"),
    ("{{ " + "(" * 100_000, "100 parentheses"),
    ("{{ if 1 }}" * 10_000, "ends inside a block"),
    ("{{ 1 }}" * 10_000 + "{{", "not closed"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("bomb", "reason"), BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_in_an_error(bomb: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        render(bomb, {})


def test_output_up_to_the_limit_is_rendered() -> None:
    text = "é" * (MAX_OUTPUT_BYTES // 2 - 2)
    assert render(text + "{{ `é` }}ab", {}).text == text + "éab"
    with pytest.raises(TemplateError, match="4194304 bytes"):
        render(text + "{{ `é` }}abc", {})


@pytest.mark.slow
def test_nested_blocks_and_chains_cost_no_python_stack() -> None:
    depth = 5 * sys.getrecursionlimit()
    assert render("{{ if 1 }}" * depth + "x" + "{{ end }}" * depth, {}).text == "x"
    assert render("{{ if 0 }}" + "{{ else if 0 }}" * depth + "{{ else }}x{{ end }}", {}).text == "x"
    assert render("{{ block `b` . }}x{{ end }}" + "{{ template `b` }}" * depth, {}).text == "x" * (depth + 1)


def test_templates_may_call_one_another_thousands_deep() -> None:
    text = "{{ define `t` }}{{ if . }}x{{ template `t` (slice . 1) }}{{ end }}{{ end }}{{ template `t` (loop 5000) }}"
    assert render(text, {}).text == "x" * 5000


def test_parentheses_up_to_the_limit_are_evaluated() -> None:
    text = "{{ " + "(print " * MAX_PARENTHESES + "`x`" + ")" * MAX_PARENTHESES + " }}"
    assert render(text, {}).text == "x"


def test_a_caller_near_the_end_of_the_stack_gets_an_error_of_the_template() -> None:
    text = "{{ " + "(print " * MAX_PARENTHESES + "`x`" + ")" * MAX_PARENTHESES + " }}"
    render(text, {})

    def called(frames: int) -> str:
        if frames:
            return called(frames - 1)
        return render(text, {}).text

    depth = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    with pytest.raises(TemplateError, match="parentheses stand too deep"):
        called(sys.getrecursionlimit() - depth - 100)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)x", "(a?){50}a{50}x", "(?:a*)*b", "((a*)*)*c"])
def test_a_pattern_that_explodes_elsewhere_takes_linear_time(pattern: str) -> None:
    text = "a" * 500 + "!"
    assert render("{{ regexReplaceAll .PATTERN `` .TEXT }}", {"PATTERN": pattern, "TEXT": text}).text == text
