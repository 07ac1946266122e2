"""The bundle as a file: its size, what is in it, and its papers.

That the same input gives the same bytes is asked of a bundle that is made in an image: test_container_images.py.
"""

import json
import os
import tarfile
from pathlib import Path

import pytest
from bundles import EPOCH, ROOT, bundle

pytestmark = pytest.mark.timeout(900)  # the first test may have to make the bundle

MB = 1_000_000


@pytest.fixture(scope="module")
def folder() -> Path:
    return bundle() / "corepilot"


@pytest.fixture(scope="module")
def archive() -> Path:
    return next(bundle().glob("corepilot-*-linux-*.tar.gz"))


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def test_it_is_small(folder: Path, archive: Path) -> None:
    assert archive.stat().st_size <= 18 * MB
    assert sum(file.stat().st_size for file in files_of(folder)) <= 50 * MB


def test_the_archive_is_the_folder_sorted_and_without_an_owner(folder: Path, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == ["corepilot", *(f"corepilot/{path.relative_to(folder)}" for path in sorted(folder.rglob("*")))]
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members} == {
        (0, 0, "", "", EPOCH)
    }
    assert {oct(member.mode) for member in members} == {"0o644", "0o755"}


def test_there_is_code_without_sources_and_nothing_of_the_machine_that_made_it(folder: Path) -> None:
    files = files_of(folder)
    assert [file for file in files if file.suffix == ".py"] == []
    places = [str(ROOT).encode(), b"/tmp/", os.path.expanduser("~").encode() + b"/", b"corepilot-bundle-"]
    ours = [file for file in files if "corepilot" in str(file.relative_to(folder))]
    for file in ours:
        data = file.read_bytes()
        assert not [place for place in places if place in data.replace(b"/tmp/corepilot", b"")], file


def test_every_part_is_listed_with_its_licence(folder: Path) -> None:
    listed = json.loads((folder / "sbom.cdx.json").read_text())
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    names = {component["name"].replace(".", "-").replace("_", "-"): component for component in listed["components"]}
    for metadata in folder.glob("lib/python*/*-packages/*.dist-info"):
        name, _, version = metadata.stem.rpartition("-")
        assert names[name.replace("_", "-")]["version"] == version
    assert {"libc6", "libssl3", "musl-dev", "libgcc-s1", "corepilot-consul", "gevent"} <= set(names)
    for component in listed["components"]:
        assert component["purl"].startswith("pkg:")
        assert component["licenses"]
    texts = {path.name for path in (folder / "licenses").iterdir()}
    assert {"libc6-copyright", "musl-dev-copyright", "LGPL-2.1", "GPL-3"} <= texts
    assert all((folder / "licenses" / text).stat().st_size for text in texts)
