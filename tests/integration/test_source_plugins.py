"""Sources of others: found by their scheme, judged as every plugin, and named when they do something wrong."""

import re
import sys
from pathlib import Path

import pytest
import running
from running import Corepilot, cli

from corepilot.cli.check import DEADLINE_S

BASE = '{ consul: false, control: { socket: "%(dir)s/control.socket" }, jobs: [ { name: "app", exec: "sleep 1001" } ] }'
GOOD = """
from corepilot.plugin import hookimpl
API = "1.0"

@hookimpl
def corepilot_register_source():
    from corepilot.sources.source import SourceError, SourceText

    class Motd:
        def read(self, location, context):
            {body}

    return Motd
"""


@pytest.fixture(name="site")
def a_place_for_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the search path of every corepilot that the test starts."""
    site = tmp_path / "site"
    site.mkdir()
    program = f"import sys; sys.path.append({str(site)!r}); from corepilot.cli.main import main; sys.exit(main())"
    monkeypatch.setattr(running, "COMMAND", [sys.executable, "-I", "-c", program])
    return site


def install(site: Path, source: str, name: str = "motd") -> None:
    info = site / f"{name}_source-1.2.dist-info"
    info.mkdir()
    (site / f"{name}_source.py").write_text(source)
    (info / "METADATA").write_text(f"Name: {name}-source\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[corepilot.sources]\nmotd = {name}_source\n")


def check(*locations: str, environment: dict[str, str] | None = None) -> str:
    words = [word for one in locations for word in ("-c", one)]
    return cli("check", *words, environment={"PATH": "/usr/bin:/bin", **(environment or {})}).stdout


def test_a_source_returns_one_text_or_several(site: Path) -> None:
    body = """
            one = SourceText("{ consul: false, jobs: [ { name: '" + context.environment["NAME"] + "' } ] }", "motd:one")
            two = SourceText("{ jobs: [ { name: 'b', exec: 'true', x: 1 } ] }", "motd:two")
            return one if location == "motd:one" else (one, two)"""
    install(site, GOOD.format(body=body.strip()))
    assert check("motd:one", environment={"NAME": "a"}) == "motd:one: ok (1 job, 0 watches)\n"
    said = check("motd:both", environment={"NAME": "a"})
    assert said.startswith("motd:two:1:38: error: cannot use jobs[1].x")
    assert said.endswith("motd:both: refused (1 error)\n")


def test_what_a_source_refuses_is_its_own_word(site: Path) -> None:
    install(site, GOOD.format(body="raise SourceError(\"cannot read configuration 'motd:x': it is empty; write one\")"))
    assert check("motd:x").startswith("motd:x: error: cannot read configuration: it is empty\n    = write one")


WHO = r"motd:x: error: cannot read configuration: source 'motd' \(motd-source 1\.2\): "


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such luck')", r"\S+/motd_source\.py: ValueError: no such luck \(\S+\.py:11\)"),
        ("raise SystemExit(3)", r"\S+/motd_source\.py: SystemExit: 3 \("),
        ("raise type('Own', (BaseException,), {})('x')", r"\S+/motd_source\.py: Own: x \("),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})", r"\S+/motd_source\.py: Mute \("),
        ("return type('Odd', (list,), {'__iter__': lambda self: 1 / 0})()", r"\S+/motd_source\.py: ZeroDivisionErro"),
        ("return None", r"\S+/motd_source\.py: read must return a SourceText, or a sequence of them, and returned No"),
        ("return ['{}']", r"\S+/motd_source\.py: read must return a SourceText, or a sequence of them, and returned l"),
        ("return SourceText(b'{}', 'x')", r"\S+: the text of a SourceText must be a text, and is bytes"),
        ("return SourceText('{}', 'x', 'x')", r"\S+: the path of a SourceText must be an absolute path or"),
        ("return SourceText('{}', 'x', None, ['w'])", r"\S+: the warnings of a SourceText must be a tuple"),
        ("return SourceText('x' * 5000000, 'x')", r"\S+/motd_source\.py: 'x' is longer than 4194304 bytes"),
    ],
)  # fmt: skip
def test_what_a_source_does_wrong_is_told_with_its_name_and_file(site: Path, body: str, said: str) -> None:
    install(site, GOOD.format(body=body))
    assert re.match(WHO + said, check("motd:x"))


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("os.chdir('/')", "the working directory"),
        ("os.umask(0o077)", "the umask"),
        ("os.environ['X'] = '1'", r"the environment \(X\)"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "the handler of SIGTERM"),
        ("threading.Thread(target=time.sleep, args=(2,), daemon=True).start()", "the number of threads, from 1 to 2"),
        ("subprocess.Popen(['sleep', '2'])", "the children of this process, by 1"),
    ],
)
def test_a_source_leaves_the_process_alone(site: Path, deed: str, said: str) -> None:
    """What it changed is named, and does not reach the location that is read next; what ends in time is nothing."""
    imports = "import os, signal, subprocess, threading, time"
    install(site, GOOD.format(body=f"{imports}; {deed}; return SourceText('{{ jobs: [] }}', 'motd:x')"))
    (site / "other.json5").write_text("{")
    told = cli("check", "-c", "motd:x", "-c", "other.json5", cwd=site).stdout
    assert re.search(WHO + rf"\S+/motd_source\.py: read changed {said}\n    = tell its author", told), told
    assert "no such file" not in told
    short = "t = threading.Thread(target=time.sleep, args=(0.1,)); t.start()"
    (site / "motd_source.py").write_text(
        GOOD.format(body=f"{imports}; {short}; return SourceText('{{ jobs: [] }}', 'motd:x')")
    )
    assert "read changed" not in check("motd:x")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise OSError('no')", r"importing motd_source failed: OSError: no \(\S+motd_source\.py:1\)"),
        ("API = '1.0'", r"\S+motd_source\.py: a source must implement corepilot_register_source"),
        ("import gevent\nAPI = '1.0'", r"\S+motd_source\.py, its light module, imports "),
        (GOOD.format(body="").replace("@hookimpl", "").replace("context):", "context): pass"), r"\S+: \S+ is not m"),
        (GOOD.format(body="pass").replace('"1.0"', '"9.0"'), r"\S+motd_source\.py: it is made for version '9\.0'"),
        (GOOD.format(body="pass").replace("def read(", "def raed("), r"Motd does not implement read"),
        (GOOD.format(body="pass").replace("return Motd", ""), r"corepilot_register_source must return a class with "),
        (GOOD.format(body="pass").replace("read(self, location, context)", "read(self)"), r"\S+: TypeError: "),
    ],
)  # fmt: skip
def test_a_source_is_judged_as_every_plugin(site: Path, source: str, said: str) -> None:
    install(site, source)
    assert re.match(WHO + said, check("motd:x"))


def test_two_that_bring_one_scheme_are_both_named(site: Path) -> None:
    install(site, GOOD.format(body="pass"))
    install(site, GOOD.format(body="pass"), "other")
    said = check("motd:x")
    assert "motd-source 1.2" in said
    assert "other-source 1.2" in said
    assert "uninstall" in said


def test_a_scheme_that_nobody_reads_names_those_that_there_are(site: Path) -> None:
    install(site, GOOD.format(body="pass"))
    assert check("mott:x") == (
        "mott:x: error: cannot read configuration: no source called 'mott' is installed\n"
        "    = installed: directory, env, file, http, https, motd, and the catalogs consul, etcd, zookeeper; "
        "did you mean motd:?\nmott:x: refused (1 error)\n"
    )
    assert "did you mean etcd:?" in check("etdc://127.0.0.1:1/x")
    assert "if it is a path, write ./zk:…" in check("zk://127.0.0.1:1/x")


def test_a_file_needs_none_of_what_a_plugin_needs(tmp_path: Path, site: Path) -> None:
    """Whoever has one file pays for nothing of this."""
    install(site, "raise SystemExit('imported')")
    (tmp_path / "app.json5").write_text(BASE)
    program = (
        "import sys; from corepilot.config.loading import pipeline; from corepilot.config.loading.exchange import *\n"
        f"asked = LoadRequest(({str(tmp_path / 'app.json5')!r},), {{}}, judge_machine=False, hostname='h')\n"
        "assert pipeline.load(asked, lambda _: None).config is not None\n"
        "unwanted = ('http', 'ssl', 'urllib.request', 'pluggy', 'motd_source', 'corepilot.sources.directory',\n"
        "  'corepilot.config.loading.named_source', 'corepilot.config.text.merging', 'importlib.metadata')\n"
        "print([name for name in unwanted if name in sys.modules])\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["check", "reload"])
def test_a_source_that_ignores_its_deadline_is_named(tmp_path: Path, site: Path, moment: str) -> None:
    body = """
            if context.environment.get("HANG"):
                import time
                time.sleep(1000)
            return SourceText("{}", location)"""
    install(site, GOOD.format(body=body.strip()))
    if moment == "check":
        said = check("env:BASE", "motd:x", environment={"BASE": "{}", "HANG": "1"})
        assert f"cannot load env:BASE, motd:x: reading motd:x did not end within {DEADLINE_S:g} s" in said
        return
    with Corepilot(BASE, tmp_path, arguments=("-c", "motd:x")) as corepilot:
        corepilot.until_ready()
        pid = corepilot.job("app")["pid"]
        corepilot.client("env", "HANG=1")
        refused = corepilot.client("reload")
        assert refused.returncode == 1
        assert f"cannot load {corepilot.file}, motd:x: reading motd:x did not end within 10 s" in refused.stderr
        assert corepilot.job("app")["pid"] == pid
        assert corepilot.stop() == 0
