"""Every example in the documentation is a configuration that works, and every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("backends/*/*.md"),
        *ROOT.glob("plugins/*/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
_FENCE = re.compile(r"^ *```(?P<info>[^\n`]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+)$", re.MULTILINE)
# Beside a page's examples: parts of a configuration, marked as such.
_INFO_STRINGS = {"", "json5", "json5 fragment", "python", "sh", "text", "ini", "toml", "console", "mermaid"}
_INFO_STRINGS |= {"dockerfile", "yaml"}  # for other programs


def blocks(page: Path) -> list[tuple[int, str, str]]:
    """(line, info string, text) of each fenced block."""
    text = page.read_text()
    return [
        (text.count("\n", 0, match.start()) + 1, match["info"].strip(), match["text"])
        for match in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """The page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text()))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


EXAMPLES = [
    pytest.param(text, id=f"{name(page)}:{line}")
    for page in PAGES
    for line, info, text in blocks(page)
    if info == "json5"
]
FILES = sorted(ROOT.glob("examples/**/*.json5"))


def check(file: Path) -> None:
    command = [str(Path(sys.prefix) / "bin" / "corepilot"), "check", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_row_belongs_to_a_table(page: Path) -> None:
    """A blank line ends a table: the rows below it would be shown as text."""
    lines = _FENCE.sub("", page.read_text()).splitlines()
    begins = [
        number for number, line in enumerate(lines) if line.startswith("|") and not lines[number - 1].startswith("|")
    ]
    lost = [lines[number] for number in begins if not re.match(r"\| *:?-", lines[number + 1])]
    assert lost == []


def test_the_front_page_has_an_example() -> None:
    assert [info for _, info, _ in blocks(ROOT / "README.md")].count("json5") >= 1


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_good_configuration(text: str, tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text(text)
    check(file)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_an_examples_file_is_a_good_configuration(file: Path) -> None:
    check(file)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_says_what_it_is(page: Path) -> None:
    assert [(line, info) for line, info, _ in blocks(page) if info not in _INFO_STRINGS] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for match in _LINK.finditer(prose(page)):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue  # somewhere else in the world
        file = (page.parent / target).resolve() if target else page
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(file)):
            broken.append(match["target"])
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What its headings are called in links, as GitHub makes them."""
    titles = (match["title"] for match in _HEADING.finditer(_FENCE.sub("", page.read_text())))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_can_be_reached_from_the_front_page() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        if page.suffix == ".md":
            targets = (match["target"].partition("#")[0] for match in _LINK.finditer(prose(page)))
            files = ((page.parent / target).resolve() for target in targets if target and ":" not in target)
            left += [file for file in files if file.is_file()]
    assert [name(page) for page in PAGES if page not in seen and page.is_relative_to(ROOT / "docs")] == []


def test_the_page_of_the_examples_has_each_of_them_and_each_is_walked_in_the_tests() -> None:
    page = (ROOT / "docs" / "tutorial" / "examples.md").read_text()
    walks = "".join(file.read_text() for file in (ROOT / "tests" / "integration").glob("test_*.py"))
    for run in sorted(ROOT.glob("examples/*/run")):
        example = run.parent.name
        assert f"(../../examples/{example}/README.md)" in page, f"{example} is missing on the page"
        assert f'walk("{example}"' in walks, f"no test walks through {example}"
