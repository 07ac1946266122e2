"""Command lines that are nearly right, as typed in a hurry: exit status 2, and the right way in one line."""

from pathlib import Path

import pytest
from running import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-config", "a.json5"], "did you mean '--config'?"),
        (["a.json5"], "name a configuration with -c FILE"),
        (["run", "a.json5"], "name a configuration with -c FILE"),
        (["version"], "did you mean '--version'?"),
        (["--versoin"], "did you mean '--version'?"),
        (["check", "-e", "PORT", "a.json5"], "cannot set 'PORT': write -e NAME=VALUE"),
        (["render", "-e", "=1", "a.json5"], "cannot set '=1': write -e NAME=VALUE"),
        (["env", "PORT"], "cannot set 'PORT': write NAME=VALUE"),
        (["metric", "hits"], "cannot set 'hits': write NAME=VALUE"),
    ],
)
def test_wrong_usage_names_the_right_one(tmp_path: Path, words: list[str], said: str) -> None:
    answer = cli(*words, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_help_explains_the_command_it_is_asked_for(tmp_path: Path) -> None:
    answer = cli("help", "check", cwd=tmp_path)
    assert answer.returncode == 0
    assert answer.stdout == cli("check", "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize("words", [["ping"], ["status"], ["reload"]])
def test_a_client_never_asks_another_corepilot_than_the_one_named(tmp_path: Path, words: list[str]) -> None:
    answer = cli(*words, "-c", "typo.json5", cwd=tmp_path)
    assert answer.returncode == 1
    assert "cannot read configuration 'typo.json5': there is no such file" in answer.stderr


def test_a_client_says_that_it_does_not_read_a_catalog_for_the_socket(tmp_path: Path) -> None:
    answer = cli("reload", "-c", "etcd://127.0.0.1:1/app", cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("corepilot: cannot ")
    assert answer.stderr.endswith(
        "; clients do not read etcd://127.0.0.1:1/app: if it sets control.socket, name that socket with --socket PATH\n"
    )
