"""`corepilot NAME …` runs a command that a plugin brings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = str(Path(__file__).resolve().parents[2])
PROGRAM = """
import sys
sys.path[:0] = [{site!r}]
sys.path.append({checkout!r})
from corepilot.cli.main import main
status = main(sys.argv[1:])
print("imported:", *sorted(name for name in sys.modules if name.startswith("greet_")), file=sys.stderr)
sys.exit(status)
"""
LIGHT = '''"""Greets people."""
from corepilot.plugin import hookimpl
API = "1.0"
@hookimpl
def corepilot_register_command():
    from greet_command.command import main
    return main
'''
COMMAND = """
import sys
from corepilot.errors import ConfigError
def main(words):
    if words == ["nobody"]:
        raise ConfigError("cannot greet nobody")
    if words == ["bug"]:
        raise KeyError("bug")
    if words == ["odd"]:
        return 256
    sys.stdout.write("hello " + " ".join(words) + "\\n")
    return len(words)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    info = tmp_path / "site" / "corepilot_greet-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corepilot-greet\nVersion: 1.2\n")
    entries = "[corepilot.commands]\ngreet = greet_command.plugin\nping = greet_command.plugin\n"
    (info / "entry_points.txt").write_text(entries)
    package = tmp_path / "site" / "greet_command"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(LIGHT)
    (package / "command.py").write_text(COMMAND)
    return tmp_path / "site"


def run(site: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(site=str(site), checkout=CHECKOUT), *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_words_and_status_are_passed_on(site: Path) -> None:
    result = run(site, "greet", "Ada", "--loud", "--help")
    assert (result.returncode, result.stdout) == (3, "hello Ada --loud --help\n")


def test_an_error_is_one_line_and_status_1(site: Path) -> None:
    result = run(site, "greet", "nobody")
    assert (result.returncode, result.stderr.splitlines()[0]) == (1, "corepilot: cannot greet nobody")


def test_a_bug_keeps_its_traceback(site: Path) -> None:
    result = run(site, "greet", "bug")
    assert result.returncode == 1
    assert "KeyError: 'bug'" in result.stderr
    assert "Traceback" in result.stderr


def test_a_status_that_is_none_is_an_error(site: Path) -> None:
    result = run(site, "greet", "odd")
    assert result.returncode == 1
    assert "command 'greet' (corepilot-greet 1.2)" in result.stderr
    assert "an exit status is 0 to 255, not 256" in result.stderr


def test_help_lists_it_without_importing_it(site: Path) -> None:
    result = run(site, "--help")
    assert result.returncode == 0
    assert "  greet        (from corepilot-greet)\n" in result.stdout
    assert result.stderr.strip() == "imported:"


def test_the_cores_own_command_wins(site: Path) -> None:
    result = run(site, "ping", "--socket", "/nonexistent/socket")
    assert result.returncode == 1
    assert "greet_command" not in result.stderr
    assert result.stdout == ""
    assert "not used: corepilot has a command of that name" in run(site, "plugins", "list").stdout


def test_one_that_is_broken_is_named(site: Path) -> None:
    (site / "greet_command" / "command.py").write_text("1 / 0\n")
    result = run(site, "greet")
    assert result.returncode == 1
    assert "cannot load command 'greet' (corepilot-greet 1.2): corepilot_register_command failed" in result.stderr


def test_a_word_that_is_nearly_one_is_suggested(site: Path) -> None:
    result = run(site, "gret")
    assert result.returncode == 2
    assert "did you mean 'greet'?" in result.stderr
