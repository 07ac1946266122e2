"""Parts of making a bundle that go wrong on other machines."""

from pathlib import Path

import pytest
from bundling import archive, libraries, making, packages

REAL_LOADER = Path("/lib64/ld-linux-x86-64.so.2")


def test_a_loader_that_is_built_otherwise_is_refused(tmp_path: Path) -> None:
    loader = tmp_path / "ld.so"
    loader.write_bytes(b"\x7fELF /etc/ld.so.preload\0")
    with pytest.raises(SystemExit, match=r"does not hold .* as the loader of Debian does"):
        libraries.confined(loader)


def test_the_loader_keeps_its_length_and_changes_in_its_places_only() -> None:
    before, after = REAL_LOADER.read_bytes(), libraries.confined(REAL_LOADER)
    assert len(before) == len(after)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert {other for _, other in changed} == {1}
    assert {one for one, _ in changed} == set(b"lue")  # of /lib, /usr and /etc
    assert b"\0/lib/\0" not in after


def test_without_git_the_time_is_the_earliest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert making.moment() == making.EARLIEST


@pytest.mark.parametrize(("given", "moment"), [("1500000000", 1_500_000_000), ("0", 315_532_800)])
def test_the_time_can_be_given(given: str, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    assert making.moment() == moment


def test_a_time_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    with pytest.raises(SystemExit, match="SOURCE_DATE_EPOCH='now': it is a number of seconds"):
        making.moment()


def test_what_no_container_can_use_is_taken_out(tmp_path: Path) -> None:
    kept = ["gevent/hub.py", "gevent/a.so", "corepilot/data/new_plugin/x.py.in", "x-1.dist-info/METADATA", "plain.py"]
    gone = [
        *("gevent/a.c", "gevent/a.pyi", "gevent/tests/t.py", "requests/api.py", "requests-2.dist-info/METADATA"),
        *("x-1.dist-info/RECORD", "x-1.dist-info/direct_url.json", "bin/x", "corepilot/testing/suite.py", "notes.txt"),
    ]
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    packages.trim(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_modes_and_times_are_the_same_whatever_the_umask_was(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    for name, mode in (("bin/program", 0o600), ("data", 0o600), ("loader", 0o700)):
        (tmp_path / name).touch(mode)
    archive.settle(tmp_path, 1_500_000_000)
    modes = {str(path.relative_to(tmp_path)): oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert modes == {"bin": "0o755", "bin/program": "0o755", "data": "0o644", "loader": "0o755"}
    assert {path.stat().st_mtime for path in (tmp_path, *tmp_path.rglob("*"))} == {1_500_000_000}
