"""The pages for authors of plugins show the examples as they are, and the public API as it is documented."""

import ast
import re
from pathlib import Path

import authors_api
import pytest

from corepilot.plugin.hookspec import API_VERSION, KINDS

ROOT = Path(__file__).resolve().parents[2]
AUTHORS = ROOT / "docs" / "authors"
EXAMPLES = ROOT / "examples" / "plugins"
FILE = re.compile(r"^`(?P<path>[\w./-]+)`:\n\n```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
OF_KIND = {
    "sinks": "graphite", "sources": "gzip", "checks": "freshness", "observers": "runlog", "commands": "wait-for",
}  # fmt: skip


def test_the_api_page_is_made_from_the_docstrings() -> None:
    page = (AUTHORS / "api.md").read_text()
    assert page == authors_api.page(), "run: python tools/authors_api.py > docs/authors/api.md"


def test_every_public_name_is_documented() -> None:
    page = authors_api.page()
    for module, names in authors_api.PUBLIC.items():
        assert f"## {module}\n" in page
        for name in names:
            entry = re.search(rf"^### `(?:class )?{name}\b.*\n\n(?P<text>.+)$", page, re.MULTILINE)
            assert entry, f"{module}.{name}"
            assert len(entry["text"]) > 10, f"{module}.{name} has no docstring"


def test_the_examples_import_only_what_is_public() -> None:
    public = {f"{module}.{name}" for module, names in authors_api.PUBLIC.items() for name in names}
    for file in EXAMPLES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "corepilot":
                strange = {f"{node.module}.{one.name}" for one in node.names} - public
                assert not strange, f"{file} imports {strange}"


def test_the_suite_of_every_kind_is_public() -> None:
    for kind in KINDS.values():
        module, _, name = kind.suite.partition(":")
        assert name in authors_api.PUBLIC[module]


def test_there_is_a_page_for_every_kind() -> None:
    assert {f"{kind}s" for kind in KINDS} == {*OF_KIND, "backends"}
    index = (AUTHORS / "index.md").read_text()
    for kind in KINDS.values():
        assert f"| `{kind.group}` |" in index
        assert f"({kind.name}s.md)" in index


@pytest.mark.parametrize(("page", "name"), OF_KIND.items())
def test_a_page_shows_its_example_as_it_is(page: str, name: str) -> None:
    shown = {found["path"]: found["text"] for found in FILE.finditer((AUTHORS / f"{page}.md").read_text())}
    assert len(shown) == 3
    for path, text in shown.items():
        assert text == (EXAMPLES / f"corepilot-{name}" / path).read_text(), (
            f"{path} has changed: copy it into {page}.md"
        )


def test_the_policy_names_the_version() -> None:
    assert f"This corepilot has version {API_VERSION}." in (AUTHORS / "api-policy.md").read_text()
