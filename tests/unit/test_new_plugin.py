"""What `corepilot plugins new` writes: complete, importable, and good for every kind."""

import argparse
import ast
import tomllib
from pathlib import Path

import pytest

from corepilot.cli.arguments import UsageError
from corepilot.cli.commands import plugins
from corepilot.cli.new_plugin import TEMPLATES, files_of, new_plugin
from corepilot.errors import ConfigError
from corepilot.plugin.hookspec import API_VERSION, KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(kind: str) -> None:
    files = files_of(kind, "my-own")
    for path, text in files.items():
        assert "@NAME@" not in text + path
        assert not [word for word in ("@MODULE@", "@KIND@", "@CLASS@", "@API@", "@SUMMARY@", "@USE@") if word in text]
        if path.endswith(".py"):
            ast.parse(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"] == {f"corepilot.{kind}s": {"my-own": "corepilot_my_own.plugin"}}
    assert f'API = "{API_VERSION}"' in files["corepilot_my_own/plugin.py"]
    assert {"README.md", "ci.sh", ".gitignore", "tests/test_my_own.py", f"corepilot_my_own/{kind}.py"} <= files.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_inherit_the_suite_of_the_kind(kind: str) -> None:
    suite = KINDS[kind].suite.partition(":")[0]
    assert f"from {suite} import" in files_of(kind, "x")["tests/test_x.py"]


def test_there_are_templates_of_every_kind_and_of_no_other() -> None:
    assert {folder.name for folder in Path(TEMPLATES).iterdir()} == {*KINDS, "common"}


def test_it_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new_plugin("observer", "diary", str(tmp_path / "here")) == 0
    target = tmp_path / "here" / "corepilot-diary"
    assert f"{target}: an observer that works" in capsys.readouterr().out
    assert (target / "ci.sh").stat().st_mode & 0o111
    written = {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    assert written == set(files_of("observer", "diary"))
    with pytest.raises(ConfigError, match="it is there already"):
        new_plugin("observer", "diary", str(tmp_path / "here"))


def test_names_and_kinds_that_cannot_be(tmp_path: Path) -> None:
    for name in ("", "Upper", "a_b", "-a", "a-", "a--b", "1a", "../x", "x" * 41):
        with pytest.raises(UsageError, match="cannot name"):
            new_plugin("sink", name, str(tmp_path))
    with pytest.raises(UsageError, match="did you mean 'sink'"):
        new_plugin("sinc", "a", str(tmp_path))
    for kind, taken in (("sink", "jsonl"), ("source", "file"), ("command", "status"), ("backend", "embedded")):
        with pytest.raises(ConfigError, match="corepilot has one of that name, which wins"):
            new_plugin(kind, taken, str(tmp_path))
    with pytest.raises(ConfigError, match="corepilot-etcd brings one of that name"):
        new_plugin("backend", "etcd", str(tmp_path))
    with pytest.raises(ConfigError, match="corepilot-etcd is a distribution of corepilot's own"):
        new_plugin("sink", "etcd", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (["new"], "new KIND NAME"),
        (["new", "backend"], "new KIND NAME"),
        (["new", "backend", "a", "b"], "new KIND NAME"),
        (["info"], "info NAME"),
        (["list", "x"], "list"),
    ],
)
def test_a_command_with_too_few_or_too_many_words_says_its_form(words: list[str], form: str) -> None:
    arguments = argparse.Namespace(
        positionals=words, output=None, config=[], load=False, directory=None, environment={}
    )
    with pytest.raises(UsageError) as caught:
        plugins(arguments)
    assert str(caught.value) == f"cannot do {' '.join(words)!r}: write corepilot plugins {form}"
