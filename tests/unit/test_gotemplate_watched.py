"""What a template of a file sees of watches; without them, the same template says what to do."""

import pytest

from corepilot.gotemplate import TemplateError, check, render
from corepilot.gotemplate.values import GoList, Record, UnansweredError, Value, Watches


def instance(address: str, port: int, *tags: str) -> Record:
    return Record("Instance", {"Address": address, "Port": port, "Tags": GoList(tags, "string")})


def entry(key: str, value: str) -> Record:
    return Record("Entry", {"Key": key, "Path": f"app/{key}", "Value": value})


def unanswered() -> Value:
    raise UnansweredError("late")


def watches() -> Watches:
    return Watches(
        {
            "web": (
                "service",
                "http-front",
                lambda: GoList([instance("10.0.0.1", 80, "a"), instance("::1", 81)], "Instance"),
            ),
            "limit": ("key", "app/limit", lambda: "12"),
            "absent": ("key", "app/absent", lambda: None),
            "settings": ("prefix", "app", lambda: GoList([entry("a", "1"), entry("b/c", "2")], "Entry")),
            "late": ("service", "late", unanswered),
        }
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ range service "web" }}{{ .Address }}:{{ .Port }},{{ end }}', "10.0.0.1:80,::1:81,"),
        ('{{ range service "http-front" }}{{ .Port }} {{ end }}', "80 81 "),
        ('{{ range .watches.web }}{{ if .Tags | contains "a" }}{{ .Port }}{{ end }}{{ end }}', "80"),
        ('{{ len (service "web") }} {{ (index (service "web") 1).Port }}', "2 81"),
        ('{{ key "limit" }} {{ key "app/limit" }} {{ .watches.limit }}', "12 12 12"),
        ('{{ keyExists "limit" }} {{ keyExists "absent" }} {{ keyOrDefault "absent" "7" }}', "true false 7"),
        ("{{ with .watches.absent }}there{{ else }}not there{{ end }}", "not there"),
        ('{{ range tree "settings" }}{{ .Key }}={{ .Value }} {{ end }}', "a=1 b/c=2 "),
        ('{{ range ls "app" }}{{ .Path }}{{ end }}', "app/a"),
        ('{{ .HOME }} {{ env "HOME" }}', "/root /root"),
        ('{{ (index .watches "limit") | printf "%q" }}', '"12"'),
    ],
)  # fmt: skip
def test_a_template_looks_at_watches_and_at_the_environment(template: str, text: str) -> None:
    assert render(template, {"HOME": "/root"}, watches()).text == text


@pytest.mark.parametrize(
    ("template", "rule"),
    [
        ('{{ service "wep" }}', "no watch of a service is called 'wep'; there are: late, web"),
        ('{{ key "web" }}', "no watch of a key is called 'web'; there are: absent, limit"),
        ("{{ .watches.wep }}", "there is no watch 'wep'; there are: absent, late, limit, settings, web"),
        ('{{ key "absent" }}', "there is no key behind the watch 'absent'; give a default: keyOrDefault \"absent\" …"),
        ('{{ range service "web" }}{{ .Addr }}{{ end }}', "Instance has no field .Addr; it has .Address, .Port, .Tags"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_named_with_what_there_is(template: str, rule: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template, {}, watches())
    assert rule in caught.value.message


def test_what_was_looked_at_is_known() -> None:
    seen = watches()
    render('{{ range service "http-front" }}{{ end }}{{ key "limit" }}', {}, seen)
    assert seen.used == {"web", "limit"}


@pytest.mark.parametrize("template", ['{{ service "late" }}', "{{ range .watches }}{{ end }}", "{{ .watches.late }}"])
def test_a_watch_of_which_nothing_is_known_makes_no_text(template: str) -> None:
    with pytest.raises(UnansweredError, match="late"):
        render(template, {}, watches())


def test_the_configuration_has_no_watches() -> None:
    with pytest.raises(TemplateError, match="templateFile"):
        render('{{ range service "web" }}{{ end }}', {})


def test_a_text_is_checked_without_being_executed() -> None:
    check('{{ range service "web" }}{{ .Address }}{{ end }}')
    check("no template")
    with pytest.raises(TemplateError) as caught:
        check('one line\n{{ range servise "web" }}{{ end }}')
    assert (caught.value.line, caught.value.column) == (2, 10)
    assert "did you mean 'service'" in caught.value.message
