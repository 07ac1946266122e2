"""Whatever the template: an answer or an error of the template, and every character of the text has its origin."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from corepilot.gotemplate import Rendered, TemplateError, render

PIECES = [
    *("{{", "}}", "{{ ", " }}", "{{- ", " -}}", "{{/*", "*/}}", ".A", ".NOPE", ".U", "$", "$x", " := ", " = ", ", "),
    *(" | ", "(", ")", "if ", "else", "end", "range ", "with ", "define ", "template ", "block ", "break", "continue"),
    *('"t"', "`r`", "'c'", "1", "2.5", "nil", "true", "print ", "printf ", '"%d%v"', "split ", "join ", "loop 3"),
    *("index . ", "slice .U 0 1", "len ", "eq ", "default ", "{{ .A }}", "{{ .NOPE }}", "{{ slice .U 0 1 }}"),
    *("{{ slice .U 1 }}", "{{ if .A }}", "{{ else }}", "{{ end }}", "é", "\n", "text", "{{ range loop 2 }}"),
    *("{{ $x := .NOPE }}", "{{ $x }}", "{{ with .A }}", "{{ . }}", '{{ template "t" . }}', '{{ define "t" }}'),
]
ENVIRONMENT = {"A": "a\nb", "U": "é", "EMPTY": ""}
templates = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=14).map("".join)
environments = st.dictionaries(st.text(string.ascii_uppercase, min_size=1, max_size=3), st.text(max_size=8), max_size=4)


def rendered(text: str, environment: dict[str, str]) -> Rendered | None:
    try:
        return render(text, environment)
    except TemplateError as error:
        place = error.line, error.column
        message = str(error)
    lines = text.split("\n")
    assert 1 <= place[0] <= len(lines)
    assert 1 <= place[1] <= len(lines[place[0] - 1]) + 1
    assert message.startswith("cannot render template (line ")
    return None


surrogates = st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE00F), max_size=6)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), surrogates), environments)
def test_any_text_is_rendered_or_refused(text: str, environment: dict[str, str]) -> None:
    rendered(text, environment)
    rendered("{{" + text, environment)
    rendered("{{ " + text + " }}", environment)


@settings(max_examples=200, deadline=None)
@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_itself_and_has_its_own_places(text: str) -> None:
    result = render(text, {})
    assert result.text == text
    for offset in range(len(text) + 1):
        origin = result.origin(offset)
        before = text[:offset]
        assert (origin.line, origin.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert origin.action is None


@settings(max_examples=600, deadline=None)
@given(templates, environments)
def test_every_character_has_an_origin(text: str, environment: dict[str, str]) -> None:
    environment = ENVIRONMENT | environment
    result = rendered(text, environment)
    if result is None:
        return
    lines = text.split("\n")
    for offset in range(len(result.text) + 1):
        origin = result.origin(offset)
        rest = "\n".join([lines[origin.line - 1][origin.column - 1 :], *lines[origin.line :]])
        if origin.action is not None:
            assert rest.startswith(origin.action)
            assert origin.action.startswith("{{")
            assert origin.action.endswith("}}")
        elif offset < len(result.text):
            assert rest[0] == result.text[offset]
        assert not set(origin.unset) & set(environment)
        assert len(set(origin.unset)) == len(origin.unset)


@settings(max_examples=300, deadline=None)
@given(templates, st.integers(0, 30), st.integers(0, 30))
def test_unset_variables_of_a_part_are_among_those_of_the_whole(text: str, start: int, size: int) -> None:
    result = rendered(text, ENVIRONMENT)
    if result is None:
        return
    whole = result.unset_near(0, len(result.text))
    part = result.unset_near(start, start + size)
    assert set(part) <= set(whole)
    assert len(set(part)) == len(part)
    assert not set(whole) & set(ENVIRONMENT)


@settings(max_examples=300, deadline=None)
@given(surrogates, surrogates, surrogates)
def test_functions_take_strings_that_are_no_unicode(first: str, second: str, third: str) -> None:
    environment = {"A": first, "B": second, "C": third, third: first}
    for action in (
        "print .A .B .C",
        "len .A",
        "slice .A 1",
        "index .A 0",
        "lt .A .B",
        "replaceAll .A .B .C",
        "split .A .B | join .C",
        "regexReplaceAll .A .B .C",
        'regexReplaceAll "." .B .C',
        "html .A | js | urlquery",
        'printf "%5.2q|%x|%-9s|%+q" .A .B .C .A',
        "printf .A .B",
        "range . }}{{ . }}{{ end",
    ):
        rendered("{{ " + action + " }}", environment)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12), st.text(max_size=6), st.text(max_size=12))
def test_functions_take_any_strings(first: str, second: str, third: str) -> None:
    environment = {"A": first, "B": second, "C": third}
    for function in (
        "regexReplaceAll .A .B .C",
        "printf .A .B .C",
        "printf .A 1 2.5",
        "split .B .A | join .C",
        "loop .A .B",
    ):
        rendered("{{ " + function + " }}", environment)
    assert render("{{ replaceAll .A .B .C }}", environment).text == third.replace(first, second)
    assert render("{{ urlquery .A }}", environment).text.isascii()
    assert not set("<>\"'") & set(render("{{ html .A }}", environment).text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.*+?()[]{}|^$\\-123,éP<>:=!iU&ds", max_size=14), st.text(alphabet="abé-\n1", max_size=14))
def test_any_pattern_matches_or_is_refused(pattern: str, text: str) -> None:
    result = rendered("{{ regexReplaceAll .P `<$0>` .T }}", {"P": pattern, "T": text})
    if result is not None:
        assert result.text.replace("<", "").replace(">", "") == text
