"""The Dockerfiles: what an engine reads of them, held against what corepilot and tools/bundle need.

They are built in tests/containers/test_container_images.py.
"""

import json
import re
from pathlib import Path

import pytest
from bundling.layout import PROGRAMS
from bundling.making import NEEDED

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "images").glob("*.Dockerfile"))


def instructions(file: Path) -> list[tuple[str, str]]:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = (line.partition(" ") for line in text.splitlines() if line)
    return [(name, rest.strip()) for name, _, rest in found]


def last_stage(file: Path) -> dict[str, str]:
    said = instructions(file)
    begin = max(number for number, (name, _) in enumerate(said) if name == "FROM")
    return dict(said[begin:])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_image_starts_stops_and_is_asked_as_the_pages_say(file: Path) -> None:
    stage = last_stage(file)
    assert json.loads(stage["ENTRYPOINT"]) == ["corepilot"]
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert stage["HEALTHCHECK"].endswith('CMD ["corepilot", "health"]')
    page = (ROOT / "docs" / "how-to" / "container-health.md").read_text()
    assert f"HEALTHCHECK {stage['HEALTHCHECK']}" in page
    for label in ("title", "description", "licenses"):
        assert f'org.opencontainers.image.{label}="' in stage["LABEL"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_is_copied_and_linked_to_is_there(file: Path) -> None:
    for name, rest in instructions(file):
        if name in {"COPY", "RUN"}:
            for path in re.findall(r"/src/([\w/.*-]+)", rest):
                assert list(ROOT.glob(path)), path
            for program in re.findall(r"/opt/corepilot/bin/(\w+)", rest):
                assert program in {*PROGRAMS, "python"}


def test_the_packages_that_a_bundle_is_made_with_are_installed_first() -> None:
    said = next(rest for name, rest in instructions(ROOT / "images" / "bundle.Dockerfile") if name == "RUN")
    assert set(NEEDED.values()) <= set(said.split())
