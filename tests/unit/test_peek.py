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
