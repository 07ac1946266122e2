"""Rendered text and where it came from, the words of errors, and what importing and rendering cost."""

import subprocess
import sys

import pytest

from corepilot.gotemplate import Origin, Rendered, TemplateError, render


def failure(text: str, **environment: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, environment)
    return caught.value


def test_text_without_an_action_is_the_text_itself() -> None:
    text = "{ a: 1 }\n}} \udcff é"
    rendered = render(text, {})
    assert rendered.text is text
    assert rendered.origin(9) == Origin(2, 1, None, ())
    assert rendered.origin(len(text)) == Origin(2, 7, None, ())
    assert rendered.unset_near(0, len(text)) == ()


def test_a_variable_is_given_in_full() -> None:
    assert render("{{ .A }}|{{ env `A` }}|{{ index . `A` }}", {"A": "a=b=c"}).text == "a=b=c|a=b=c|a=b=c"


def test_the_environment_may_be_any_mapping_and_is_not_changed() -> None:
    environment = {"A": "1"}
    render("{{ $ = 5 }}{{ .A }}{{ .B }}", environment)
    assert environment == {"A": "1"}


def test_an_origin_of_literal_text_is_its_own_place() -> None:
    rendered = render("a\n  {{- .X }}b\nc", {"X": "12"})
    assert rendered.text == "a12b\nc"
    assert [rendered.origin(offset) for offset in (0, 3, 5)] == [
        Origin(1, 1, None, ()),
        Origin(2, 12, None, ()),
        Origin(3, 1, None, ()),
    ]


def test_an_origin_of_printed_text_is_its_action() -> None:
    rendered = render("port: {{ .PORT | default 80 }},", {})
    assert rendered.text == "port: 80,"
    assert rendered.origin(6) == rendered.origin(7) == Origin(1, 7, "{{ .PORT | default 80 }}", ("PORT",))
    assert rendered.origin(8) == Origin(1, 31, None, ())


def test_an_origin_inside_a_loop_or_template_is_the_place_of_its_text() -> None:
    rendered = render("{{ define `d` }}<{{ . }}>{{ end }}\n{{ range loop 2 }}{{ template `d` . }}{{ end }}", {})
    assert rendered.text == "\n<0><1>"
    assert rendered.origin(1) == rendered.origin(4) == Origin(1, 17, None, ())
    assert rendered.origin(5) == Origin(1, 18, "{{ . }}", ())


def test_the_end_of_the_text_has_an_origin() -> None:
    assert render("ab{{ .X }}", {}).origin(2) == Origin(1, 3, "{{ .X }}", ("X",))
    assert render("ab{{ .X }}cd", {}).origin(4) == Origin(1, 13, None, ())
    assert render("{{/* nothing */}}", {}).origin(0) == Origin(1, 1, None, ())


@pytest.mark.parametrize("offset", [-1, 3])
def test_an_offset_outside_of_the_text_has_no_origin(offset: int) -> None:
    with pytest.raises(IndexError, match="cannot tell the origin"):
        render("ab", {}).origin(offset)


def test_an_action_that_printed_nothing_for_want_of_a_variable_is_found() -> None:
    rendered = render("{ port: {{ .PORT }}, name: '{{ .NAME }}' }", {"NAME": "x"})
    assert rendered.text == "{ port: , name: 'x' }"
    comma = rendered.text.index(",")
    assert rendered.unset_near(comma, comma) == ("PORT",)
    assert rendered.unset_near(0, comma - 1) == ()
    assert rendered.unset_near(comma + 1, len(rendered.text)) == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ .B }}{{ .A }}{{ .B }}", ("B", "A")),
        ("{{ env `A` }}", ("A",)),
        ("{{ index . `A-B` }}", ("A-B",)),
        ("{{ printf `%s%s` .A (env .SET) }}", ("A", "v")),
        ("{{ $x := .A }}{{ $x }}", ("A",)),
        ("{{ $x := .SET }}{{ $x = .A }}{{ $x }}", ("A",)),
        ("{{ if .A }}x{{ end }}", ("A",)),
        ("{{ with .A }}x{{ end }}", ("A",)),
        ("{{ range .A | split `,` }}x{{ end }}", ("A",)),
        ("{{ template `t` .A }}{{ define `t` }}{{ . }}{{ end }}", ("A",)),
        ("{{ .SET }}", ()),
        ("{{ .EMPTY }}", ()),
        ("{{ or .SET .A }}", ()),
    ],
)
def test_variables_that_are_not_set_are_named(text: str, names: tuple[str, ...]) -> None:
    rendered = render(text, {"SET": "v", "EMPTY": ""})
    assert rendered.unset_near(0, len(rendered.text)) == names


def test_parts_of_a_character_that_follow_one_another_become_it() -> None:
    rendered = render("<{{ slice .U 0 1 }}{{ slice .U 1 }}>{{ slice .U 1 }}{{ .X }}!", {"U": "é"})
    assert rendered.text == "<é>\udca9!"
    assert rendered.origin(1).action == "{{ slice .U 1 }}"
    assert rendered.origin(2) == Origin(1, 36, None, ())
    assert rendered.origin(4) == Origin(1, 61, None, ())
    assert rendered.unset_near(4, 4) == ("X",)


def test_bytes_of_the_environment_that_are_not_utf8_go_through() -> None:
    assert render("{{ .A }}{{ len .A }}{{ printf `%q` .A }}", {"A": "a\udcff"}).text == 'a\udcff2"a\\xff"'
    assert (
        render("{{ range $k, $v := . }}{{ $k }}{{ end }}", {"\udcff": "", "\uffff": "", "b": ""}).text
        == "b\uffff\udcff"
    )


def test_a_pointer_is_printed_as_some_number() -> None:
    assert int(render("{{ printf `%p` . }}", {}).text, 16) > 0
    assert int("0x" + render("{{ printf `%#p` (loop 1) }}", {}).text, 16) > 0


def test_an_origin_does_not_change_and_can_be_compared() -> None:
    origin = Origin(1, 2, None, ())
    with pytest.raises(AttributeError, match="does not change"):
        origin.line = 3
    assert {origin: 1}[Origin(1, 2, None, ())] == 1
    assert origin != (1, 2, None, ())
    assert repr(origin) == "Origin(line=1, column=2, action=None, unset=())"


def test_an_error_tells_its_place_and_its_action() -> None:
    error = failure("a\n  port: {{ .PORT.NUMBER }}", PORT="1")
    assert (error.line, error.column, error.name) == (2, 17, "")
    assert error.message == (
        "in {{ .PORT.NUMBER }}: a string has no field .NUMBER; only the environment has names, in one level"
    )
    assert str(error) == f"cannot render template (line 2, column 17): {error.message}"


def test_an_error_inside_a_defined_template_names_it() -> None:
    error = failure("{{ define `job` }}{{ index . 9 }}{{ end }}{{ template `job` (loop 3) }}")
    assert error.name == "job"
    assert str(error) == (
        "cannot render template (line 1, column 22, in template 'job'): in {{ index . 9 }}: "
        "cannot call index: the index 9 is out of range; the last one is 2"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ .A | defualt 1 }}", "in {{ .A | defualt 1 }}: there is no function 'defualt'; did you mean 'default'?"),
        ("{{ Replaceall }}", "did you mean 'replaceAll'?"),
        ("{{ joni `,` .A }}", "did you mean 'join'?"),
        ("{{ splt `,` .A }}", "did you mean 'split'?"),
        ("{{ evn `A` }}", "did you mean 'env'?"),
        ("{{ serverx }}", "there is no function 'serverx'; besides Go's there are default, env, join, loop, regexRepl"),
        ("{{ serverx }}", "split, cpus, memory, and in a template of render contains, key, keyExists, keyOrDefault"),
        ("{{ serverx }}", "ls, service, tree (docs/reference/configuration.md). A variable is written with a dot"),
        ("{{ get `A` }}", "there is no function 'get'; besides Go's"),
        ("{{ json .A }}", "there is no function 'json'; besides Go's"),
        ("{{ add 1 2 }}", "there is no function 'add'; besides Go's"),
        ("{{ PORT_NUMBER }}", "A variable is written with a dot: .PORT_NUMBER"),
        ("{{ if .A }}", "the template ends inside a block; a block needs {{ end }}"),
        ("{{ end }}", "in {{ end }}: {{ end }} belongs to no block"),
        ("{{ .A ", "the action is not closed; it needs }}"),
        ("{{ (.A }}", "a left parenthesis is not closed in this action"),
        ("{{ $x }}", "the variable $x is not declared here; declare it with $x := …"),
        ("{{ 1 | 2 }}", "stage 2 of the pipeline takes no value"),
        ("{{ range .A }}x{{ end }}", "a range cannot go over a string; it takes a list, an integer or a map"),
        ("{{ range .A }}x{{ end }}", '{{ range .NAME | split "," }} makes a list of a string'),
        ("{{ join `,` .A }}", "a []string is expected here, not a string"),
        ("{{ eq .A 1 }}", "values of types string and int cannot be compared"),
        ("{{ eq .A 1 }}", "variables are strings, so write the number in quotes"),
        ("{{ env }}", "env takes 1 argument, not 0"),
        ("{{ printf }}", "printf takes at least 1 argument, not 0"),
        ("{{ template `x` }}", "there is no template 'x'; defined are: none"),
        ("{{ regexReplaceAll `(?=a)` `` .A }}", "the regular expression is wrong at its character 2: (? must be"),
        ("{{ 99999999999999999999 }}", "the integer 99999999999999999999 does not fit in 64 bits"),
        ("{{ a.b + c }}", "there is no function 'a'"),
        ("{{ .A+1 }}", "the character '+' cannot follow '.A' without a space"),
    ],
)  # fmt: skip
def test_an_error_tells_the_rule_and_what_to_do(text: str, message: str) -> None:
    assert message in failure(text, A="a").message


def test_an_error_does_not_show_the_value_of_a_variable() -> None:
    for text in ("{{ loop .A }}", "{{ regexReplaceAll .A `` `` }}", "{{ .A.B }}", "{{ index .A .A }}", "{{ eq 1 .A }}"):
        assert "secret" not in str(failure(text, A="secret("))


def test_a_long_action_is_shortened_in_an_error() -> None:
    error = failure("{{ print `" + "x" * 200 + "`\n\n .A.B }}", A="a")
    assert "in {{ print `" + "x" * 69 + "…: a string" in error.message
    assert error.line == 3


def test_rendering_twice_through_the_package_works() -> None:
    import corepilot.gotemplate as package

    assert isinstance(package.render("{{ 1 }}", {}), Rendered)
    assert package.render("{{ 2 }}", {}).text == "2"


def test_importing_and_rendering_load_nothing_heavy() -> None:
    program = (
        "import sys; sys.path.insert(0, '.'); before = set(sys.modules)\n"
        "import corepilot.gotemplate as g\n"
        "light = set(sys.modules) - before\n"
        "g.render('a', {})\n"
        "assert set(sys.modules) - before == light, 'plain text costs imports'\n"
        "g.render('{{ if .A }}{{ .B | default `x` }}{{ end }}{{ printf `%d` 1 }}', {})\n"
        "g.render('{{ regexReplaceAll `a` `b` `c` }}', {})\n"
        "heavy = {'re', 'typing', 'inspect', 'dataclasses', 'collections', 'enum', 'gevent'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)), len(light))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] 6\n"
