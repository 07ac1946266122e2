"""What the README of a new plugin tells its users to write is a configuration that corepilot takes."""

import re
import subprocess
from pathlib import Path

import pytest
from foreign import python_with, write_distribution

from corepilot.cli.new_plugin import files_of

_JOB = '{{name: "web", exec: "true", {} }}'


@pytest.mark.parametrize("kind", ["backend", "sink", "check", "observer"])
def test_the_use_in_the_readme_is_taken(kind: str, tmp_path: Path) -> None:
    files = files_of(kind, "mine")
    site = tmp_path / "site"
    write_distribution(site, "corepilot-mine", "1", f"[corepilot.{kind}s]\nmine = corepilot_mine.plugin\n", {})
    (site / "corepilot_mine").mkdir()
    for path, text in files.items():
        if path.startswith("corepilot_mine/"):
            (site / path).write_text(text)
    [use] = re.findall(r"^```json5 fragment\n(.*)\n```$", files["README.md"], re.MULTILINE)
    inner, outer = (use, "") if kind == "check" else ("", use)
    file = tmp_path / "c.json5"
    file.write_text(f"{{ {outer} jobs: [{_JOB.format(inner)}] }}")
    python = python_with(site, tmp_path / "python")
    answer = subprocess.run(
        [str(python), "-I", "-m", "corepilot", "check", str(file)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
