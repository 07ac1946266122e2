"""Our scan of the metadata and stevedore's must give the same answer, each in an interpreter of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corepilot.plugin.installed import GROUPS, scan

# stevedore reads its disk cache even where it may not write one; a cache directory that cannot exist turns both off.
STEVEDORE = """
import json, sys
sys.path[:0] = sys.argv[1:]
from stevedore import NamedExtensionManager
found = []
from corepilot.plugin.installed import GROUPS
for group in sorted(GROUPS):
    for one in NamedExtensionManager(group, names=[]).list_entry_points():
        found.append([one.group, one.name, one.module, one.attr or ""])
print(json.dumps(found))
"""


def of_stevedore(path: list[str]) -> list[Any]:
    result = subprocess.run(
        [sys.executable, "-I", "-c", STEVEDORE, *path],
        env={**os.environ, "XDG_CACHE_HOME": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return sorted(json.loads(result.stdout))


def of_ours(path: list[str]) -> list[Any]:
    code = "import sys, json; sys.path[:0] = sys.argv[1:]; from corepilot.plugin.installed import scan; "
    code += "print(json.dumps([[p.group, p.name, p.module, p.attribute] for p in scan()]))"
    checkout = str(Path(__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.append({checkout!r}); {code}", *path],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return sorted(json.loads(result.stdout))


def write(where: Path, directory: str, entries: str, metadata: str = "") -> None:
    info = where / directory
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(entries)
    if metadata:
        (info / ("METADATA" if directory.endswith("dist-info") else "PKG-INFO")).write_text(metadata)


def test_the_same_answer_for_what_is_installed_here() -> None:
    assert of_ours([]) == of_stevedore([])
    assert {one.group for one in scan()} <= set(GROUPS)


def test_the_same_answer_for_odd_installations(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "plain-1.0.dist-info", "[corepilot.backends]\na = m.plugin\n", "Name: plain\nVersion: 1.0\n")
    write(one, "Odd_Name-2.dist-info", "[corepilot.sinks]\nb = m:x.y\nc = m : z [extra]\n", "Name: Odd.Name\n")
    write(one, "egg.egg-info", "# comment\n\n[corepilot.sources]\nd=m\n", "Name: egg\nVersion: 1\n")
    write(one, "other-1.dist-info", "[console_scripts]\ncorepilot = m:main\n", "Name: other\nVersion: 1\n")
    write(two, "odd_name-1.dist-info", "[corepilot.sinks]\nhidden = m\n", "Name: odd-name\nVersion: 1\n")
    write(two, "clash-1.dist-info", "[corepilot.backends]\na = other\n", "Name: clash\nVersion: 1\n")
    paths = [str(one), str(two), str(tmp_path / "missing")]
    ours = of_ours(paths)
    assert ours == of_stevedore(paths)
    names = [name for _, name, _, _ in ours]
    assert names.count("a") == 2
    assert "hidden" not in names


def test_the_same_answer_for_two_versions_of_one_distribution_in_one_directory(tmp_path: Path) -> None:
    # What an upgrade leaves behind that was interrupted. Which of them counts is the order of the directory, for both.
    for version in range(6):
        entries = f"[corepilot.backends]\nx = m{version}\n"
        write(tmp_path, f"twice-{version}.dist-info", entries, f"Name: twice\nVersion: {version}\n")
    ours = of_ours([str(tmp_path)])
    assert ours == of_stevedore([str(tmp_path)])
    assert [name for _, name, _, _ in ours].count("x") == 1


@pytest.mark.parametrize("finder", [False, True], ids=["path file", "import hook"])
def test_the_file_of_an_editable_installation_is_the_real_one(tmp_path: Path, *, finder: bool) -> None:
    source, site = tmp_path / "src", tmp_path / "site"
    (source / "note_edit").mkdir(parents=True)
    (source / "note_edit" / "__init__.py").write_text("raise RuntimeError('imported')")
    (source / "note_edit" / "plugin.py").touch()
    entries = "[corepilot.backends]\nnote = note_edit.plugin\n"
    write(site, "note_edit-1.dist-info", entries, "Name: note-edit\nVersion: 1\n")
    # The two ways of setuptools: a line in a .pth file, or a finder on sys.meta_path.
    if finder:
        (site / "edit_finder.py").write_text(
            "import sys, importlib.util\n"
            "class Finder:\n"
            "    @staticmethod\n"
            "    def find_spec(name, path=None, target=None):\n"
            "        if name == 'note_edit':\n"
            f"            where = {str(source / 'note_edit')!r}\n"
            "            return importlib.util.spec_from_file_location(\n"
            "                name, where + '/__init__.py', submodule_search_locations=[where])\n"
            "sys.meta_path.append(Finder)\n"
        )
        (site / "edit.pth").write_text("import edit_finder\n")
    else:
        (site / "edit.pth").write_text(f"{source}\n")
    code = "import site, sys; sys.path.append(sys.argv[2]); site.addsitedir(sys.argv[1]); "
    code += "from corepilot.plugin.installed import find; print(find('corepilot.backends', 'note').file)"
    result = subprocess.run(
        [sys.executable, "-I", "-c", code, str(site), str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == str(source / "note_edit" / "plugin.py")
