"""One file, made from a request: what a template sees of keys, and how a file is replaced."""

import os
import stat
from pathlib import Path

import pytest

from corepilot.rendering.child import make
from corepilot.rendering.exchange import RenderAnswer, RenderRequest, Seen, decode_request, encode_request
from corepilot.rendering.file import FileError, replace

WATCHES = (
    Seen("web", "service", "http-front", (("web-1", "http-front", "10.0.0.1", 80, ("a",)), ("x", "x", "::1", 81, ()))),
    Seen("limit", "key", "app/limit", (("app/limit", b"12"),)),
    Seen("absent", "key", "app/absent", ()),
    Seen("settings", "prefix", "app", (("app/a", b"1"), ("app/b/c", b"\xff"))),
    Seen("late", "service", "late", None),
)


def asked(template: str, to: Path) -> RenderAnswer:
    request = RenderRequest(template, str(to), 0o644, "test", {"WHO": "me"}, WATCHES)
    assert decode_request(encode_request(request)) == request
    return make(request)


@pytest.mark.parametrize(
    ("template", "text", "used"),
    [
        ('{{ range service "web" }}{{ .ID }} {{ .Name }} {{ .HostPort }};{{ end }}',
         b"web-1 http-front 10.0.0.1:80;x x [::1]:81;", ("web",)),
        ('{{ key "limit" }}{{ keyOrDefault "absent" "7" }}{{ .WHO }}', b"127me", ("absent", "limit")),
        ('{{ range tree "settings" }}{{ .Key }} {{ .Path }} {{ .Value }};{{ end }}', b"a app/a 1;b/c app/b/c \xff;",
         ("settings",)),
    ],
)  # fmt: skip
def test_a_template_sees_what_is_watched(template: str, text: bytes, used: tuple[str, ...], tmp_path: Path) -> None:
    assert asked(template, tmp_path / "made") == RenderAnswer("written", "", used)
    assert (tmp_path / "made").read_bytes() == text
    assert asked(template, tmp_path / "made") == RenderAnswer("same", "", used)


def test_what_cannot_be_made_leaves_no_file(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert asked('{{ key "limit" }}{{ range service "late" }}{{ end }}', made) == RenderAnswer(
        "waits", "late", ("late", "limit")
    )
    failed = asked("{{ .watches.nobody }}", made)
    assert failed.result == "template"
    assert "there is no watch 'nobody'" in failed.reason
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_mode_that_is_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert replace(str(tmp_path / "new"), b"x", mode=0o664, temporary="t")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o664


def test_a_link_stays_a_link_and_what_a_killed_process_left_is_taken_away(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to("real")
    (tmp_path / ".real.t").write_text("half a fi")
    assert replace(str(link), b"new", mode=0o644, temporary="t")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "real"]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("none/made", "there is no directory"),
        ("file/made", "there is no directory"),
        ("directory", "what is there is not a regular file"),
        ("fifo", "what is there is not a regular file"),
        ("x" * 300, "file name too long"),
        ("/proc/made", "no file can be made in /proc; name another directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_with_what_to_do(path: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileError, match=rule):
        replace(str(tmp_path / path), b"x", mode=0o644, temporary="t")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["directory", "fifo", "file"]
