"""Where each value of a configuration was written: in the file as the user has it, before its template."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import accepted

from corepilot.gotemplate import render
from corepilot.model.configuration import Configuration
from corepilot.model.origin import Origin, Origins

TEXT = """{
  discovery: false,
  logging: {{ .LOGGING | default "null" }},
  jobs: [
{{ range loop 2 }}    { name: "job{{ . }}",
      Health: { interval: 1, "ttl": 5, exec: ["/bin/true", "x"] } },
{{ end }}    null,
    { name: "last", "odd": null },
  ],
}
"""


@pytest.fixture
def config(tmp_path: Path) -> Configuration:
    return accepted(TEXT.replace(', "odd": null', ""), tmp_path)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("discovery", 2, 14),
        ("logging", 3, 12),
        ("jobs", 4, 9),
        ("jobs[0]", 5, 23),
        ("jobs[0].name", 5, 31),
        ("jobs[1].name", 5, 31),
        ("jobs[1].health.ttl", 6, 37),
        ("jobs[1].health.exec", 6, 46),
        ("jobs[3].name", 8, 13),
    ],
)
def test_each_value_has_the_place_where_the_file_has_it(
    config: Configuration, path: str, line: int, column: int
) -> None:
    assert config.origins.of(path) == Origin(config.location, line, column)


def test_what_is_not_written_has_the_place_of_what_is_around_it(config: Configuration) -> None:
    around = config.origins.of
    assert around("jobs[1].health.exec[1]") == around("jobs[1].health.exec")
    assert around("jobs[3].when.source") == around("jobs[3]")
    assert around("telemetry.port") is None
    assert Origins().of("jobs[0]") is None


def test_the_path_of_a_job_is_where_it_stands(config: Configuration) -> None:
    assert [config.origins.of(one.path) for one in config.jobs] == [
        Origin(config.location, 5, 23), Origin(config.location, 5, 23), Origin(config.location, 8, 5)
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["a", "\n", "{{ .A }}", "{{ .NONE }}", "ä"]), max_size=12))
def test_many_places_at_once_are_those_of_one_by_one(parts: list[str]) -> None:
    rendered = render("".join(parts), {"A": "x\ny"})
    offsets = range(len(rendered.text) + 1)
    assert rendered.places(offsets) == [
        (origin.line, origin.column) for origin in (rendered.origin(offset) for offset in offsets)
    ]
