"""What is installed, read from metadata. The agreement with stevedore is a test of its own."""

import sys
from pathlib import Path

import pytest

from corepilot.errors import PluginError
from corepilot.plugin.installed import GROUPS, InstalledPlugin, find, module_file, normalized, scan

BACKENDS = "corepilot.backends"


def install(
    where: Path, project: str, entries: str, version: str = "1.0", *, suffix: str = ".dist-info", modules: str = ""
) -> Path:
    """A distribution's metadata, and its modules (empty), as an installer would leave them."""
    info = where / f"{project.replace('-', '_')}-{version}{suffix}"
    info.mkdir(parents=True)
    metadata = "METADATA" if suffix == ".dist-info" else "PKG-INFO"
    (info / metadata).write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n\nName: not this\n")
    (info / "entry_points.txt").write_text(entries)
    for module in modules.split():
        file = where / (module.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return info


def test_an_entry_point_is_found_with_its_distribution_version_and_file(tmp_path: Path) -> None:
    install(tmp_path, "corepilot-note", "[corepilot.backends]\nnote = note_x.plugin\n", modules="note_x.plugin")
    assert scan(path=[str(tmp_path)]) == [
        InstalledPlugin(
            "note", BACKENDS, "note_x.plugin", "", "corepilot-note", "1.0", str(tmp_path / "note_x" / "plugin.py")
        )
    ]


def test_all_groups_or_one_sorted_by_group_and_name(tmp_path: Path) -> None:
    install(tmp_path, "b", "[corepilot.sinks]\nz = m\n[other]\nq = m\n[corepilot.backends]\ny = m:x\n")
    install(tmp_path, "a", "# a comment\n\n[ corepilot.backends ]\nx = m : attr.ib [extra]\n")
    assert [(one.kind, one.name, one.module, one.attribute) for one in scan(path=[str(tmp_path)])] == [
        ("backend", "x", "m", "attr.ib"),
        ("backend", "y", "m", "x"),
        ("sink", "z", "m", ""),
    ]
    assert [one.name for one in scan("corepilot.sinks", [str(tmp_path)])] == ["z"]


def test_egg_info_counts_and_a_zip_or_missing_directory_does_not_matter(tmp_path: Path) -> None:
    install(tmp_path, "old", "[corepilot.backends]\nx = m\n", suffix=".egg-info")
    (tmp_path / "a.zip").write_bytes(b"PK")
    path = [str(tmp_path / "missing"), str(tmp_path / "a.zip"), str(tmp_path)]
    assert [(one.distribution, one.version) for one in scan(path=path)] == [("old", "1.0")]


def test_the_first_directory_hides_the_same_distribution_further_on(tmp_path: Path) -> None:
    install(tmp_path / "one", "Some.Thing", "[corepilot.backends]\nx = m\n", "2.0")
    install(tmp_path / "two", "some-thing", "[corepilot.backends]\nx = m\n", "1.0")
    path = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert [one.version for one in scan(path=path)] == ["2.0"]
    assert find(BACKENDS, "x", path).version == "2.0"
    assert [one.version for one in scan(path=path[::-1])] == ["1.0"]


def test_a_name_that_two_distributions_bring_is_an_error_that_names_both(tmp_path: Path) -> None:
    install(tmp_path, "one", "[corepilot.backends]\nx = m1\n", "1.5", modules="m1")
    install(tmp_path, "two", "[corepilot.backends]\nx = m2\n", "2.5", modules="m2")
    with pytest.raises(PluginError, match="cannot use backend 'x'") as caught:
        find(BACKENDS, "x", [str(tmp_path)])
    assert "one 1.5" in str(caught.value)
    assert "two 2.5" in str(caught.value)


def test_a_built_in_wins_over_others_of_its_name(tmp_path: Path) -> None:
    install(tmp_path / "first", "aaa", "[corepilot.backends]\nembedded = evil\n")
    install(tmp_path / "second", "corepilot", "[corepilot.backends]\nembedded = corepilot.discovery.x\n")
    found = find(BACKENDS, "embedded", [str(tmp_path / "first"), str(tmp_path / "second")])
    assert found.distribution == "corepilot"
    assert found.built_in


def test_an_unknown_name_lists_what_is_installed_and_the_nearest(tmp_path: Path) -> None:
    install(tmp_path, "n", "[corepilot.backends]\nnotebook = m\n")
    with pytest.raises(PluginError) as caught:
        find(BACKENDS, "notebok", [str(tmp_path)])
    assert str(caught.value) == (
        "cannot use backend 'notebok': no backend of that name is installed; installed: notebook; "
        "did you mean 'notebook'?"
    )


def test_a_plugin_of_ours_that_is_not_installed_comes_with_its_command(tmp_path: Path) -> None:
    for asked in ("consul", "consl", "Consul"):
        with pytest.raises(PluginError) as caught:
            find(BACKENDS, asked, [str(tmp_path)])
        assert str(caught.value).endswith(f"install it with: {sys.executable} -m pip install corepilot-consul")
        assert "installed: none" in str(caught.value)


def test_no_command_is_made_up_for_a_name_that_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        find(BACKENDS, "swisscheese", [str(tmp_path)])
    assert "pip" not in str(caught.value)


def test_a_malformed_entry_point_is_an_error_when_it_is_used(tmp_path: Path) -> None:
    install(tmp_path, "n", "[corepilot.backends]\nx = not a module\ny = \nz = m\n")
    assert find(BACKENDS, "z", [str(tmp_path)]).module == "m"
    for name in ("x", "y"):
        with pytest.raises(PluginError, match="is not a module"):
            find(BACKENDS, name, [str(tmp_path)])


@pytest.mark.parametrize("junk", [b"\xff\xfe[corepilot.backends]\nx = m\n", b"\0" * 5000, b"[corepilot.backends\nx"])
def test_rubbish_in_the_metadata_of_others_stops_nothing(tmp_path: Path, junk: bytes) -> None:
    info = tmp_path / "bad-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(junk)
    install(tmp_path, "good", "[corepilot.backends]\ngood = m\n")
    assert "good" in [one.name for one in scan(path=[str(tmp_path)])]


def test_a_distribution_without_metadata_is_named_after_its_directory(tmp_path: Path) -> None:
    info = install(tmp_path, "bare-bones", "[corepilot.backends]\nx = m\n", "3")
    (info / "METADATA").unlink()
    assert [(one.distribution, one.version) for one in scan(path=[str(tmp_path)])] == [("bare_bones", "3")]


def test_the_file_is_found_without_importing_the_packages_above_it(tmp_path: Path) -> None:
    (tmp_path / "above_x").mkdir()
    (tmp_path / "above_x" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "above_x" / "inner").mkdir()
    (tmp_path / "above_x" / "inner" / "__init__.py").touch()
    (tmp_path / "namespace_x" / "part").mkdir(parents=True)
    (tmp_path / "namespace_x" / "part" / "leaf.py").touch()
    path = [str(tmp_path)]
    assert module_file("above_x", path) == str(tmp_path / "above_x" / "__init__.py")
    assert module_file("above_x.inner", path) == str(tmp_path / "above_x" / "inner" / "__init__.py")
    assert module_file("namespace_x.part.leaf", path) == str(tmp_path / "namespace_x" / "part" / "leaf.py")
    for missing in ("above_x.nope", "above_x.inner.x", "nowhere_x", "nowhere_x.y", "", ".", "namespace_x"):
        assert module_file(missing, path) == "", missing
    assert "above_x" not in sys.modules


def test_the_file_of_a_module_of_this_interpreter() -> None:
    import json.decoder

    assert module_file("json.decoder") == str(Path(json.decoder.__file__).resolve())


def test_names_are_compared_in_their_normal_form() -> None:
    assert normalized("Some._-Thing") == "some-thing" == normalized("some_thing")


def test_every_group_has_a_word() -> None:
    assert sorted(GROUPS.values()) == ["backend", "check", "command", "observer", "sink", "source"]
