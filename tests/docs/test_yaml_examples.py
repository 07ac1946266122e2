"""Every YAML example is one that Kubernetes or Compose takes: it is held against their schemas, unknown keys included.

A part of a container of Kubernetes is put into a pod first.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FENCE = "```yaml\n"


def examples() -> list[tuple[str, str]]:
    """(page and number, text)"""
    found = []
    for page in sorted(ROOT.glob("docs/**/*.md")):
        parts = page.read_text().split(FENCE)[1:]
        found += [(f"{page.name}-{number}", part.partition("```")[0]) for number, part in enumerate(parts)]
    return found


def compose(text: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    file = directory / "compose.yaml"
    file.write_text(text)
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def kubernetes(document: dict[str, Any]) -> None:
    if "apiVersion" not in document:
        container = {"name": "app", "image": "example/app", **document}
        spec = {"containers": [container]}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"}, "spec": spec}
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in examples()])
def test_an_example_is_what_its_reader_takes(text: str, tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(text))
    if "services" in documents[0]:
        answer = compose(text, tmp_path)
        assert answer.returncode == 0, answer.stdout
    else:
        for document in documents:
            kubernetes(document)


def test_what_is_misspelt_is_found(tmp_path: Path) -> None:
    """A control for the test above."""
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes({"livenessProbe": {"exec": {"command": ["true"]}, "periodSecond": 1}})
    assert compose("services: {a: {image: b, stop_grace: 1s}}", tmp_path).returncode == 1
