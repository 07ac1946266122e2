"""Finding the control socket in files that are not quite right."""

from pathlib import Path

import pytest

from corepilot.config.loading.peek import control_socket, identify
from corepilot.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{control: {socket: "/run/a"}, jobs: []}', "/run/a"),
        ('{control: {SOCKET: "{{ .DIR }}/a"}}', "/dir/a"),
        ('{jobs: [{port: {{ .PORT }}, name: "x"}], "control": { "socket": \'/run/b\' } }', "/run/b"),
        ("{jobs: [{port: {{ .PORT }} }]}", None),
        (r'{"\u0063ontrol": {socket: "/run/c"}}', "/run/c"),
        ("{jobs: []}", None),
        ('{control: "x"}', None),
        ("{control: {socket: 5}}", None),
        ("{{ if }}", None),
        ("[", None),
    ],
)  # fmt: skip
def test_the_socket_is_found_where_it_stands(tmp_path: Path, text: str, path: str | None) -> None:
    (tmp_path / "config").write_text(text)
    assert control_socket((str(tmp_path / "config"),), {"DIR": "/dir"}) == path


def test_of_several_documents_the_last_socket_counts(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "1.json5").write_text('{control: {socket: "/run/1"}}')
    (tmp_path / "conf.d" / "2.json5").write_text("{control: {strict: true}}")
    (tmp_path / "none").write_text("{control: null}")
    directory, environment = str(tmp_path / "conf.d"), {"X": '{control: {Socket: "/run/x"}}'}
    assert control_socket((directory,), {}) == "/run/1"
    assert control_socket((directory, "env:X"), environment) == "/run/x"
    assert control_socket(("env:X", directory), environment) == "/run/1"
    assert control_socket((directory, str(tmp_path / "none")), {}) is None


def test_no_server_is_asked_and_no_plugin_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{control: {socket: "/run/a"}}')
    locations = (str(tmp_path / "a"), "http://127.0.0.1:1/x?y", "nobody:reads-this")
    found = identify(locations, {})
    assert (found.name, found.socket) == (f"{tmp_path}/a, http://127.0.0.1:1/x?…, nobody:reads-this", "/run/a")


def test_containerpilots_words_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env:X").write_text('{control: {socket: "/run/a"}}')
    found = identify(("env:X",), {}, paths_only=True)
    assert (found.name, found.socket) == (f"{tmp_path}/env:X", "/run/a")
    (tmp_path / "conf.d").mkdir()
    with pytest.raises(ConfigError, match="it is a directory"):
        control_socket(("conf.d",), {}, paths_only=True)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        control_socket((str(tmp_path / "none"),), {})


def test_what_identifies_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").write_text('{control: {socket: "/run/a"}}')
    (tmp_path / "link").symlink_to("a b")
    monkeypatch.chdir(tmp_path)
    for location in ("a b", "./a b", f"{tmp_path}/a b", f"file://{tmp_path}/a%20b"):
        found = identify((location,), {})
        assert (found.name, found.socket) == (f"{tmp_path}/a b", "/run/a")
    assert identify(("link",), {}).name == f"{tmp_path}/link"
    with pytest.raises(ConfigError):
        identify(("file://elsewhere/x",), {})
