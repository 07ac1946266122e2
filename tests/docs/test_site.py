"""The documentation as a site: it builds, and no link leads nowhere."""

import re
import sys
from pathlib import Path

from documentation import build

PROGRAMS = Path(sys.executable).parent
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_page_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    assert build(PROGRAMS, tmp_path) == 0
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert {page for page in pages if not (tmp_path / f"{page}.html").exists()} == set()


def test_the_index_names_every_page() -> None:
    named = set(re.findall(r"\(([\w/-]+\.md)\)", (DOCS / "index.md").read_text()))
    assert {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - named - {"index.md"} == set()
