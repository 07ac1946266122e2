import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from corepilot.errors import ConfigError
from corepilot.plugin.verify import assert_light
from corepilot.sources.descriptors import named_descriptors
from corepilot.sources.file import FileSource, _bytes, read, world_writable
from corepilot.sources.plugins import file as plugin
from corepilot.sources.source import MAX_BYTES, Source, SourceContext, SourceError, SourceText

SOON_S = 10.0


@pytest.fixture(name="here")
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.json5").write_text("{a: 'é'}\n", "utf-8")
    return tmp_path


def refusal(location: str | Path, deadline_s: float = SOON_S) -> str:
    with pytest.raises(SourceError) as caught:
        read(str(location), deadline_s)
    assert isinstance(caught.value, ConfigError)
    return str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        *("app.json5", "./app.json5", "{here}/app.json5", "{here}/../{here.name}/app.json5"),
        *("file://{here}/app.json5", "file://{here}/%61pp.json5", "FILE://localhost{here}/app.json5"),
    ],
)
def test_reads_paths_and_file_urls(here: Path, location: str) -> None:
    location = location.format(here=here)
    source = read(location, SOON_S)
    assert source.text == "{a: 'é'}\n"
    assert source.name == location
    assert source.path == str(here / "app.json5")
    assert source.warnings == ()


def test_the_class_is_a_source(here: Path) -> None:
    source: Source = FileSource()
    found = source.read("app.json5", SourceContext(SOON_S))
    assert isinstance(found, SourceText)
    assert found.path == str(here / "app.json5")


def test_line_ends_and_byte_order_marks_are_left_as_they_are(here: Path) -> None:
    (here / "dos").write_bytes(b"\xef\xbb\xbf{\r\n\r}\0")
    assert read("dos", SOON_S).text == "\ufeff{\r\n\r}\0"
    (here / "empty").write_bytes(b"")
    assert read("empty", SOON_S).text == ""


def test_symbolic_links_are_followed_and_their_own_path_is_kept(here: Path) -> None:
    (here / "..data").symlink_to(".")
    (here / "link").symlink_to("..data/app.json5")
    source = read("link", SOON_S)
    assert source.text == "{a: 'é'}\n"
    assert source.path == str(here / "link")


def test_files_of_proc_that_say_they_are_empty_are_read() -> None:
    assert read("/proc/self/status", SOON_S).text.startswith("Name:")


def test_missing_files(here: Path) -> None:
    hint = "check the path, and that its volume is mounted"
    assert refusal("nothing") == f"cannot read configuration 'nothing': there is no such file in {here}; {hint}"
    assert refusal("/no/thing") == f"cannot read configuration '/no/thing': there is no such file; {hint}"
    (here / "dangling").symlink_to("nothing")
    assert "there is no such file" in refusal("dangling")
    (here / "loop").symlink_to("loop")
    assert refusal("loop") == ("cannot read configuration 'loop': too many levels of symbolic links; check the path")
    assert "not a directory" in refusal("app.json5/x")
    assert "file name too long" in refusal("x" * 5000)


def test_a_working_directory_that_is_gone(here: Path) -> None:
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert "there is no such file in the working directory, which is gone;" in refusal("app.json5")


def test_f07_what_is_no_regular_file_is_refused_without_waiting(here: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for location, what in (
            ("socket", "it is a socket; write the text to a file first"),
            (".", "it is a directory; name a file in it"),
            ("/dev/null", "it is a device; name a regular file"),
            ("/dev/zero", "it is a device; name a regular file"),
        ):
            assert refusal(location) == f"cannot read configuration {location!r}: {what}"


def write_later(path: Path, pieces: list[bytes]) -> threading.Thread:
    """Open a FIFO for writing, which waits for its reader, write the pieces one by one, and close it."""

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_a_fifo_is_read_until_its_writer_closes_it(here: Path) -> None:
    os.mkfifo(here / "fifo")
    (here / "to-fifo").symlink_to("fifo")
    for location, pieces in (("fifo", [b"{ jobs", b": [] }"]), ("to-fifo", [b"x" * 1_000_000] * 3), ("fifo", [])):
        writer = write_later(here / "fifo", pieces)
        found = read(location, SOON_S)
        assert found.text.encode() == b"".join(pieces)
        assert found.path is None
        writer.join()


def test_a_fifo_that_nobody_writes_or_closes_ends_in_the_deadline(here: Path) -> None:
    os.mkfifo(here / "fifo")
    rule = "it is a pipe, and not all of it was written within 0.05 s"
    with pytest.raises(SourceError, match=rule):
        read("fifo", 0.05)
    open_for_ever = os.open(here / "fifo", os.O_RDWR)
    try:
        os.write(open_for_ever, b"{")
        with pytest.raises(SourceError, match=rule):
            read("fifo", 0.05)
    finally:
        os.close(open_for_ever)


@pytest.mark.parametrize("text", [b"{ jobs: [] }", b""])
def test_a_pipe_of_a_shell_is_read_whoever_has_gone(text: bytes) -> None:
    """`<(…)` and `/dev/stdin`: the writer may have ended before the pipe is opened under its name."""
    read_end, write_end = os.pipe()
    os.write(write_end, text)
    os.close(write_end)
    try:
        assert read(f"/dev/fd/{read_end}", SOON_S).text.encode() == text
    finally:
        os.close(read_end)


def test_a_pipe_without_end_is_read_no_further_than_the_limit(here: Path) -> None:
    os.mkfifo(here / "fifo")
    writer = subprocess.Popen(["sh", "-c", "exec cat /dev/zero > fifo"], cwd=here)
    try:
        assert "it has more bytes, and 4194304 are the limit" in refusal("fifo")
    finally:
        writer.wait(10)


def test_descriptors_that_are_named() -> None:
    words = [
        "corepilot",
        "-c",
        "/dev/fd/63",
        "-config=/proc/self/fd/7",
        "/dev/fd/",
        "/dev/fd/1",
        "/dev/fd/x",
        "/dev/fd/5/a",
    ]
    assert named_descriptors(words) == {63, 7}


def test_f02_size_is_limited(here: Path) -> None:
    path = here / "big"
    path.write_bytes(b" " * MAX_BYTES)
    assert len(read("big", SOON_S).text) == MAX_BYTES
    with path.open("ab") as file:
        file.write(b" ")
    assert refusal("big") == (
        "cannot read configuration 'big': it has 4194305 bytes, and 4194304 are the limit; make it smaller"
    )
    os.truncate(path, 1 << 40)
    assert "it has 1099511627776 bytes" in refusal("big")


def test_size_is_limited_where_the_file_does_not_tell_it() -> None:
    endless = os.open("/dev/zero", os.O_RDONLY)
    try:
        with pytest.raises(SourceError, match="it has more bytes, and 4194304 are the limit; make it smaller"):
            _bytes(endless, time.monotonic() + SOON_S, "endless", SOON_S)
    finally:
        os.close(endless)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{a: '\xff'}", "byte 0xff at line 1, column 6 (byte 5); save it as UTF-8"),
        (b"// \xc3\xa9\n\n a\xe9b", "byte 0xe9 at line 3, column 3 (byte 9); save it as UTF-8"),
        (b"\xed\xa0\x80", "byte 0xed at line 1, column 1 (byte 0); save it as UTF-8"),
        (b"\xc3", "byte 0xc3 at line 1, column 1 (byte 0); save it as UTF-8"),
        ("{}".encode("utf-16"), "byte 0xff at line 1, column 1 (byte 0); it looks like UTF-16: save it as UTF-8"),
    ],
)
def test_text_that_is_not_utf_8(here: Path, data: bytes, why: str) -> None:
    (here / "bad").write_bytes(data)
    assert refusal("bad") == f"cannot read configuration 'bad': it is not UTF-8: {why}"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("", "the path is empty; name a file"),
        ("a\0b", "the path holds a NUL character; name a file"),
        ("file:///a%00b", "the path holds a NUL character; name a file"),
        (
            "file://server/a",
            "a file URL names no other host and has an absolute path; write file:///path/to/file",
        ),
        ("file://", "a file URL names no other host and has an absolute path; write file:///path/to/file"),
        ("file://app.json5", "a file URL names no other host and has an absolute path; write file:///path/to/file"),
    ],
)
def test_locations_that_name_no_file(location: str, why: str) -> None:
    assert refusal(location) == f"cannot read configuration {location!r}: {why}"


def test_names_that_are_not_utf_8_can_be_read_and_shown(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (here / name).write_text("{}")
    assert read(name, SOON_S).text == "{}"
    assert read(name, SOON_S).name == "caf\\udce9"
    assert read("file://" + os.fsdecode(os.fsencode(here)) + "/caf%E9", SOON_S).text == "{}"
    refusal(name + "x").encode("utf-8")


@pytest.mark.usefixtures("here")
def test_the_time_is_bounded() -> None:
    assert refusal("app.json5", 0) == (
        "cannot read configuration 'app.json5': reading took longer than 0 s; check the file system it is on"
    )


def test_no_descriptor_stays_open(here: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    read("app.json5", SOON_S)
    (here / "bad").write_bytes(b"\xff")
    for location in ("bad", "nothing", ".", "/proc/self/mem"):
        refusal(location)
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("mode", "warning"),
    [
        (0o644, None),
        (0o600, None),
        (
            0o664,
            "'app.json5' can be written by group {gid}, and root runs what it says; remove that right with chmod go-w",
        ),
        (
            0o666,
            "'app.json5' can be written by everyone, and root runs what it says; remove that right with chmod go-w",
        ),
        (
            0o602,
            "'app.json5' can be written by everyone, and root runs what it says; remove that right with chmod go-w",
        ),
    ],
)
def test_f07_root_is_warned_of_a_file_that_others_can_write(here: Path, mode: int, warning: str | None) -> None:
    path = here / "app.json5"
    path.chmod(mode)
    info = path.stat()
    expected = () if warning is None else (warning.format(gid=info.st_gid),)
    assert world_writable(info, "app.json5", 0) == expected
    assert world_writable(info, "app.json5", 1000) == ()
    assert read("app.json5", SOON_S).warnings == (expected if os.geteuid() == 0 else ())
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_file_that_may_not_be_read(here: Path) -> None:
    """Needs root, to be somebody else."""
    (here / "secret").write_text("{}")
    (here / "secret").chmod(0o600)
    here.chmod(0o755)
    script = """
import os, sys
from corepilot.sources.file import SourceError, read
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    read("/proc/1/cwd/../x", 10)
except SourceError as error:
    print(error)
try:
    read(sys.argv[1], 10)
except SourceError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script, str(here / "secret")], capture_output=True, text=True, check=True, timeout=30
    )
    why = "user 65534 may not read it; give it the right to, on the file and the directories above it"
    assert run.stdout.splitlines() == [
        f"cannot read configuration '/proc/1/cwd/../x': {why}",
        f"cannot read configuration '{here / 'secret'}': {why}",
    ]


def test_the_plugin_is_light_and_gives_the_class() -> None:
    assert_light("corepilot.sources.plugins.file")
    assert plugin.corepilot_register_source() is FileSource
