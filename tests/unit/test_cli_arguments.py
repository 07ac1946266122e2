"""The command line: the table of commands, the parser, and where a configuration is looked for."""

from pathlib import Path

import pytest

from corepilot.cli import files
from corepilot.cli.arguments import UsageError, parse
from corepilot.cli.main import _command
from corepilot.cli.table import COMMANDS, overview, usage
from corepilot.errors import ConfigError


@pytest.mark.parametrize(
    "words",
    [["-c", "a.json5"], ["-ca.json5"], ["--config", "a.json5"], ["--config=a.json5"]],
)
def test_the_ways_to_give_a_value(words: list[str]) -> None:
    assert parse(COMMANDS["status"], words).config == ["a.json5"]


def test_repeated_options_and_positionals_keep_their_order() -> None:
    found = parse(COMMANDS["check"], ["one", "-e", "A=1", "two", "--env=B=2", "--", "-three"])
    assert found.env == ["A=1", "B=2"]
    assert found.positionals == ["one", "two", "-three"]
    assert found.here is False


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("check", ["--her", "f"], "cannot use option '--her' with check: unknown; did you mean '--here'?"),
        ("status", ["-c"], "cannot use -c without a value: -c LOCATION"),
        (
            "ping",
            ["x"],
            "cannot run ping with 1 argument: it takes no further arguments; name a configuration with -c FILE",
        ),
        ("run", ["-config", "f"], "cannot use option '-config' with run: unknown; did you mean '--config'?"),
        ("run", ["-config=f"], "cannot use option '-config' with run: unknown; did you mean '--config'?"),
        ("run", ["--versoin"], "cannot use option '--versoin' with run: unknown; did you mean '--version'?"),
        ("status", ["-o", "xml"], "cannot use -o xml: it is one of text, json"),
        ("check", ["--here=yes", "f"], "cannot give --here a value: it is a switch"),
        ("instances", [], "cannot run instances with 0 arguments: it takes SERVICE"),
        ("stop", [], "cannot run stop with 0 arguments: it takes JOB…; to stop everything: corepilot shutdown"),
        ("signal", ["HUP"], "cannot run signal with 1 argument: it takes SIGNAL JOB…"),
        (
            "wait",
            ["web", "--for", "well"],
            "cannot use --for well: it is one of running, ready, healthy, complete, stopped",
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(command: str, words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(COMMANDS[command], words)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        ([], "run", []),
        (["-c", "f"], "run", ["-c", "f"]),
        (["run", "-c", "f"], "run", ["-c", "f"]),
        (["--version"], "--version", []),
        (["ping", "--socket", "s"], "ping", ["--socket", "s"]),
    ],
)
def test_run_is_the_default_command(words: list[str], name: str, rest: list[str]) -> None:
    assert _command(words) == (name, rest)


def test_help_fits_one_screen_and_names_every_command() -> None:
    lines = overview().splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("usage: corepilot [run]")
    assert max(map(len, lines)) <= 80
    for name, command in COMMANDS.items():
        assert any(name in words.partition("  ")[0].split(", ") for words in map(str.strip, lines)) or name == "run"
        text = usage(command)
        assert all(option.names[-1] in text for option in command.options)


def test_every_command_can_be_carried_out() -> None:
    from importlib import import_module

    for command in COMMANDS.values():
        if not command.run:
            assert command.name == "run"
            continue
        module, _, function = command.run.partition(":")
        assert callable(getattr(import_module(module), function))


def test_where_a_configuration_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PLACES", (str(tmp_path / "etc1"), str(tmp_path / "etc2")))
    monkeypatch.chdir(tmp_path)

    def located(given: list[str], environment: dict[str, str], *, pid_1: bool) -> tuple[tuple[str, ...], bool]:
        where = files.locate(given, environment, pid_1=pid_1)
        return where.locations, where.paths_only

    variables = {"COREPILOT": "from-corepilot", "CONTAINERPILOT": "from-containerpilot"}
    assert located(["given"], variables, pid_1=False) == (("given",), False)
    assert located(["a", "", "b"], variables, pid_1=False) == (("a", "b"), False)
    assert located([], variables, pid_1=False) == (("from-corepilot",), False)
    assert located([], {"COREPILOT": "", "CONTAINERPILOT": "file:///x"}, pid_1=False) == (("file:///x",), True)
    with pytest.raises(ConfigError, match=r"no corepilot\.json5; name one with -c FILE"):
        files.locate([], {}, pid_1=False)
    (tmp_path / "corepilot.json5").touch()
    assert located([], {}, pid_1=False) == (("corepilot.json5",), False)
    with pytest.raises(ConfigError):
        files.locate([], {}, pid_1=True)
    (tmp_path / "etc2").touch()
    assert located([], {}, pid_1=True) == ((str(tmp_path / "etc2"),), False)
    (tmp_path / "etc1").touch()
    assert located([], {}, pid_1=True) == ((str(tmp_path / "etc1"),), False)
