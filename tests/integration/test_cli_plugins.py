"""`corepilot plugins list`, `info`, `verify` on made-up installations, each in an interpreter of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corepilot.plugin.installed import scan

CHECKOUT = str(Path(__file__).parents[2])
LIGHT = '''"""Keeps services in a notebook.

More about it.
"""
from dataclasses import dataclass
from corepilot.plugin import hookimpl, option
API = "1.0"
CAPABILITIES = frozenset({"services", "register", "watch"})
@dataclass(frozen=True)
class Tls:
    verify: bool = option(help="check it", default=True, env="NOTE_VERIFY", env_wins=True)
@dataclass(frozen=True)
class Options:
    path: str = option(help="the notebook", path="file")
    wait_s: float = option(help="patience", unit="s", minimum=0.5, maximum=60, default=5.0)
    pages: int = option(help="how many", unit="pages", minimum=1, default=3)
    token: str = option(help="who we are", default="", secret=True)
    tls: Tls = option(help="TLS", default=Tls())
@hookimpl
def corepilot_register_backend():
    from note_cli.backend import Note
    return Note
'''
HEAVY = """
import note_cli.marker
from corepilot.discovery.backend import Backend
class Note(Backend):
    address = "here"
    def register(self, registration, status, output): pass
    def report(self, instance_id, status, output, valid_for_s): pass
    def deregister(self, instance_id): pass
    def watch(self, query): yield ()
    def close(self): pass
"""
BARE = "from corepilot.plugin import hookimpl\nAPI = '1.0'\n"


def install(where: Path, project: str, entries: str, files: dict[str, str]) -> None:
    info = where / f"{project.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entries)
    for name, text in files.items():
        file = where / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    where = tmp_path / "site"
    files = {
        "note_cli/__init__.py": "",
        "note_cli/plugin.py": LIGHT,
        "note_cli/backend.py": HEAVY,
        "note_cli/marker.py": "",
    }
    install(where, "corepilot-note", "[corepilot.backends]\nnote = note_cli.plugin\n", files)
    return where


def run(site: Path, call: str, before: str = "", after: str = "") -> tuple[int, str, str]:
    """Evaluates `call`, which gives the exit status, with `site` and the checkout on the search path."""
    code = f"""
import sys
sys.path[:0] = [{str(site)!r}]
sys.path.append({CHECKOUT!r})
{before}
from corepilot.cli.plugins import *
from corepilot.cli.plugin_list import *
status = {call}
{after}
sys.exit(status)
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    return result.returncode, result.stdout, result.stderr


def listed(site: Path) -> list[dict[str, Any]]:
    status, out, _ = run(site, "list_plugins(ListArguments(output='json'))")
    assert status == 0
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_list_shows_name_kind_distribution_version_and_file(site: Path) -> None:
    status, out, err = run(site, "list_plugins(ListArguments())")
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["NAME", "KIND", "DISTRIBUTION", "VERSION", "NAMED", "IN", "STATE"]
    assert ["note", "backend", "corepilot-note", "1.2", "not", "named"] in lines


def test_list_as_json_is_what_our_own_scan_finds(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    ours = [plugin._asdict() for plugin in scan()]
    theirs = [{name: value for name, value in one.items() if name in ours[0]} for one in listed(site)]
    assert theirs == ours
    assert "note" in [one["name"] for one in theirs]


def test_list_imports_no_plugin(site: Path) -> None:
    before = "seen = []\nsys.addaudithook(lambda event, args: seen.append(args[0]) if event == 'import' else None)"
    after = "sys.stderr.write('\\n'.join(seen))"
    for call in ("list_plugins(ListArguments())", "list_plugins(ListArguments(output='json'))"):
        status, _, err = run(site, call, before, after)
        assert status == 0
        names = err.splitlines()
        assert "stevedore" in names, "the hook sees imports"
        plugins = {plugin.module for plugin in scan()} | {"note_cli", "note_cli.plugin", "consul", "corepilot_consul"}
        assert not plugins & set(names)


def test_no_cache_is_read_or_written(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    listed(site)
    (site / "corepilot_note-1.2.dist-info" / "entry_points.txt").write_text("[corepilot.backends]\nnote = moved\n")
    assert [one["module"] for one in listed(site) if one["name"] == "note"] == ["moved"]
    assert not (tmp_path / "cache").exists()


def test_list_says_which_of_two_counts(site: Path) -> None:
    install(site, "rival", "[corepilot.backends]\nnote = rival\n", {})
    notes = {one["distribution"]: one["note"] for one in listed(site) if one["name"] == "note"}
    assert notes == {
        "corepilot-note": "cannot be used: rival brings a plugin of the same name",
        "rival": "cannot be used: corepilot-note brings a plugin of the same name",
    }
    install(site, "corepilot", "[corepilot.backends]\nnote = corepilot.x\n", {})
    notes = {one["distribution"]: one["note"] for one in listed(site) if one["name"] == "note"}
    assert notes["corepilot"] == ""
    assert notes["rival"] == notes["corepilot-note"] == "not used: the built-in plugin of this name wins"
    _, out, _ = run(site, "list_plugins(ListArguments())")
    assert "STATE" in out.splitlines()[0]
    assert "not there" in out


def test_info_shows_every_option(site: Path) -> None:
    status, out, _ = run(site, "show_plugin(InfoArguments('note'))")
    assert status == 0
    assert "Keeps services in a notebook.\n" in out
    assert "register, services, watch" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line and ":" not in line.split()[0]}
    assert "path of a file" in rows["path"]
    assert "required" in rows["path"]
    assert "duration, 0.5 to 60 s" in rows["wait_s"]
    assert "integer (pages), at least 1" in rows["pages"]
    assert "(secret)" in rows["token"]
    assert "NOTE_VERIFY (wins)" in rows["tls.verify"]
    assert "true" in rows["tls.verify"]


def test_info_as_json_imports_only_the_light_module(site: Path) -> None:
    before, after = "", "assert 'note_cli.plugin' in sys.modules and 'note_cli.backend' not in sys.modules"
    status, out, _ = run(site, "show_plugin(InfoArguments('note', 'json'))", before, after)
    assert status == 0
    [shown] = json.loads(out)
    assert shown["capabilities"] == ["register", "services", "watch"]
    assert [one["name"] for one in shown["options"]] == ["path", "wait_s", "pages", "token", "tls.verify"]
    assert shown["options"][1]["maximum"] == 60
    assert shown["schema"]["properties"]["wait_s"]["maximum"] == 60
    assert shown["schema"]["additionalProperties"] is False


def test_what_a_plugin_prints_does_not_get_into_the_output(site: Path) -> None:
    (site / "note_cli" / "plugin.py").write_text(LIGHT + "print('noise')\n")
    status, out, err = run(site, "show_plugin(InfoArguments('note', 'json'))")
    assert (status, json.loads(out)[0]["name"], err) == (0, "note", "noise\n")


def test_info_and_verify_of_an_unknown_name(site: Path) -> None:
    for call in ("show_plugin(InfoArguments('noote'))", "verify_plugins(VerifyArguments(('noote',)))"):
        status, out, err = run(site, call)
        assert (status, out) == (1, "")
        assert err.startswith("cannot find plugin 'noote': no plugin of that name is installed; installed: ")
        assert "did you mean 'note'?" in err


def test_info_of_a_plugin_that_cannot_be_imported(site: Path) -> None:
    (site / "note_cli" / "plugin.py").write_text("import nothing_like_it")
    status, _, err = run(site, "show_plugin(InfoArguments('note'))")
    assert status == 1
    assert err == "cannot show backend 'note' (corepilot-note 1.2): it needs nothing_like_it, which is not installed\n"


def test_verify_is_content_with_a_good_plugin(site: Path) -> None:
    status, out, err = run(site, "verify_plugins(VerifyArguments(('note',)))")
    assert (status, err) == (0, "")
    assert out.splitlines()[1].split() == ["note", "backend", "ok"]


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("plugin.py", "import h11\n" + LIGHT, "its light module, imports h11"),
        ("plugin.py", "from note_cli import marker\n" + LIGHT, "its light module, imports note_cli.marker"),
        ("plugin.py", LIGHT.replace("@hookimpl", ""), "corepilot_register_backend is not marked"),
        ("plugin.py", BARE, "it implements no hook at all"),
        ("plugin.py", "1/0", "ZeroDivisionError"),
        ("plugin.py", "import os; os._exit(3)", "did not end: the process ended with exit status 3"),
        (
            "plugin.py",
            "import os; print('x', flush=True); os.abort()",
            "was killed by signal 6, after printing: x",
        ),
        ("plugin.py", "print('hello')\n" + LIGHT, "prints while it is loaded: hello"),
        ("backend.py", "import nothing_like_it", "No module named 'nothing_like_it'"),
        ("backend.py", HEAVY + "import os; os.chdir('/')", "changed the working directory"),
        ("backend.py", HEAVY.replace("def close", "def shut"), "Note does not implement close"),
        ("backend.py", "from gevent import monkey; monkey.patch_time()\n" + HEAVY, "by monkey-patching time"),
        ("backend.py", "raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_verify_names_what_is_wrong(site: Path, file: str, text: str, problem: str) -> None:
    (site / "note_cli" / file).write_text(text)
    status, out, err = run(site, "verify_plugins(VerifyArguments(('note',), 'json'))")
    assert (status, err) == (1, "")
    [result] = json.loads(out)
    assert any(problem in one for one in result["problems"]), result["problems"]


def test_verify_sees_a_file_that_anybody_may_change(site: Path) -> None:
    file = site / "note_cli" / "plugin.py"
    file.chmod(0o646)
    status, out, _ = run(site, "verify_plugins(VerifyArguments(('note',)))")
    assert status == 1
    assert f"{file} can be changed by every user" in out


def test_verify_ends_a_plugin_that_hangs(site: Path) -> None:
    (site / "note_cli" / "backend.py").write_text("import signal; signal.pause()")
    before = "from corepilot.plugin import verify; verify.DEADLINE_S = 0.5"
    status, out, _ = run(site, "verify_plugins(VerifyArguments(('note',)))", before)
    assert status == 1
    assert "(corepilot-note 1.2) did not end within 0.5 s" in out


def test_list_says_where_the_configuration_names_a_plugin(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text('{discovery: {backend: "note", path: "/dev/null"}, jobs: [{name: "a", exec: "true"}]}')
    call = f"list_plugins(ListArguments(output='json', config=({str(file)!r},)))"
    status, out, err = run(site, call)
    assert (status, err) == (0, "")
    found = {(one["kind"], one["name"]): (one["named_in"], one["state"]) for one in json.loads(out)}
    assert found["backend", "note"] == (["discovery"], "enabled")
    assert found["backend", "embedded"] == ([], "not named")
    assert found["source", "file"] == ([f"-c {file}"], "enabled")


def test_list_does_without_a_configuration(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "corepilot.json5"
    file.write_text("{jobs: [")
    status, out, err = run(site, f"list_plugins(ListArguments(output='json', config=({str(file)!r},)))")
    assert status == 0
    assert "cannot say what the configuration names" in err
    assert {one["state"] for one in json.loads(out)} == {"not named"}


def test_list_can_load_each_plugin(site: Path) -> None:
    install(site, "corepilot-broken", "[corepilot.sinks]\nbroken = broken_sink\n", {"broken_sink.py": "1 / 0\n"})
    status, out, _ = run(site, "list_plugins(ListArguments(output='json', load=True))")
    assert status == 0
    found = {one["name"]: one for one in json.loads(out)}
    assert (found["note"]["api"], found["note"]["capabilities"]) == ("1.0", ["register", "services", "watch"])
    assert found["note"]["import_ms"] > 0
    assert "ZeroDivisionError" in found["broken"]["state"]
    status, out, _ = run(site, "list_plugins(ListArguments(load=True))")
    assert "ZeroDivisionError" in out
    assert out.splitlines()[0].split()[-3:] == ["API", "IMPORT", "CAPABILITIES"]


def test_a_group_that_looks_like_ours_is_listed_with_the_right_name(site: Path) -> None:
    install(site, "corepilot-almost", "[corepilot.backend]\nalmost = almost.plugin\n", {})
    [one] = [one for one in listed(site) if one["name"] == "almost"]
    assert one["kind"] == ""
    assert one["distribution"] == "corepilot-almost"
    assert (
        "the group 'corepilot.backend', which is none of corepilot's; did you mean 'corepilot.backends'?"
        in one["state"]
    )
    status, out, _ = run(site, "verify_plugins(VerifyArguments())")
    assert status == 1
    assert "did you mean 'corepilot.backends'?" in next(line for line in out.splitlines() if line.startswith("almost"))
    status, _, err = run(site, "show_plugin(InfoArguments('almost'))")
    assert status == 1
    assert "did you mean 'corepilot.backends'?" in err
