"""docs/how-to/configuration-sources.md: its documents merge, and what it shows of them is what comes out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "configuration-sources.md").read_text()
COREPILOT = str(Path(sys.prefix) / "bin" / "corepilot")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with the page's documents: those whose first line says what file they are."""
    found = re.findall(r"^```json5 fragment\n// (conf\.d/\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == PAGE.count("json5 fragment") == 3
    (tmp_path / "conf.d").mkdir()
    for name, text in found:
        (tmp_path / name).write_text(f"// {name}\n{text}")
    return tmp_path


def check(here: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COREPILOT, "check", "-c", "conf.d"],
        cwd=here,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_documents_are_one_good_configuration(here: Path) -> None:
    done = check(here)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("conf.d: ok (3 jobs, 0 watches)\n")


def test_the_error_is_the_one_that_the_page_shows(here: Path) -> None:
    said = check(here, PORT='"none"').stdout
    shown = re.search(r"^conf\.d/20-team\.json5:.*$", PAGE, re.MULTILINE)
    assert shown
    assert shown[0] in said
