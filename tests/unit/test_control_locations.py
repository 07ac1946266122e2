import os
import socket
from pathlib import Path

import pytest

from corepilot.control.locations import DEFAULT_PATH, SocketAddress, is_there, peer_of, socket_locations, why_unsafe

PRIVATE = f"/tmp/corepilot-{os.geteuid()}/control.socket"


def test_a_configured_place_is_the_only_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (place,) = socket_locations("sub/../x.socket", {"XDG_RUNTIME_DIR": "/run/user/7"})
    assert place.path == f"{tmp_path}/x.socket"
    assert place.configured


def test_the_default_places_in_order() -> None:
    places = socket_locations(None, {"XDG_RUNTIME_DIR": "/run/user/7"})
    assert [place.path for place in places] == [DEFAULT_PATH, "/run/user/7/corepilot/control.socket", PRIVATE]
    assert [place.own_directory for place in places] == [False, True, True]


@pytest.mark.parametrize("environment", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "relative"}])
def test_a_runtime_directory_that_is_none_is_passed_over(environment: dict[str, str]) -> None:
    assert [place.path for place in socket_locations(None, environment)] == [DEFAULT_PATH, PRIVATE]


def test_a_path_of_any_length_can_be_bound_and_reached(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    path = str(directory / "x.socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with SocketAddress(path) as address:
            server.bind(address)
        server.listen(1)
        with SocketAddress(path) as address:
            client.connect(address)
        assert peer_of(client) == (os.getpid(), os.geteuid())
    assert os.path.exists(path)


def test_only_a_directory_that_others_cannot_write_is_safe(tmp_path: Path) -> None:
    assert why_unsafe(str(tmp_path)) == ""
    child = tmp_path / "child"
    child.mkdir()
    tmp_path.chmod(0o777)
    assert why_unsafe(str(child)) == f"{tmp_path} can be written by everybody"
    tmp_path.chmod(0o1777)
    assert why_unsafe(str(child)) == ""


def test_a_safe_looking_link_into_an_unsafe_directory_is_unsafe(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open")
    assert "can be written by everybody" in why_unsafe(str(tmp_path / "link"))


def test_a_directory_of_another_user_is_unsafe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert why_unsafe(str(tmp_path)) == f"{tmp_path} belongs to another user (uid {tmp_path.stat().st_uid})"


def test_a_socket_is_where_clients_look(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    path = str(tmp_path / "x.socket")
    assert is_there(path, f"{tmp_path}/link/./x.socket", {})
    assert not is_there(path, f"{tmp_path}/y.socket", {})
    assert not is_there(path, None, {})
    assert is_there(PRIVATE, None, {})
    assert is_there(DEFAULT_PATH, None, {})
