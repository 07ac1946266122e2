"""`render` in a configuration: what is refused, where, and what to do."""

from pathlib import Path

import pytest
from judging import accepted, codes, errors, judged, warnings

from corepilot.model.configuration import Render
from corepilot.model.trigger import OnEvent

JOBS = 'discovery: "embedded", watches: [{ name: "app" }], jobs: [{ name: "a", exec: "true" }]'


def text(render: str, more: str = JOBS) -> str:
    return f"{{ render: [{render}], {more} }}"


def test_a_file_has_a_name_a_template_and_a_moment(tmp_path: Path) -> None:
    (tmp_path / "t").write_text('{{ range service "app" }}{{ .Port }}{{ end }}')
    one = f'{{ templateFile: "{tmp_path}/t", to: "/etc/nginx/upstreams.conf" }}'
    two = (
        "{ template: 'x{{`{{ .HOME }}`}}', to: '/x/.env', mode: '600', when: { source: 'watch.app', each: 'healthy' } }"
    )
    three = '{ template: "", to: "/x/y", name: "other-name" }'
    result = judged(text(f"{one}, {two}, {three}"), tmp_path)
    assert warnings(result) == []
    assert accepted(text(f"{one}, {two}, {three}"), tmp_path).render == (
        Render("upstreams", '{{ range service "app" }}{{ .Port }}{{ end }}', "/etc/nginx/upstreams.conf"),
        Render("env", "x{{ .HOME }}", "/x/.env", OnEvent("healthy", "watch.app"), 0o600),
        Render("other-name", "", "/x/y"),
    )


@pytest.mark.parametrize(
    ("render", "code", "path", "words"),
    [
        ('{ to: "/x" }', "missing-key", "render[0].template", "templateFile"),
        ('{ template: "", templateFile: "t", to: "/x" }', "render-conflict", "render[0].templateFile", "one template"),
        ('{ template: "" }', "missing-key", "render[0].to", "to is required"),
        ('{ template: "", to: "x" }', "wrong-value", "render[0].to", "absolute path"),
        ('{ template: "", to: "/x", mode: "9" }', "wrong-value", "render[0].mode", "octal"),
        ('{ template: "", to: "/x", mode: "4755" }', "wrong-value", "render[0].mode", "octal"),
        ('{ template: "", to: "/x", name: "a b" }', "bad-name", "render[0].name", "letters"),
        ('{ template: "", to: "/x/a b" }', "bad-name", "render[0].to", "add a name"),
        ('{ template: "", to: "/x" }, { template: "", to: "/x" }', "render-conflict", "render[1].to", "the same file"),
        ('{ template: "", to: "/x" }, { template: "", to: "/y/x" }', "same-name", "render[1]", "of its own"),
        ('{ template: "", to: "/x", when: { each: "changed" } }', "missing-key", "render[0].when.source", "required"),
        ('{ template: "", to: "/x", when: { source: "a", each: "x" } }', "unknown-event", "render[0].when.each",
         "events"),
        ('{ template: "", to: "/x", when: { source: "a", once: "changed" } }', "unknown-key", "render[0].when.once",
         "each"),
        ('{ source: "t", destination: "/x", template: "", to: "/y" }', "unknown-key", "render[0].destination",
         "write to"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_its_place(render: str, code: str, path: str, words: str, tmp_path: Path) -> None:
    result = judged(text(render), tmp_path)
    assert (code, path) in codes(result)
    problem = next(one for one in errors(result) if one.path == path)
    assert words in problem.sentence()


def test_a_mistake_in_a_template_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "t").write_text('a\n{{ range servce "app" }}{{ end }}')
    result = judged(text(f'{{ templateFile: "{tmp_path}/t", to: "/x" }}'), tmp_path)
    assert codes(result) == [("template", "render[0].templateFile")]
    assert f"{tmp_path}/t:2:10: in {{{{ range servce" in errors(result)[0].message
    assert "did you mean 'service'?" in errors(result)[0].hint


@pytest.mark.parametrize("name", ["none", "directory", "latin", "long"])
def test_a_template_that_cannot_be_read_matters_where_it_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "long").write_text("x" * (1 << 20) + "x")
    config = text(f'{{ templateFile: "{tmp_path}/{name}", to: "/x" }}')
    assert codes(judged(config, tmp_path, judge_machine=True)) == [("template-file", "render[0].templateFile")]
    assert warnings(judged(config, tmp_path)) == [("template-file", "render[0].templateFile")]


def test_jobs_wait_for_files_and_what_never_comes_is_warned_of(tmp_path: Path) -> None:
    jobs = (
        'discovery: "embedded", watches: [{ name: "app" }], jobs: ['
        '{ name: "a", exec: "true", when: { source: "render.x", each: "changed" } }, '
        '{ name: "b", exec: "true", when: { source: "render.y", each: "changed" } }, '
        '{ name: "c", exec: "true", when: { source: "render.x", once: "stopped" } }]'
    )
    render = '{ template: "", to: "/x", when: { source: "watch.ap", each: "changed" } }'
    assert warnings(judged(text(render, jobs), tmp_path)) == [
        ("unknown-source", "render[0].when.source"),
        ("unknown-source", "jobs[1].when.source"),
        ("when-never", "jobs[2].when.once"),
    ]


def test_a_file_of_variables_alone_needs_neither_watches_nor_a_catalog(tmp_path: Path) -> None:
    alone = 'discovery: false, jobs: [{ name: "a", exec: "true", when: { source: "render.x", once: "healthy" } }]'
    assert warnings(judged(text('{ template: "{{`{{ .HOME }}`}}", to: "/x" }', alone), tmp_path)) == []


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('{{ service "ap" }}', 'no watch of a service is called "ap"; did you mean "app"?'),
        ('{{ key "app" }}', 'no watch of a key is called "app"; there are: limit, my/limit'),
        ('{{ if true }}{{ range tree "x" }}{{ end }}{{ end }}', 'no watch of a prefix is called "x"; add watches'),
        ("{{ define `x` }}{{ $.watches.other }}{{ end }}", 'no watch is called "other"; there are: app, limit'),
        ('{{ len (service "other") }}', 'column 17: no watch of a service is called "other"'),
    ],
)
def test_a_watch_that_there_is_not_is_refused(template: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(template)
    watches = 'watches: [{ name: "app" }, { name: "limit", key: "my/limit" }]'
    more = f'discovery: "embedded", {watches}, jobs: [{{ name: "a", exec: "true" }}]'
    inline = f"{{ template: '{{{{`{template.replace('`', chr(34))}`}}}}', to: '/x' }}"
    result = judged(text(inline, more), tmp_path)
    assert codes(result) == [("unknown-watch", "render[0].template")]
    assert words in errors(result)[0].sentence()
    good = '{{ service "app" }}{{ key "limit" }}{{ key "my/limit" }}{{ .watches.app }}{{ service (env "X") }}'
    assert errors(judged(text(f"{{ template: '{{{{`{good}`}}}}', to: '/x' }}", more), tmp_path)) == []
