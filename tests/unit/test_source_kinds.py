"""Directories and variables as sources, and what a location is."""

import os
from pathlib import Path

import pytest

from corepilot.plugin.installed import scan
from corepilot.plugin.verify import assert_light
from corepilot.sources.directory import DirectorySource
from corepilot.sources.env import EnvironmentSource
from corepilot.sources.locations import identity_of, scheme_of, shown
from corepilot.sources.source import MAX_BYTES, SourceContext, SourceError

SOON_S = 10.0


@pytest.fixture
def conf_d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "conf.d"
    directory.mkdir()
    return directory


def read(location: str = "conf.d") -> list[tuple[str, str]]:
    return [(one.name, one.text) for one in DirectorySource().read(location, SourceContext(SOON_S))]


def refusal(location: str, environment: dict[str, str] | None = None) -> str:
    source = EnvironmentSource() if location.startswith("env:") else DirectorySource()
    with pytest.raises(SourceError) as caught:
        source.read(location, SourceContext(SOON_S, environment))
    return str(caught.value)


def test_files_are_read_in_the_order_of_their_names(conf_d: Path) -> None:
    for name in ("20-b.json5", "10-a.json", "9-c.json5", "10-B.json5"):
        (conf_d / name).write_text(name)
    names = ["10-B.json5", "10-a.json", "20-b.json5", "9-c.json5"]
    assert read() == [(f"conf.d/{name}", name) for name in names]
    assert read(str(conf_d)) == [(f"{conf_d}/{name}", name) for name in names]
    assert read("conf.d/") == read()
    assert read(f"file://{conf_d}") == read(str(conf_d))


def test_only_names_of_documents_count(conf_d: Path) -> None:
    for name in ("README", "a.json5~", ".b.json5", "c.json5.orig", "#d.json5#", "e.JSON", "f.yaml", ".json"):
        (conf_d / name).write_text("nonsense")
    (conf_d / "more").mkdir()
    (conf_d / "more" / "x.json5").write_text("nonsense")
    assert read() == []
    (conf_d / "..data").mkdir()
    (conf_d / "..data" / "app.json5").write_text("{}")
    (conf_d / "app.json5").symlink_to("..data/app.json5")  # as a ConfigMap is mounted
    assert read() == [("conf.d/app.json5", "{}")]


def test_a_name_in_a_url_is_not_decoded_twice(conf_d: Path) -> None:
    (conf_d / "100%25.json5").write_text("{}")
    assert read(f"file://{conf_d}") == [(f"{conf_d}/100%25.json5", "{}")]


def test_a_name_that_counts_and_is_no_file_is_an_error(conf_d: Path) -> None:
    (conf_d / "a.json5").mkdir()
    assert refusal("conf.d") == "cannot read configuration 'conf.d/a.json5': it is a directory; name a file in it"
    (conf_d / "a.json5").rmdir()
    (conf_d / "a.json5").symlink_to("nothing")
    assert "'conf.d/a.json5': there is no such file" in refusal("conf.d")


def test_a_directory_that_cannot_be_read_is_an_error(conf_d: Path) -> None:
    conf_d.rmdir()
    assert refusal("conf.d").startswith("cannot read configuration 'conf.d': no such file or directory; user ")


def test_who_else_can_put_files_there_is_said_to_root(conf_d: Path) -> None:
    (conf_d / "a.json5").write_text("{}")
    conf_d.chmod(0o777)
    warnings = DirectorySource().read("conf.d", SourceContext(SOON_S))[0].warnings
    assert len(warnings) == (1 if os.geteuid() == 0 else 0)
    assert all(one.startswith("'conf.d' can be written by everyone") for one in warnings)


def test_files_that_are_replaced_while_they_are_read_are_read_again(
    conf_d: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corepilot.sources import directory, file

    (conf_d / "a.json5").write_text("old")
    (conf_d / "b.json5").write_text("old")
    reads = []

    def replaced_on_the_way(location: str, deadline_s: float) -> object:
        found = file.read(location, deadline_s)
        reads.append(location)
        if len(reads) == 1:
            for name in ("a.json5", "b.json5"):
                (conf_d / f"{name}.new").write_text("renewed")
                (conf_d / f"{name}.new").rename(conf_d / name)
        return found

    monkeypatch.setattr(directory, "read", replaced_on_the_way)
    assert [text for _, text in read()] == ["renewed", "renewed"]
    assert len(reads) == 4


def test_files_that_change_all_the_time_are_an_error(conf_d: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from corepilot.sources import directory, file

    (conf_d / "a.json5").write_text("")

    def growing(location: str, deadline_s: float) -> object:
        with open(location, "a") as written:
            written.write("x")
        return file.read(location, deadline_s)

    monkeypatch.setattr(directory, "read", growing)
    assert "its files keep changing" in refusal("conf.d")


def test_a_variable_holds_a_document() -> None:
    found = EnvironmentSource().read("env:APP_CONFIG", SourceContext(SOON_S, {"APP_CONFIG": "{a: 'ä'}"}))
    assert (found.text, found.name, found.path) == ("{a: 'ä'}", "env:APP_CONFIG", None)


@pytest.mark.parametrize(
    ("location", "environment", "reason"),
    [
        ("env:NONE", {}, "$NONE is not set"),
        ("env:EMPTY", {"EMPTY": " \n"}, "$EMPTY is empty"),
        ("env:", {"": "x"}, "it names no variable"),
        ("env:BYTES", {"BYTES": "{a: '\udcff'}"}, "it is not UTF-8 at character 6"),
        ("env:LONG", {"LONG": "x" * (MAX_BYTES + 1)}, f"it has {MAX_BYTES + 1} bytes"),
    ],
)
def test_variables_that_hold_none(location: str, environment: dict[str, str], reason: str) -> None:
    assert refusal(location, environment).startswith(f"cannot read configuration {location!r}: {reason}")


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("app.json5", ""),
        ("/etc/app.json5", ""),
        ("./env:X", ""),
        ("conf.d/a:b", ""),
        ("1:x", ""),
        ("{a: 1}", ""),
        ("file:///etc/x", ""),
        ("FILE:///etc/x", ""),
        ("file:x", "file"),
        ("env:X", "env"),
        ("HTTPS://x/y", "https"),
        ("s3+x.y-z:bucket", "s3+x.y-z"),
        (":x", ""),
        ("", ""),
    ],
)
def test_the_scheme_of_a_location(location: str, scheme: str) -> None:
    assert scheme_of(location) == scheme


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("a?b#c@d:e/f", "a?b#c@d:e/f"),
        ("https://example/a/b", "https://example/a/b"),
        ("https://u:p@example:1/a@b?token=x#y", "https://u:***@example:1/a@b?…#…"),
        ("https://u@example", "https://u@example"),
        ("etcd:https://u:p@example:1/a", "etcd:https://u:***@example:1/a"),
        ("etcd:u:p@example:1/a", "etcd:***@example:1/a"),
        ("etcd:https://a,https://u:p@b/a", "etcd:https://a,https://u:***@b/a"),
        ("vault:secret/x#token=y", "vault:secret/x#…"),
        ("env:A\udcff", "env:A\\udcff"),
    ],
)
def test_what_is_shown_of_a_location(location: str, text: str) -> None:
    assert shown(location) == text


def test_what_identifies_locations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert identity_of(("a",)) == f"{tmp_path}/a"
    assert identity_of(("conf.d/", "env:X", "https://h/x?y")) == f"{tmp_path}/conf.d, env:X, https://h/x?…"


def test_what_comes_with_corepilot_enters_by_the_door_of_plugins() -> None:
    ours = {one.name: one for one in scan("corepilot.sources") if one.built_in}
    assert sorted(ours) == ["directory", "env", "file", "http", "https"]
    for module in sorted({one.module for one in ours.values()}):
        assert_light(module)
