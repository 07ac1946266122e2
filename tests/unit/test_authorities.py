from pathlib import Path
from typing import NamedTuple

import pytest

from corepilot.system import authorities


class Paths(NamedTuple):
    cafile: str | None = None
    capath: str | None = None


def test_the_first_file_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [tmp_path / "folder", tmp_path / "absent", tmp_path / "second", tmp_path / "third"]
    places[0].mkdir()
    for place in places[2:]:
        place.touch()
    monkeypatch.setattr(authorities, "PLACES", tuple(map(str, places)))
    assert authorities.elsewhere(Paths()) == str(places[2])


@pytest.mark.parametrize("paths", [Paths(cafile="/a"), Paths(capath="/b")])
def test_what_openssl_finds_itself_is_enough(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(authorities, "PLACES", (str(tmp_path / "file"),))
    assert authorities.elsewhere(paths) == ""


def test_a_system_without_any_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "PLACES", ("/no/such/file",))
    assert authorities.elsewhere(Paths()) == ""
